"""アカウントのログアウト: done as it begins."""

from engine.definition import Mail, Start, State, Workflow
from engine.text import _
from workflows.account_log_out import rules
from workflows.business.permissions import STAFF
from workflows.business.shared import known_account, staff_acts

ACCOUNT_LOG_OUT = Workflow(
    name="account_log_out",
    version=1,
    title=_("アカウントのログアウト"),
    recipients=known_account.RECIPIENTS,
    mail_context=staff_acts.account_context,
    start=Start(
        "logged_out",
        allow=STAFF,
        guards=(staff_acts.reason_is_given, rules.account_is_logged_in),
        writes=(staff_acts.keep_act, rules.log_out),
        effects=(Mail("account_logged_out", to="owner"),),
    ),
    states=(State("logged_out", _("ログアウト済み"), final=True),),
    transitions=(),
)
