"""The area of the pages, and what the rest of the site shows of them."""

from __future__ import annotations

from web.http.areas import Area, StaffDecision
from workflows.contract_change.inputs import GivingUp

WORKFLOW = "payment_method_change"

pages = Area("payment", __name__, url_prefix="/registration/payment")
pages.tones(WORKFLOW, applied="done", rejected="wrong", failed="wrong", lapsed="wrong")
pages.decides(WORKFLOW, "fail", StaffDecision(lambda change_request, reason, checked: GivingUp(reason, checked)))
