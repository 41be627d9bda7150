"""What is known of the effective date of a change, by the state of its request (G35)."""

from __future__ import annotations

from datetime import date

from engine.text import _
from workflows.business.records import ChangeRequest
from workflows.business.shared.change_request import contract_terms_from_json
from workflows.business.shared.effective_date import NOT_APPLIED, EffectiveDate
from workflows.contract_change import dates

ACCEPTED = _("当社の承認後")
PROCESSED = _("適用処理の完了後")
_ENDED = ("rejected", "withdrawn", "failed")


def known_date(change_request: ChangeRequest, state: str, today: date) -> EffectiveDate:
    """The date of a request in `state` on `today`.

    It is planned until staff have decided. What takes something away, or costs less, keeps its day though the day has
    passed; where something is added, the decision or the booking moves it then.
    """
    day = change_request.effective_on
    if state in _ENDED:
        return NOT_APPLIED
    if state == "applied":
        return EffectiveDate(day)
    undecided = state in ("requested", "in_review")
    if day >= today or _keeps_its_day(change_request):
        return EffectiveDate(day, planned=undecided)
    return EffectiveDate(_next_possible(change_request, today), after=ACCEPTED) if undecided else _BEING_APPLIED


def _keeps_its_day(change_request: ChangeRequest) -> bool:
    before, after = contract_terms_from_json(change_request.before), contract_terms_from_json(change_request.after)
    return before is not None and after is not None and not dates.adds(before, after)


_BEING_APPLIED = EffectiveDate(after=PROCESSED)


def _next_possible(change_request: ChangeRequest, today: date) -> date | None:
    """The date that a request would have that was made on `today`."""
    after = contract_terms_from_json(change_request.after)
    return (
        dates.effective_on(contract_terms_from_json(change_request.before), after, today) if after is not None else None
    )
