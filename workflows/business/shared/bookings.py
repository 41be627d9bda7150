"""The billing backend's books, and whose turn it is to be entered there.

A change is booked with the whole terms that the contract then has. Two changes of one contract that were booked at the
same time would each leave the other out, and the books would bill the wrong terms. So a contract has one booking at a
time: who begins one holds the contract's row, sees whether another is under way, and whether the contract still says
what the change was made from. Whoever must wait is tried again later, and is then made from the terms of that day.
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
    """Why the booking of `change` cannot begin now; None where it may.

    Call it in the transaction that writes down that the backend is asked: the contract's row is held until its end.
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
    """The key to ask with: `key`, or another one where the backend has answered `known` with a rejection.

    A key that was rejected has had its answer: who tries again, after something was mended, asks anew.
    """
    if booking != "rejected":
        return key
    before, _dash, count = known.rpartition("/")
    return f"{key}/{int(count) + 1}" if before == key and count.isdecimal() else f"{key}/2"


def of_contract(billing: BillingBackend, contract: int) -> Sequence[Booking]:
    """What the backend has in its books of a contract, the order that it came from included; raises what it raises."""
    order = ChangeRequest.get_or_none(ChangeRequest.contract == contract, ChangeRequest.kind == "order")
    return billing.history(contract, order.reference if order is not None else "")


def is_answer(answer: Any) -> bool:
    """Whether this is an answer of a backend at all: of anything else nobody knows what is in the books."""
    if isinstance(answer, Queued) and not isinstance(answer.after, timedelta):
        return False
    return isinstance(answer.reference, str) if isinstance(answer, Applied | Queued) else isinstance(answer, Rejected)
