"""アカウント削除: done as it begins, as a procedure, so that history names the administrator.

The procedure ends when the mail to the owner was accepted, and with it the last data about them are deleted.
"""

from datetime import timedelta

from engine.definition import SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.account_removal import rules
from workflows.business.permissions import ACCOUNT_ADMIN
from workflows.business.shared import account_administration

ACCOUNT_REMOVAL = Workflow(
    name="account_removal",
    version=1,
    title=_("アカウントの削除"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "removed",
        allow=ACCOUNT_ADMIN,
        guards=(
            account_administration.is_another_account,
            account_administration.actor_is_still_admin,
            account_administration.account_is_as_shown,
        ),
        writes=(rules.keep_address, rules.delete_account),
        effects=(Mail("account_removed", to="removed", done="told"),),
    ),
    states=(
        State("removed", _("削除済み（通知メール送信待ち）"), timers=(Timer("give_up", after=timedelta(days=30)),)),
        State("told", _("削除済み（通知済み）"), final=True),
        State("untold", _("削除済み（通知できず）"), final=True),
    ),
    transitions=(
        Transition("told", ("removed",), "told", allow=SYSTEM, writes=(rules.forget_address,)),
        Transition("give_up", ("removed",), "untold", allow=SYSTEM, writes=(rules.forget_address,)),
    ),
)
