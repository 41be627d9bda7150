"""アカウントの停止 as it was released first: the requests of the stopped account stayed open.

Each ended as it began.
"""

from engine.definition import Mail, Start, State, Workflow
from engine.text import _
from workflows.account_stop import rules
from workflows.business.access.account_links import CONTRACTOR
from workflows.business.shared import known_account

ACCOUNT_STOP_1 = Workflow(
    name="account_stop",
    version=1,
    title=_("アカウントの停止"),
    recipients=known_account.RECIPIENTS,
    mail_context=known_account.mail_context,
    start=Start(
        "stopped",
        allow=CONTRACTOR,
        guards=(rules.account_is_not_stopped,),
        writes=(rules.stop,),
        effects=(
            Mail("account_stopped_staff", to="staff"),
            Mail("account_stopped", to="contractor"),
            Mail("account_stopped_owner", to="owner"),
        ),
    ),
    states=(State("stopped", _("停止済み"), final=True),),
    transitions=(),
)
