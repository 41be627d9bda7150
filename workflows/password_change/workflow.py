"""パスワード変更 (G36): done at once, and confirmed by mail."""

from engine.definition import Mail, Start, State, Workflow
from engine.text import _
from workflows.business.permissions import OWN_ACCOUNT
from workflows.business.shared import own_account
from workflows.password_change import rules

PASSWORD_CHANGE = Workflow(
    name="password_change",
    version=1,
    title=_("パスワード変更"),
    recipients=own_account.RECIPIENTS,
    mail_context=own_account.mail_context,
    start=Start(
        "changed",
        allow=OWN_ACCOUNT,
        guards=(own_account.current_password_is_right,),
        writes=(own_account.set_password, rules.end_other_sessions),
        effects=(Mail("password_changed", to="account"),),
    ),
    states=(State("changed", _("変更完了"), final=True),),
    transitions=(),
)
