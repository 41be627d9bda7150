"""Bookings in the billing backend, one at a time for each contract.

A change is booked with the whole terms that the contract then has. Two changes of one contract that were booked at the
same time would each leave the other out, and the backend would bill the wrong terms. So a contract has one booking at a
time: a booking that begins locks the contract's row, and checks whether another one is under way and whether the
contract still has the terms that the change was made from. A booking that must wait is retried later, from the terms of
that day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from engine.delivery import Deferred
from workflows.business.records import ChangeRequest, Contract, ContractChange, Mandate
from workflows.business.shared.change_request import contract_terms
from workflows.ports.billing import Applied, BillingBackend, Booking, Change, Queued, Rejected

UNDER_WAY = ("asked", "queued", "applied")  # the backend may have it in its books, or has
NO_ANSWER = "the billing backend gave no answer that can be read"
_LATER = timedelta(minutes=1)


def not_yet(instance_id: int, change: Change) -> Deferred | None:
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
    others = ChangeRequest.select(ChangeRequest.instance).where(
        ChangeRequest.contract == change.contract,
        ChangeRequest.slot.is_null(False),
        ChangeRequest.instance != instance_id,
    )
    changes = ContractChange.select().where(ContractChange.request.in_(others), ContractChange.booking.in_(UNDER_WAY))
    mandates = Mandate.select().where(Mandate.instance.in_(others), Mandate.booking.in_(UNDER_WAY))
    if changes.exists() or mandates.exists():
        return Deferred("another change of the same contract is being booked", _LATER)
    return None


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
