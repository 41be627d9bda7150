"""アカウントの停止（担当者）: done as it begins; it ends when the requests of the account have been withdrawn."""

from engine.definition import SYSTEM, Effect, Mail, Start, State, Transition, Workflow
from engine.text import _
from workflows.account_stop_by_staff import rules
from workflows.business.permissions import STAFF
from workflows.business.shared import known_account, staff_acts

ACCOUNT_STOP_BY_STAFF = Workflow(
    name="account_stop_by_staff",
    version=1,
    title=_("アカウントの停止（担当者）"),
    recipients=known_account.RECIPIENTS,
    mail_context=staff_acts.account_context,
    start=Start(
        "withdrawing",
        allow=STAFF,
        guards=(staff_acts.reason_is_given, rules.account_is_not_stopped),
        writes=(staff_acts.keep_act, rules.stop),
        effects=(
            Mail("account_stopped_by_staff", to="contractor"),
            Mail("account_stopped_by_staff_owner", to="owner"),
            Effect("withdrawal", "requests", done="withdrawn"),
        ),
    ),
    states=(
        State("withdrawing", _("停止済み（お申し込みの取り下げ中）")),
        State("stopped", _("停止済み"), final=True),
    ),
    transitions=(Transition("withdrawn", ("withdrawing",), "stopped", allow=SYSTEM),),
)
