"""アカウントの再開: done as it begins. Requests that were withdrawn with the stop stay withdrawn."""

from engine.definition import Mail, Start, State, Workflow
from engine.text import _
from workflows.account_reopening import rules
from workflows.business.permissions import STAFF
from workflows.business.shared import known_account, staff_acts

ACCOUNT_REOPENING = Workflow(
    name="account_reopening",
    version=1,
    title=_("アカウントの再開"),
    recipients=known_account.RECIPIENTS,
    mail_context=staff_acts.account_context,
    start=Start(
        "reopened",
        allow=STAFF,
        guards=(staff_acts.reason_is_given, rules.account_is_stopped),
        writes=(staff_acts.keep_act, rules.reopen),
        effects=(Mail("account_reopened", to="contractor"), Mail("account_reopened_owner", to="owner")),
    ),
    states=(State("reopened", _("再開済み"), final=True),),
    transitions=(),
)
