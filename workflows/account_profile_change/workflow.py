"""アカウント設定: name and language, changed at once. The log-in address is a procedure of its own."""

from engine.definition import Start, State, Workflow
from engine.text import _
from workflows.account_profile_change import rules
from workflows.business.permissions import OWN_ACCOUNT

ACCOUNT_PROFILE_CHANGE = Workflow(
    name="account_profile_change",
    version=1,
    title=_("アカウント設定の変更"),
    start=Start(
        "changed",
        allow=OWN_ACCOUNT,
        guards=(rules.nobody_was_faster,),
        writes=(rules.set_profile,),
        keep=("language",),
    ),
    states=(State("changed", _("変更完了"), final=True),),
    transitions=(),
)
