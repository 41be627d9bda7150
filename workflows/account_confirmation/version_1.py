"""アカウントの承認 as it was released first: it waited for ever.

Staff are reminded every three days; an account that was stopped or deleted meanwhile ends the procedure at the next
reminder. Instances that began on this version end on it, unless an operator migrates them.
"""

from datetime import timedelta

from engine.definition import SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.account_confirmation import rules
from workflows.business.access.account_links import CONTRACTOR
from workflows.business.permissions import STAFF
from workflows.business.shared import known_account

_CONFIRMED = (Mail("account_confirmed", to="owner"),)

ACCOUNT_CONFIRMATION_1 = Workflow(
    name="account_confirmation",
    version=1,
    title=_("アカウントの承認"),
    recipients=known_account.RECIPIENTS,
    mail_context=known_account.mail_context,
    start=Start(
        "waiting",
        allow=SYSTEM,
        guards=(rules.account_waits,),
        effects=(Mail("account_review", to="staff"),),
    ),
    states=(
        State("waiting", _("承認待ち"), timers=(Timer("remind", after=timedelta(days=3), deadline=True),)),
        State("confirmed", _("承認完了"), final=True),
        State("needless", _("承認不要（停止または削除済み）"), final=True),
    ),
    transitions=(
        Transition(
            "confirm",
            ("waiting",),
            "confirmed",
            allow=CONTRACTOR,
            title=_("このアカウントを承認する"),
            guards=(rules.account_waits,),
            writes=(rules.confirm_account,),
            effects=_CONFIRMED,
        ),
        Transition(
            "approve",
            ("waiting",),
            "confirmed",
            allow=STAFF,
            title=_("このアカウントを承認する"),
            guards=(rules.account_waits,),
            writes=(rules.confirm_account,),
            effects=_CONFIRMED,
        ),
        Transition("remind", ("waiting",), "needless", allow=SYSTEM, guards=(rules.account_waits_no_more,)),
        Transition("remind", ("waiting",), "waiting", allow=SYSTEM, effects=(Mail("account_review_due", to="staff"),)),
    ),
)
