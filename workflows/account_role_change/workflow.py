"""権限の変更: done as it begins, as a procedure, so that history names the administrator; the account's owner is
mailed."""

from engine.definition import Mail, Start, State, Workflow
from engine.text import _
from workflows.account_role_change import rules
from workflows.business.permissions import ACCOUNT_ADMIN
from workflows.business.shared import account_administration

ACCOUNT_ROLE_CHANGE = Workflow(
    name="account_role_change",
    version=1,
    title=_("権限の変更"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "changed",
        allow=ACCOUNT_ADMIN,
        guards=(
            account_administration.is_another_account,
            account_administration.actor_is_still_admin,
            account_administration.account_is_as_shown,
            rules.role_is_another,
        ),
        writes=(rules.change_role,),
        effects=(Mail("role_changed", to="account", figures=rules.new_role),),
        keep=("role",),
    ),
    states=(State("changed", _("変更済み"), final=True),),
    transitions=(),
)
