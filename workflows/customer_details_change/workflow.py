"""お客様情報の変更 (G33): asked for, reviewed where that is needed, and applied, rejected or withdrawn."""

from engine.definition import SYSTEM, Effect, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import ACCOUNT_EDITOR, STAFF
from workflows.business.shared.change_request import ONE_OPEN_REQUEST
from workflows.customer_details_change import rules


def _to_customer(name: str) -> Effect:
    """A mail To the contractor, Cc the account that asked (G31)."""
    return Mail(name, to="contractor", cc="acting_account")


_APPLIED = _to_customer("details_applied")

CUSTOMER_DETAILS_CHANGE = Workflow(
    name="customer_details_change",
    version=1,
    title=_("お客様情報の変更"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "requested",
        allow=ACCOUNT_EDITOR,
        guards=(rules.form_is_current, rules.something_changes),
        writes=(rules.keep_request,),
        conflicts=(ONE_OPEN_REQUEST,),
        effects=(_to_customer("details_received"),),
    ),
    states=(
        State("requested", _("受付済み"), timers=(Timer("triage", at=rules.at_once),)),
        State("in_review", _("担当者が確認中"), timers=(Timer("remind", at=rules.review_due, deadline=True),)),
        State("applied", _("変更済み"), final=True),
        State("rejected", _("お受けできませんでした"), final=True),
        State("withdrawn", _("取り下げ済み"), final=True),
    ),
    transitions=(
        Transition(
            "triage",
            ("requested",),
            "applied",
            allow=SYSTEM,
            guards=(rules.no_review_is_needed, rules.record_is_as_confirmed),
            writes=(rules.apply_changes, rules.close_request),
            effects=(_APPLIED,),
        ),
        Transition("triage", ("requested",), "in_review", allow=SYSTEM, effects=(Mail("details_review", to="staff"),)),
        Transition(
            "remind", ("in_review",), "in_review", allow=SYSTEM, effects=(Mail("details_review_due", to="staff"),)
        ),
        Transition(
            "accept",
            ("in_review",),
            "applied",
            allow=STAFF,
            title=_("承認する"),
            guards=(rules.record_is_as_confirmed,),
            writes=(rules.apply_changes, rules.close_request),
            effects=(_APPLIED,),
        ),
        Transition(
            "reject",
            ("in_review",),
            "rejected",
            allow=STAFF,
            title=_("お断りする"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason, rules.close_request),
            effects=(_to_customer("details_rejected"),),
        ),
        Transition(
            "withdraw",
            ("requested", "in_review"),
            "withdrawn",
            allow=ACCOUNT_EDITOR,
            title=_("取り下げる"),
            writes=(rules.close_request,),
            effects=(_to_customer("details_withdrawn"),),
        ),
    ),
)
