"""アカウントの停止: done as it begins, by the link in the mail about a new account.

It ends when the requests of the account have been withdrawn, and staff are told which.
"""

from engine.definition import SYSTEM, Effect, Mail, Start, State, Transition, Workflow
from engine.text import _
from workflows.account_stop import rules
from workflows.business.access.account_links import CONTRACTOR
from workflows.business.shared import known_account
from workflows.business.shared.withdrawals import OF_STOPPED_ACCOUNT

ACCOUNT_STOP = Workflow(
    name="account_stop",
    version=2,
    title=_("アカウントの停止"),
    recipients=known_account.RECIPIENTS,
    mail_context=known_account.mail_context,
    start=Start(
        "withdrawing",
        allow=CONTRACTOR,
        guards=(rules.account_is_not_stopped,),
        writes=(rules.stop,),
        effects=(
            Mail("account_stopped_staff", to="staff"),
            Mail("account_stopped", to="contractor"),
            Mail("account_stopped_owner", to="owner"),
            Effect("withdrawal", OF_STOPPED_ACCOUNT, done="withdrawn"),
        ),
    ),
    states=(
        State("withdrawing", _("停止済み（お申し込みの取り下げ中）")),
        State("stopped", _("停止済み"), final=True),
    ),
    transitions=(
        Transition(
            "withdrawn",
            ("withdrawing",),
            "stopped",
            allow=SYSTEM,
            guards=(rules.there_were_requests,),
            effects=(Mail("account_stop_requests", to="staff", figures=rules.requests_met),),
        ),
        Transition("withdrawn", ("withdrawing",), "stopped", allow=SYSTEM),
    ),
)
