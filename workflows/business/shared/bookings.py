"""Bookings in the billing backend, one at a time for each contract, and in one order.

A change is booked with the whole terms that the contract then has. Two changes of one contract that were booked at the
same time would each leave the other out, and the backend would bill the wrong terms. So a contract has one booking at a
time: a booking that begins locks the contract's row, and checks whether another one is under way and whether the
contract still has the terms that the change was made from. A booking that must wait is retried later, from the terms of
that day.

The order is that of the effective dates, and on one date that of the numbers, whatever the kinds: so the books, read by
date, say what the contract was. A change of payment method has its place once its date is known; until then its date
will be a later one than that of anything that is booked now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from engine.delivery import Deferred
from workflows.business.records import ChangeRequest, Contract, ContractChange, Customer, Mandate
from workflows.business.shared.change_request import contract_terms
from workflows.ports.billing import Applied, BillingBackend, Booking, Change, Queued, Rejected

_KINDS = ("users", "options", "term", "payment_method")
UNDER_WAY = ("asked", "queued", "applied")  # the backend may have it in its books, or has
NO_ANSWER = "the billing backend gave no answer that can be read"
TURN = "of the same contract goes before it"
_LATER = timedelta(minutes=1)  # how soon to look again whether what goes before is done


def goes_before(change_request: ChangeRequest) -> ChangeRequest | None:
    """The first open request of the same contract that is booked before `change_request`, of any kind; None where there
    is none, and for an order."""
    if change_request.contract_id is None:
        return None
    number, day = change_request.instance, change_request.effective_on
    slots = [f"contract:{change_request.contract_id}/{kind}" for kind in _KINDS]
    sooner = (ChangeRequest.effective_on < day) | (
        (ChangeRequest.effective_on == day) & (ChangeRequest.instance < number)
    )
    without_a_date = Mandate.select(Mandate.instance).where(
        Mandate.contract == change_request.contract_id, Mandate.active_from.is_null()
    )
    found: ChangeRequest | None = (
        ChangeRequest.select()
        .where(ChangeRequest.slot.in_(slots), sooner, ChangeRequest.instance.not_in(without_a_date))
        .order_by(ChangeRequest.effective_on, ChangeRequest.instance)
        .first()
    )
    return found


def waits_its_turn(change_request: ChangeRequest) -> Deferred | None:
    """Why the booking of `change_request` must wait for another request, and for which one; None where it is its turn.

    It waits for as long as that takes, and never becomes an incident of its own: what goes before is in the staff's
    queue or among the incidents itself.
    """
    first = goes_before(change_request)
    if first is None:
        return None
    said = f"request {first.instance} ({first.kind}, from {first.effective_on})"
    return Deferred(f"{said} {TURN}", _LATER, waits=True)


def not_yet(change_request: ChangeRequest, change: Change) -> Deferred | None:
    """Why the booking of `change` cannot begin now, as a Deferred; None where it may.

    To be called in the transaction that records the call of the backend: the contract's row is locked until its end.
    """
    if change.contract is None:
        return None
    mine = Contract.id == change.contract
    Contract.update(users=Contract.users).where(mine).execute()
    contract = Contract.get_or_none(mine)
    if contract is None or contract_terms(contract) != change.before:
        return Deferred("the contract has changed in between", None)
    waits = waits_its_turn(change_request)
    if waits is not None:
        return waits
    others = ChangeRequest.select(ChangeRequest.instance).where(
        ChangeRequest.contract == change.contract,
        ChangeRequest.slot.is_null(False),
        ChangeRequest.instance != change_request.instance,
    )
    changes = ContractChange.select().where(ContractChange.request.in_(others), ContractChange.booking.in_(UNDER_WAY))
    mandates = Mandate.select().where(Mandate.instance.in_(others), Mandate.booking.in_(UNDER_WAY))
    if changes.exists() or mandates.exists():
        return Deferred("another change of the same contract is being booked", _LATER, waits=True)
    return None


def of_removed(change_request: ChangeRequest) -> Deferred | None:
    """Why nothing is booked any more for a customer who was removed, whose requests are being withdrawn; None for any
    other.

    To be called in the transaction that records the call of the backend, once it holds the row that the removal locks.
    """
    removed = Customer.select().where(Customer.id == change_request.customer_id, Customer.removed_on.is_null(False))
    return Deferred("the customer was removed: the request is about to be withdrawn") if removed.exists() else None


def next_key(key: str, booking: str, known: str) -> str:
    """The idempotency key for a call: `key`, or a new one where the backend has answered `known` with a rejection.

    A rejected key has had its answer, so a retry after something was mended needs a new one.
    """
    if booking != "rejected":
        return key
    before, _dash, count = known.rpartition("/")
    return f"{key}/{int(count) + 1}" if before == key and count.isdecimal() else f"{key}/2"


def of_contract(billing: BillingBackend, contract: int) -> Sequence[Booking]:
    """The backend's bookings of a contract, that of its order included. Raises what the backend raises."""
    order = ChangeRequest.get_or_none(ChangeRequest.contract == contract, ChangeRequest.kind == "order")
    return billing.history(contract, order.reference if order is not None else "")


def is_answer(answer: Any) -> bool:
    """Whether `answer` is a well-formed answer of a backend; any other leaves it unknown what was booked."""
    if isinstance(answer, Queued) and not isinstance(answer.after, timedelta):
        return False
    return isinstance(answer.reference, str) if isinstance(answer, Applied | Queued) else isinstance(answer, Rejected)
