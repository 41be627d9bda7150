"""The rules of 契約終了の取り消し."""

from __future__ import annotations

from engine.definition import Attempt, Refusal
from engine.text import _
from workflows.business.records import Contract
from workflows.business.shared import staff_acts

ENDED = Refusal("already_ended", _("このご契約は、すでに終了しています。"))
NO_LAST_DAY = Refusal("no_last_day", _("このご契約には、終了日が登録されていません。"))


def contract_will_end(attempt: Attempt) -> Refusal | None:
    """The contract has a last day that has not passed; read under the lock of its row."""
    contract = staff_acts.locked_contract(attempt)
    if contract is None:
        return staff_acts.GONE
    if contract.ended_on is None:
        return NO_LAST_DAY
    return ENDED if contract.ended_on < attempt.services.calendar.today(attempt.at) else None


def go_on(attempt: Attempt) -> None:
    """Forget the last day: the contract goes on until another one is set."""
    attempt.records.update(Contract, {"id": staff_acts.contract_id(attempt.instance)}, ended_on=None)
