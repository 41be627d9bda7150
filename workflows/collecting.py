"""What is to be collected: the bills that are due of the contracts that are paid in one way, each with its mandate.

For commands of plugins, which have the `services` of `CommandSite`. Mandates are read some hundred at a time and the
billing backend is asked for their contracts' bills, so any number of them takes the same memory.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import peewee as pw

from engine import Engine
from engine.definition import SYSTEM_ACTOR, Secret
from engine.errors import ConfigurationError, EngineError, EventNotPossible, Paused, Refused, TransitionConflict
from engine.store.base import from_db, storable
from workflows.business.records import ChangeRequest, Contract, Customer, Mandate, Payment, PaymentReport
from workflows.business.shared.bill_input import BillInput
from workflows.business.shared.change_request import contract_terms
from workflows.mandates import facts_of, kept_secret
from workflows.ports.billing import Bill, BilledContract
from workflows.ports.collecting import collects
from workflows.ports.guarded import GuardedBilling
from workflows.ports.payments import DueBill, Report
from workflows.services import Services

PAYMENT = "payment"  # the workflow of what is collected
_METHOD = "payment_method"  # the kind of the requests for another payment method
_ACCEPTED = ("scheduled", "applying")  # the states of these in which nothing but their day is waited for

log = logging.getLogger("tetsuzuki.payment")

_STEP = 200  # contracts for whose bills the backend is asked at once
_DAY = timedelta(days=1)
_AWAITED = timedelta(days=28)  # then a bill is made all the same: a month later the backend looks for it no more


def due_bills(services: Services, method: str, day: date) -> Iterator[DueBill]:
    """The bills that are due on `day`, of the contracts that are billed by a mandate of `method`, in the order of the
    mandates; where a part was paid, with what is left as their total. Those are left out that are settled, or are being
    collected in another way; and for four weeks those of a contract with an open request that should have taken effect:
    its terms of that day are not known yet, and a bill never changes. What fell due before the contract was paid by
    `method` is among them where it is being collected by it; and so is, after a restore, what fell due before the site
    collects, because a file of the lost time may have asked for it.

    Raises ConfigurationError where no billing backend knows bills, UnusableBills for what it answers.
    """
    billing, first = _billing(services), _first_since_a_restore(services)
    last: int | None = 0
    while last is not None:
        mandates, last = _in_use(method, last)
        found = list(_due(services, billing, day, mandates))
        payments = {one.bill: one for one in _payments_of([due.bill.number for due, _since in found])}
        for due, since in found:
            is_before = due.bill.due_on < max(since, first)
            left = _left_of(due.bill, payments.get(due.bill.number), method, is_before=is_before)
            if left > 0:
                yield replace(due, bill=replace(due.bill, total=left))


def some_due_bills(services: Services, method: str, day: date, after: int) -> tuple[list[DueBill], int | None]:
    """The same of some hundred mandates, those behind the mandate `after`, also where they are settled; and the last of
    these, None where there are no more. Of what fell due before a contract was paid by `method` those that waited for a
    request until then: no other method has begun them."""
    mandates, last = _in_use(method, after)
    found = list(_due(services, _billing(services), day, mandates))
    waited = _waited(services, [due for due, since in found if due.bill.due_on < since])
    return [
        due
        for due, since in found
        if due.bill.due_on >= since
        or any(asked <= due.bill.due_on and ended >= since for asked, ended in waited.get(due.bill.contract, ()))
    ], last


def _waited(services: Services, dues: Sequence[DueBill]) -> Mapping[int, Sequence[tuple[date, date]]]:
    """The requests with a price of the contracts of these bills, each from the day on which it was asked for to that of
    its last step, by contract."""
    history: Any = pw.Table("history", ("instance_id", "at"))
    found: dict[int, list[tuple[date, date]]] = {}
    if dues:
        rows: Any = (
            ChangeRequest.select(ChangeRequest.contract, ChangeRequest.asked_at, pw.fn.MAX(history.at))
            .join(history, on=(history.instance_id == ChangeRequest.instance))
            .where(ChangeRequest.contract.in_({due.bill.contract for due in dues}), ChangeRequest.kind != _METHOD)
            .group_by(ChangeRequest.instance, ChangeRequest.contract, ChangeRequest.asked_at)
        )
        for contract, asked_at, ended_at in rows.tuples():
            days = services.calendar.today(asked_at), services.calendar.today(from_db(ended_at))
            found.setdefault(contract, []).append(days)
    return found


def _first_since_a_restore(services: Services) -> date:
    """The day before which, after a restore, nothing is asked for that no payment is kept of; else the first of all."""
    checkpoint: Any = pw.Table("checkpoint", ("kind", "at"))
    rows: Any = (
        checkpoint.select(pw.fn.MAX(checkpoint.at)).where(checkpoint.kind == "restore").bind(Payment._meta.database)
    )
    (restored,) = rows.tuples()[0]
    if restored is None or services.collect_from is None:
        return date.min
    return min(services.collect_from, services.calendar.today(from_db(restored)) + _DAY)


def knows_bills(services: Services) -> bool:
    """Whether there is a billing backend that knows which bills are due."""
    return isinstance(services.billing, GuardedBilling) and services.billing.knows_bills


def _billing(services: Services) -> GuardedBilling:
    billing = services.billing
    if not isinstance(billing, GuardedBilling) or not billing.knows_bills:
        raise ConfigurationError("billing: expected a billing backend that knows which bills are due (version 2)")
    return billing


def _due(
    services: Services, billing: GuardedBilling, day: date, mandates: Sequence[Mandate]
) -> Iterator[tuple[DueBill, date]]:
    """What is due, with the day since which its contract is paid by the mandate's method."""
    numbers = [mandate.contract_id for mandate in mandates if mandate.contract_id is not None]
    awaited, switches = _awaited(numbers, day)
    mandates = _with_contracts([mandate for mandate in mandates if mandate.contract_id not in awaited])
    if not mandates:
        return
    since = _paid_since(mandates)
    collected = _collected_since(services, mandates, since)
    withdrawn = _written_off(numbers)
    contracts = tuple(_billed(one, collected[one.id], withdrawn.get(one.contract_id, frozenset())) for one in mandates)
    bills: dict[int, list[Bill]] = {}
    for bill in billing.due_bills(day, contracts):
        bills.setdefault(bill.contract, []).append(bill)
    for mandate in mandates:
        contract = _contract(mandate)
        for bill in sorted(bills.get(contract.id, ()), key=lambda one: (one.due_on, one.number)):
            if bill.due_on < switches.get(contract.id, date.max):
                due = DueBill(bill, contract.customer.number, facts_of(mandate), kept_secret(services, mandate))
                yield due, since[mandate.id]


def _with_contracts(mandates: Sequence[Mandate]) -> list[Mandate]:
    """These mandates, each with its contract and that one's customer; without those whose contract was switched to
    another method just now. Read behind what is awaited, or a change that is applied in between would be billed as
    before it."""
    numbers = [mandate.contract_id for mandate in mandates]
    rows = Contract.select(Contract, Customer).join(Customer).where(Contract.id.in_(numbers))
    contracts: dict[int | None, Contract] = {one.id: one for one in rows}
    found = []
    for mandate in mandates:
        contract = contracts.get(mandate.contract_id)
        if contract is not None and contract.payment_method == mandate.method:
            mandate.contract = contract
            found.append(mandate)
    return found


def _awaited(contracts: Sequence[int], day: date) -> tuple[set[int], dict[int, date]]:
    """Those of these contracts with an open request that has a price and should have taken effect by `day`; and those
    for which another payment method is accepted and should have, each with the day from which it pays."""
    instance: Any = pw.Table("instance", ("id", "state"))
    late: Any = (
        ChangeRequest.select(ChangeRequest.contract, ChangeRequest.kind, ChangeRequest.effective_on, instance.state)
        .join(instance, pw.JOIN.LEFT_OUTER, on=(instance.id == ChangeRequest.instance))
        .where(
            ChangeRequest.contract.in_(contracts),
            ChangeRequest.slot.is_null(False),
            ChangeRequest.effective_on.between(day - _AWAITED, day),
        )
    )
    priced, switches = set[int](), dict[int, date]()
    for contract, kind, effective_on, state in late.tuples():
        if kind != _METHOD:
            priced.add(contract)
        elif state in _ACCEPTED:
            switches[contract] = effective_on
    return priced, switches


def _left_of(bill: Bill, payment: Payment | None, method: str, *, is_before: bool) -> int:
    """What is to be asked for of a bill by `method` now, in yen; 0 where asking could bring money twice."""
    if payment is None:
        return 0 if is_before else bill.total
    is_ours = payment.method == method and payment.under_way == 1
    if payment.settled_at is not None or (payment.under_way == 1 and not is_ours) or (is_before and not is_ours):
        return 0
    return int(min(bill.total, payment.amount) - payment.paid)


def begin_due_payments(engine: Engine, services: Services, method: str) -> int:
    """Begin the payments of all bills that are due today of the contracts that are paid by a mandate of `method`, where
    the site collects: so each bill that is asked for has one. Returns how many. Idempotent."""
    if services.collect_from is None or not knows_bills(services):
        return 0
    begun, after, day = 0, 0, services.calendar.today(services.clock())
    last: int | None = 0
    while last is not None:
        due, last = some_due_bills(services, method, day, after)
        begun, after = begun + begin_payments(engine, services, method, due), last or 0
    return begun


def begin_payments(engine: Engine, services: Services, method: str, due: Sequence[DueBill]) -> int:
    """Begin the payments of those of these bills that have none, and that fell due since the site collects. Returns how
    many."""
    since = services.collect_from
    numbers = [one.bill.number for one in due]
    known = {row.bill for row in Payment.select(Payment.bill).where(Payment.bill.in_(numbers))}
    wanted = [one for one in due if since is not None and one.bill.due_on >= since and one.bill.number not in known]
    return sum(_begin(engine, method, one) for one in wanted)


def _begin(engine: Engine, method: str, due: DueBill) -> bool:
    """Begin the payment of a bill; False where another worker was faster, or it cannot be begun now."""
    bill = due.bill
    data = BillInput(bill.number, bill.contract, bill.total, bill.due_on, due.mandate.id, method)
    try:
        engine.start(PAYMENT, f"contract:{bill.contract}", SYSTEM_ACTOR, data)
    except Refused:
        return False
    except EngineError as error:
        log.warning("the payment of bill %s does not begin now: %s", bill.number, error)
        return False
    return True


def check_not_halted(engine: Engine) -> None:
    """Raise Paused, with the reason, where payments are halted, as `tetsuzuki restored` does: what leaves the house to
    be collected then might have been collected already."""
    if why := engine.why_halted(PAYMENT):
        raise Paused(f"Payments are halted: {why}")


def claim(engine: Engine, method: str, bills: Sequence[str]) -> Mapping[str, str]:
    """Let the payments of some hundred bills be under way by `method`, because they are asked for now, as in a file for
    the banks: from then on nobody records that one was paid in another way, or asks for it otherwise. Returns those
    that are not to be asked for, each with the reason; a bill without a payment is not among them. Idempotent."""
    payments = list(_payments_of(bills))
    halted = engine.halted_among([one.instance for one in payments])
    found = {one.bill: _why_not(engine, method, one, is_halted=one.instance in halted) for one in payments}
    return {bill: why for bill, why in found.items() if why}


def _why_not(engine: Engine, method: str, payment: Payment, *, is_halted: bool) -> str:
    if payment.settled_at is not None:
        return "it is settled"
    if is_halted:
        return f"its payment, {payment.instance}, is paused"
    if payment.under_way == 1:
        return "" if payment.method == method else f"it is being collected by {payment.method}"
    if payment.paid:
        return f"a part was paid, and its payment, {payment.instance}, waits for the staff"
    # As on its date where it waits for that, else by the event for it, which version 1 of the procedure has not.
    if not begin_try(engine, payment.instance, "collect"):
        begin_try(engine, payment.instance, "asked_for")
    # Whatever has begun it: perhaps its date, just now; and perhaps by another method, which is in use since.
    now = Payment.get_by_id(payment.instance)
    if now.under_way == 1:
        return "" if now.method == method else f"it is being collected by {now.method}"
    return f"its payment, {payment.instance}, waits for a decision of the staff"


def settled_among(bills: Sequence[str]) -> set[str]:
    """Those of these bills of which nothing is to be collected any more."""
    return {one.bill for one in _payments_of(bills) if one.settled_at is not None}


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
    rows: Iterable[Payment] = Payment.select().where(Payment.bill.in_(bills))
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
        Mandate.select()
        .join(Contract, on=(Mandate.contract == Contract.id))
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


def _written_off(contracts: Sequence[int]) -> Mapping[int | None, frozenset[str]]:
    """The bills of these contracts that staff have written off, by contract."""
    instance: Any = pw.Table("instance", ("id", "state"))
    rows: Any = (
        Payment.select(Payment.contract, Payment.bill)
        .join(instance, on=(instance.id == Payment.instance))
        .where(Payment.contract.in_(contracts), instance.state == "written_off")
    )
    found: dict[int | None, frozenset[str]] = {}
    for contract, bill in rows.tuples():
        found[contract] = found.get(contract, frozenset()) | {bill}
    return found


def _billed(mandate: Mandate, since: date, withdrawn: frozenset[str]) -> BilledContract:
    contract = _contract(mandate)
    terms = contract_terms(contract)
    return BilledContract(contract.id, contract.customer.number, terms, since, contract.ended_on, withdrawn)


def _paid_since(mandates: Sequence[Mandate]) -> dict[int, date]:
    """Since when the contract of each mandate is paid in its way, by the mandate's id: also by the mandates that it has
    followed without a gap, as of an account before. What fell due then and was not asked for is asked for by it."""
    former = _former(mandates)
    return {one.id: _unbroken(one, _first_day(one), former, (one.method,)) for one in mandates}


def _collected_since(services: Services, mandates: Sequence[Mandate], since: Mapping[int, date]) -> dict[int, date]:
    """Since when the site has collected by the contract of each mandate in any way without a gap: what fell due then,
    and waited or was not paid, is asked for by the mandate of today. Where the site does not collect, the same as
    `since`: what was due before is in other books."""
    first = services.collect_from
    if first is None:
        return dict(since)
    names = {name for name, method in services.payment_methods.items() if collects(method)}
    former = _former(mandates)
    reached = {one.id: _unbroken(one, since[one.id], former, names) for one in mandates}
    return {number: min(since[number], max(day, first)) for number, day in reached.items()}


def _former(mandates: Sequence[Mandate]) -> dict[tuple[int | None, date], Mandate]:
    """The mandates that the contracts of these had before, by contract and last day."""
    rows = Mandate.select().where(
        Mandate.contract.in_([_contract(mandate).id for mandate in mandates]),
        Mandate.active_from.is_null(False),
        Mandate.ended_on.is_null(False),
    )
    return {(one.contract_id, one.ended_on): one for one in rows if one.ended_on is not None}


def _first_day(mandate: Mandate) -> date:
    day: date = mandate.active_from or _contract(mandate).started_on
    return day


def _unbroken(
    mandate: Mandate, since: date, former: Mapping[tuple[int | None, date], Mandate], methods: Collection[str]
) -> date:
    """The first day of the mandates of `methods` that led to this one, each from the day after the one before ended."""
    while (before := former.get((mandate.contract_id, since - _DAY))) is not None and before.method in methods:
        day = before.active_from
        if day is None or day >= since:
            break
        since = day
    return since
