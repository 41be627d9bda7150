"""The area of the pages, and what the rest of the site shows of them."""

from __future__ import annotations

from web.http.areas import Area, StaffDecision
from web.http.current import today
from workflows.business.records import ChangeRequest, Mandate
from workflows.contract_change.inputs import GivingUp
from workflows.payment_method_change import DateShown, effective_date

WORKFLOW = "payment_method_change"

pages = Area("payment", __name__, url_prefix="/registration/payment")
pages.tones(WORKFLOW, applied="done", rejected="wrong", taken_back="wrong", failed="wrong", lapsed="wrong")


def _accepted(change_request: ChangeRequest | None, reason: str, checked: bool) -> DateShown:
    """A method that needs nothing further has its date once it is accepted; papers and cards have none yet."""
    number = change_request.instance if change_request is not None else 0
    needs_nothing = Mandate.select().where(Mandate.instance == number, Mandate.way.in_(("at_once", "none"))).exists()
    return DateShown(effective_date(today()) if needs_nothing else None)


def _approved(change_request: ChangeRequest | None, reason: str, checked: bool) -> DateShown:
    return DateShown(effective_date(today()))


pages.decides(WORKFLOW, "accept", StaffDecision(_accepted, day=lambda data: data.effective_on))
pages.decides(WORKFLOW, "approve", StaffDecision(_approved, day=lambda data: data.effective_on))
pages.decides(WORKFLOW, "fail", StaffDecision(lambda change_request, reason, checked: GivingUp(reason, checked)))
