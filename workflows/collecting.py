"""What is to be collected: the bills that are due of the contracts that are paid in one way, each with its mandate.

For commands of plugins, which have the `services` of `CommandSite`. Mandates are read some hundred at a time and the
billing backend is asked for their contracts' bills, so any number of them takes the same memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from engine import Engine
from engine.definition import SYSTEM_ACTOR, Secret
from engine.errors import ConfigurationError, EngineError, EventNotPossible, Paused, Refused, TransitionConflict
from engine.store.base import storable
from workflows.business.records import ChangeRequest, Contract, Customer, Mandate, Payment, PaymentReport
from workflows.business.shared.change_request import contract_terms
from workflows.mandates import facts_of, kept_secret
from workflows.ports.billing import Bill, BilledContract
from workflows.ports.guarded import GuardedBilling
from workflows.ports.payments import DueBill, Report
from workflows.services import Services

PAYMENT = "payment"  # the workflow of what is collected

log = logging.getLogger("tetsuzuki.payment")

_STEP = 200  # contracts for whose bills the backend is asked at once
_DAY = timedelta(days=1)
_AWAITED = timedelta(days=28)  # then a bill is made all the same: a month later the backend looks for it no more


def due_bills(services: Services, method: str, day: date) -> Iterator[DueBill]:
    """The bills that are due on `day`, of the contracts that are billed by a mandate of `method`, in the order of the
    mandates. Those are left out that are settled, or are being collected in another way; and for four weeks those of a
    contract with an open request that should have taken effect: its terms of that day are not known yet, and a bill
    never changes.

    Raises ConfigurationError where no billing backend knows bills, UnusableBills for what it answers.
    """
    billing = _billing(services)
    last: int | None = 0
    while last is not None:
        mandates, last = _in_use(method, last)
        found = list(_due(services, billing, day, mandates))
        taken = _taken(method, [due.bill.number for due in found])
        yield from (due for due in found if due.bill.number not in taken)


def some_due_bills(services: Services, method: str, day: date, after: int) -> tuple[list[DueBill], int | None]:
    """The same of some hundred mandates, those behind the mandate `after`, also where they are settled; and the last of
    these, None where there are no more."""
    mandates, last = _in_use(method, after)
    return list(_due(services, _billing(services), day, mandates)), last


def knows_bills(services: Services) -> bool:
    """Whether there is a billing backend that knows which bills are due."""
    return isinstance(services.billing, GuardedBilling) and services.billing.knows_bills


def _billing(services: Services) -> GuardedBilling:
    billing = services.billing
    if not isinstance(billing, GuardedBilling) or not billing.knows_bills:
        raise ConfigurationError("billing: expected a billing backend that knows which bills are due (version 2)")
    return billing


def _due(services: Services, billing: GuardedBilling, day: date, mandates: Sequence[Mandate]) -> Iterator[DueBill]:
    awaited = _awaited([_contract(mandate).id for mandate in mandates], day)
    mandates = [mandate for mandate in mandates if _contract(mandate).id not in awaited]
    if not mandates:
        return
    since = _paid_since(mandates)
    contracts = tuple(_billed(mandate, since[mandate.id]) for mandate in mandates)
    bills: dict[int, list[Bill]] = {}
    for bill in billing.due_bills(day, contracts):
        bills.setdefault(bill.contract, []).append(bill)
    for mandate in mandates:
        contract = _contract(mandate)
        for bill in sorted(bills.get(contract.id, ()), key=lambda one: (one.due_on, one.number)):
            yield DueBill(bill, contract.customer.number, facts_of(mandate), kept_secret(services, mandate))


def _awaited(contracts: Sequence[int], day: date) -> set[int]:
    """Those of these contracts with an open request that has a price and should have taken effect by `day`."""
    late = ChangeRequest.select(ChangeRequest.contract).where(
        ChangeRequest.contract.in_(contracts),
        ChangeRequest.slot.is_null(False),
        ChangeRequest.kind != "payment_method",
        ChangeRequest.effective_on.between(day - _AWAITED, day),
    )
    return {row.contract_id for row in late if row.contract_id is not None}


def _taken(method: str, bills: Sequence[str]) -> set[str]:
    """Those of these bills that nobody may collect by `method` now: asking for them could bring the money twice."""
    elsewhere = (Payment.under_way == 1) & (Payment.method != method)
    rows = Payment.select(Payment.bill).where(Payment.bill.in_(bills), Payment.settled_at.is_null(False) | elsewhere)
    return {row.bill for row in rows}


def check_not_halted(engine: Engine) -> None:
    """Raise Paused, with the reason, where payments are halted, as `tetsuzuki restored` does: what leaves the house to
    be collected then might have been collected already."""
    if why := engine.why_halted(PAYMENT):
        raise Paused(f"Payments are halted: {why}")


def begin_tries(engine: Engine, method: str, asked: Callable[[Sequence[str]], Collection[str]]) -> int:
    """Begin the next try of each payment by `method` that waits for its date, and whose bill is asked for already, as
    in a file for the banks. Until then staff could record that it was paid in another way, and it would come twice.

    `asked` picks those among some hundred bills. Returns how many tries began. Idempotent.
    """
    begun, last = 0, 0
    waiting = Payment.select(Payment.instance, Payment.bill).where(
        Payment.method == method, Payment.settled_at.is_null(), Payment.under_way == 0
    )
    while rows := list(waiting.where(Payment.instance > last).order_by(Payment.instance).limit(_STEP)):
        last = rows[-1].instance
        picked = asked([row.bill for row in rows])
        begun += sum(begin_try(engine, row.instance, "collect") for row in rows if row.bill in picked)
    return begun


def begin_try(engine: Engine, payment: int, event: str) -> bool:
    """Let a payment be asked for again by `event`; False where it cannot be now, as where staff decide on it."""
    try:
        engine.fire(payment, event, SYSTEM_ACTOR)
    except (Refused, EventNotPossible, TransitionConflict):
        return False
    except EngineError as error:
        log.warning("payment %s is not asked for again now: %s", payment, error)
        return False
    return True


def keep_results(services: Services, method: str, results: Iterable[tuple[str, str, Report]]) -> None:
    """Keep what a method has read of payments, as from a file of a bank, so that each payment goes on by it.

    Each result has the `Bill.number`, the method's own name for the result, which is the same when it is read again,
    and its report, in which `request` is left out. To be called in a transaction: the results are kept with it, and
    workers apply them. A bill without a payment is left out: its method is asked when that begins.
    """
    given = {name: (bill, report) for bill, name, report in results}
    numbers = {row.bill: row.instance for row in _payments_of([bill for bill, _report in given.values()])}
    now = services.clock()
    rows = [
        {
            "provider": method,
            "event": name,
            "kind": "result",
            "received_at": now,
            "last_at": now,
            "sealed": "",
            "state": "received",
            "due_at": now,
            "said": report.status,
            "status": report.status,
            "request": numbers[bill],
            "reference": report.reference,
            "detail": storable(report.detail, 200),
            "amount": report.amount,
            "occurred_at": report.occurred_at,
            "failure": report.failure,
        }
        for name, (bill, report) in given.items()
        if bill in numbers
    ]
    if rows:
        PaymentReport.insert_many(rows).on_conflict_ignore().execute()


def _payments_of(bills: Sequence[str]) -> Iterable[Payment]:
    rows: Iterable[Payment] = Payment.select(Payment.bill, Payment.instance).where(Payment.bill.in_(bills))
    return rows


def secrets_in_use(services: Services, mandates: Sequence[int]) -> Mapping[int, Secret]:
    """What is kept for these mandates, by their ids; those that are no longer in use are left out."""
    found = Mandate.select().where(Mandate.id.in_(mandates), Mandate.in_use.is_null(False))
    return {mandate.id: kept_secret(services, mandate) for mandate in found}


def without_mandate(method: str, day: date) -> int:
    """How many contracts that run on `day` are paid in this way without a mandate that is known here, as imported ones:
    nothing can be collected of them."""
    mandates = Mandate.select(Mandate.in_use).where(Mandate.in_use.is_null(False))
    contracts = Contract.select().where(Contract.payment_method == method, Contract.runs(day))
    return int(contracts.where(Contract.id.not_in(mandates)).count())


def paid_otherwise(method: str) -> int:
    """How many contracts have a mandate of `method` that is in use, and say that they are paid in another way, as after
    an import: nothing is collected of them."""
    mandates = Mandate.select().join(Contract, on=(Mandate.in_use == Contract.id))
    return int(mandates.where(Mandate.method == method, Contract.payment_method != method).count())


def _in_use(method: str, after: int) -> tuple[list[Mandate], int | None]:
    rows = (
        Mandate.select(Mandate, Contract, Customer)
        .join(Contract, on=(Mandate.contract == Contract.id))
        .join(Customer, on=(Contract.customer == Customer.id))
        .where(Mandate.method == method, Mandate.in_use.is_null(False), Mandate.id > after)
        .where(Contract.payment_method == method)
        .order_by(Mandate.id)
        .limit(_STEP)
    )
    found = list(rows)
    return found, found[-1].id if found else None


def _contract(mandate: Mandate) -> Contract:
    assert mandate.contract is not None  # as of each mandate that is in use
    return mandate.contract


def _billed(mandate: Mandate, since: date) -> BilledContract:
    contract = _contract(mandate)
    return BilledContract(contract.id, contract.customer.number, contract_terms(contract), since, contract.ended_on)


def _paid_since(mandates: Sequence[Mandate]) -> dict[int, date]:
    """Since when the contract of each mandate is paid in its way, by the mandate's id: also by the mandates that it has
    followed without a gap, as of an account before. What fell due then and was not asked for is asked for by it."""
    contracts = [_contract(mandate).id for mandate in mandates]
    former = Mandate.select().where(
        Mandate.contract.in_(contracts), Mandate.active_from.is_null(False), Mandate.ended_on.is_null(False)
    )
    began: dict[Any, date | None] = {(one.contract_id, one.method, one.ended_on): one.active_from for one in former}
    found = {}
    for mandate in mandates:
        contract = _contract(mandate)
        since = mandate.active_from or contract.started_on
        while (before := began.get((contract.id, mandate.method, since - _DAY))) is not None and before < since:
            since = before
        found[mandate.id] = since
    return found
