"""パスワード変更 (G36): done at once, and told by mail."""

from engine.definition import Mail, Start, State, Workflow
from engine.text import _
from workflows.business.permissions import OWN_ACCOUNT
from workflows.password_change import rules

PASSWORD_CHANGE = Workflow(
    name="password_change",
    version=1,
    title=_("パスワード変更"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "changed",
        allow=OWN_ACCOUNT,
        guards=(rules.current_password_is_right,),
        writes=(rules.set_password, rules.end_other_sessions),
        effects=(Mail("password_changed", to="account"),),
    ),
    states=(State("changed", _("変更完了"), final=True),),
    transitions=(),
)
