"""The area of the pages, and what the rest of the site shows of them."""

from __future__ import annotations

from web.http.areas import Area, StaffDecision
from web.http.current import site
from workflows.business.records import ChangeRequest
from workflows.contract_change.inputs import GivingUp, NewPrice
from workflows.contract_change.proposal import reprice
from workflows.ports import quotes

WORKFLOW = "contract_change"
ORDER = "order"

pages = Area("changes", __name__, url_prefix="/changes")
pages.tones(WORKFLOW, applied="done", rejected="wrong", failed="wrong")


def _new_price(change_request: ChangeRequest | None, reason: str, checked: bool) -> NewPrice:
    """The present price of the request. Calls the billing backend, so never inside a transaction."""
    quote = reprice(site().services, change_request) if change_request is not None else None
    return NewPrice(reason, quotes.to_json(quote))


pages.decides(WORKFLOW, "give_up", StaffDecision(lambda change_request, reason, checked: GivingUp(reason, checked)))
pages.decides(
    WORKFLOW, "accept_price", StaffDecision(_new_price, quote=lambda data: quotes.from_json(data.quote).quote)
)
