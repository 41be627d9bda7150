"""The rules of 契約の終了."""

from __future__ import annotations

from datetime import date, timedelta

from engine.definition import Attempt, Refusal, needs_input
from engine.text import _
from workflows.business.records import Contract
from workflows.business.shared import staff_acts

ALREADY_ENDED = Refusal("already_ended", _("このご契約は、すでに終了しています。"))
DAY_MISSING = Refusal("last_day_missing", _("ご契約終了日をお選びください。"), "last_day")
DAY_PAST = Refusal("last_day_past", _("ご契約終了日は、本日以降の日付をお選びください。"), "last_day")
DAY_BEFORE_START = Refusal(
    "last_day_before_start", _("ご契約終了日は、ご利用開始日以降の日付をお選びください。"), "last_day"
)
DAY_FAR = Refusal("last_day_far", _("ご契約終了日は、5年以内の日付をお選びください。"), "last_day")
SAME_DAY = Refusal("last_day_same", _("この日付は、すでにご契約終了日として登録されています。"), "last_day")

_FARTHEST = timedelta(days=5 * 366)


def contract_has_not_ended(attempt: Attempt) -> Refusal | None:
    """The contract is there and runs today; read under the lock of its row, which requests for it take as well."""
    contract = staff_acts.locked_contract(attempt)
    if contract is None:
        return staff_acts.GONE
    return ALREADY_ENDED if contract.ended_on is not None and contract.ended_on < _today(attempt) else None


@needs_input
def last_day_is_possible(attempt: Attempt) -> Refusal | None:
    """The last day is today or later, not before the contract begins, and another one than is known."""
    contract, last, today = staff_acts.locked_contract(attempt), attempt.data.last_day, _today(attempt)
    if contract is None or last is None:
        return DAY_MISSING
    if last < today:
        return DAY_PAST
    if last < contract.started_on:
        return DAY_BEFORE_START
    if last > today + _FARTHEST:
        return DAY_FAR
    return SAME_DAY if contract.ended_on == last else None


def end_contract(attempt: Attempt) -> None:
    """Write the last day. Sessions of a customer without another contract end with it (`Sessions.account`)."""
    attempt.records.update(Contract, {"id": staff_acts.contract_id(attempt.instance)}, ended_on=attempt.data.last_day)


def _today(attempt: Attempt) -> date:
    day: date = attempt.services.calendar.today(attempt.at)
    return day
