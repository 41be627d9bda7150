"""What is known of the effective date of a change, by the state of its request (G35)."""

from __future__ import annotations

from datetime import date

from engine.text import _
from workflows.business.records import ChangeRequest
from workflows.business.shared.change_request import contract_terms_from_json
from workflows.business.shared.effective_date import NOT_APPLIED, EffectiveDate
from workflows.contract_change import dates
from workflows.ports.billing import ContractTerms

ACCEPTED = _("当社の承認後")
PROCESSED = _("適用処理の完了後")
_ENDED = ("rejected", "withdrawn", "taken_back", "lapsed", "failed")
_UNDECIDED = (
    "requested",
    "awaiting_details",
    "awaiting_page",
    "awaiting_form",
    "form_received",
    "with_bank",
    "activating",
    "awaiting_payment",
    "payment_due_soon",
    "in_review",
)


def known_date(change_request: ChangeRequest, state: str, today: date) -> EffectiveDate:
    """The date of a request in `state` on `today`.

    It is planned until staff have decided, and until the payment method of an order works. Once its day has passed, a
    change that only takes something away keeps it, and one that adds something gets another with the decision or the
    booking.
    """
    day = change_request.effective_on
    if state in _ENDED:
        return NOT_APPLIED
    if state == "applied":
        return EffectiveDate(day)
    undecided = state in _UNDECIDED
    if day >= today or not _adds(change_request):
        return EffectiveDate(day, planned=undecided)
    return EffectiveDate(_next_possible(change_request, today), after=ACCEPTED) if undecided else _BEING_APPLIED


_BEING_APPLIED = EffectiveDate(after=PROCESSED)


def _adds(change_request: ChangeRequest) -> bool:
    before, after = _terms(change_request)
    return before is None or after is None or dates.adds(before, after)


def _next_possible(change_request: ChangeRequest, today: date) -> date | None:
    """The date that a request would have that was made on `today`; None where staff choose one."""
    before, after = _terms(change_request)
    if after is None or (before is not None and dates.takes_away(before, after)):
        return None
    return dates.effective_on(before, after, today)


def _terms(change_request: ChangeRequest) -> tuple[ContractTerms | None, ContractTerms | None]:
    return contract_terms_from_json(change_request.before), contract_terms_from_json(change_request.after)
