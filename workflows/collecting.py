"""What is to be collected: the bills that are due of the contracts that are paid in one way, each with its mandate.

For commands of plugins, which have the `services` of `CommandSite`. Mandates are read some hundred at a time and the
billing backend is asked for their contracts' bills, so any number of them takes the same memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from engine.definition import Secret
from engine.errors import ConfigurationError
from workflows.business.access.vault import Unreadable
from workflows.business.records import Contract, Customer, Mandate
from workflows.business.shared.change_request import contract_terms
from workflows.mandates import facts_of, secret_of
from workflows.ports.billing import Bill, BilledContract
from workflows.ports.guarded import GuardedBilling
from workflows.ports.payments import DueBill
from workflows.services import Services

_STEP = 200  # contracts for whose bills the backend is asked at once


def due_bills(services: Services, method: str, day: date) -> Iterator[DueBill]:
    """The bills that are due on `day`, of the contracts that are billed by a mandate of `method`, in the order of the
    mandates. Raises ConfigurationError where no billing backend knows bills, UnusableBills for what it answers."""
    billing = services.billing
    if not isinstance(billing, GuardedBilling) or not billing.knows_bills:
        raise ConfigurationError("billing: expected a billing backend that knows which bills are due (version 2)")
    for mandates in _in_use(method):
        contracts = tuple(_billed(mandate) for mandate in mandates)
        bills: dict[int, list[Bill]] = {}
        for bill in billing.due_bills(day, contracts):
            bills.setdefault(bill.contract, []).append(bill)
        for mandate in mandates:
            contract = _contract(mandate)
            for bill in sorted(bills.get(contract.id, ()), key=lambda one: (one.due_on, one.number)):
                yield DueBill(bill, contract.customer.number, facts_of(mandate), _kept(services, mandate))


def secrets_in_use(services: Services, mandates: Sequence[int]) -> Mapping[int, Secret]:
    """What is kept for these mandates, by their ids; those that are no longer in use are left out."""
    found = Mandate.select().where(Mandate.id.in_(mandates), Mandate.in_use.is_null(False))
    return {mandate.id: _kept(services, mandate) for mandate in found}


def without_mandate(method: str, day: date) -> int:
    """How many contracts that run on `day` are paid in this way without a mandate that is known here, as imported ones:
    nothing can be collected of them."""
    mandates = Mandate.select(Mandate.in_use).where(Mandate.in_use.is_null(False))
    contracts = Contract.select().where(Contract.payment_method == method, Contract.runs(day))
    return int(contracts.where(Contract.id.not_in(mandates)).count())


def _kept(services: Services, mandate: Mandate) -> Secret:
    """What is kept for a mandate; empty where no key opens it."""
    try:
        return secret_of(services, mandate)
    except Unreadable:
        return Secret("")


def _in_use(method: str) -> Iterator[list[Mandate]]:
    last = 0
    while True:
        rows = (
            Mandate.select(Mandate, Contract, Customer)
            .join(Contract, on=(Mandate.contract == Contract.id))
            .join(Customer, on=(Contract.customer == Customer.id))
            .where(Mandate.method == method, Mandate.in_use.is_null(False), Mandate.id > last)
            .order_by(Mandate.id)
            .limit(_STEP)
        )
        found = list(rows)
        if not found:
            return
        yield found
        last = found[-1].id


def _contract(mandate: Mandate) -> Contract:
    assert mandate.contract is not None  # as of each mandate that is in use
    return mandate.contract


def _billed(mandate: Mandate) -> BilledContract:
    contract = _contract(mandate)
    return BilledContract(
        contract.id,
        contract.customer.number,
        contract_terms(contract),
        mandate.active_from or contract.started_on,
        contract.ended_on,
    )
