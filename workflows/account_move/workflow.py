"""アカウントの引き継ぎ: begun by a merge of customers (`customer_merge`) for each account of the one who is gone.

The account has moved already, or was removed; this tells its owner, in their own language, and deletes what was kept
for that.
"""

from engine.definition import SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.account_move import rules

ACCOUNT_MOVE = Workflow(
    name="account_move",
    version=1,
    title=_("アカウントの引き継ぎ"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "moved",
        allow=rules.MERGE,
        guards=(rules.owner_is_to_be_told,),
        writes=(rules.take_the_row,),
        effects=(Mail("account_moved", to="owner", done="told"),),
    ),
    states=(
        State("moved", _("引き継ぎ済み（通知メール送信待ち）"), timers=(Timer("give_up", after=rules.KEPT_FOR),)),
        State("told", _("引き継ぎ済み（通知済み）"), final=True),
        State("untold", _("引き継ぎ済み（通知できず）"), final=True),
    ),
    transitions=(
        Transition("told", ("moved",), "told", allow=SYSTEM, writes=(rules.forget_owner,)),
        Transition("give_up", ("moved",), "untold", allow=SYSTEM, writes=(rules.forget_owner,)),
    ),
)
