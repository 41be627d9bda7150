"""The area of the pages, and what the rest of the site shows of them."""

from __future__ import annotations

from web.http.areas import Area, StaffDecision
from web.http.current import site
from workflows.business.records import ChangeRequest
from workflows.contract_change import GivingUp, Redating, propose_again
from workflows.ports import quotes

WORKFLOW = "contract_change"
ORDER = "order"

pages = Area("changes", __name__, url_prefix="/changes")
pages.tones(WORKFLOW, applied="done", rejected="wrong", taken_back="wrong", lapsed="wrong", failed="wrong")


def _anew(change_request: ChangeRequest | None, reason: str, checked: bool) -> tuple[Redating, ...]:
    """The request's present date and price, or those that there are to choose from. Calls the billing backend, so never
    inside a transaction."""
    ways = propose_again(site().services, change_request, site().clock()) if change_request is not None else ()
    return tuple(way.chosen(reason) for way in ways) or (Redating(reason, ""),)


pages.decides(WORKFLOW, "give_up", StaffDecision(lambda change_request, reason, checked: GivingUp(reason, checked)))
_ANEW = StaffDecision(_anew, quote=lambda data: quotes.from_json(data.quote).quote, day=lambda data: data.effective_on)
pages.decides(WORKFLOW, "accept", _ANEW)
pages.decides(WORKFLOW, "accept_price", _ANEW)
