"""お客様の削除のお知らせ: one for each account that was removed with its customer.

The procedure ends when the mail to the owner was accepted, and with it the last data about them are deleted.
"""

from engine.definition import SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.customer_removal_notice import rules

CUSTOMER_REMOVAL_NOTICE = Workflow(
    name="customer_removal_notice",
    version=1,
    title=_("お客様の削除のお知らせ"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "removed",
        allow=SYSTEM,
        guards=(rules.owner_is_not_told,),
        writes=(rules.take_owner,),
        effects=(Mail("removed_with_customer", to="owner", done="told"),),
    ),
    states=(
        State("removed", _("削除済み（通知メール送信待ち）"), timers=(Timer("give_up", after=rules.KEPT_FOR),)),
        State("told", _("削除済み（通知済み）"), final=True),
        State("untold", _("削除済み（通知できず）"), final=True),
    ),
    transitions=(
        Transition("told", ("removed",), "told", allow=SYSTEM, writes=(rules.forget_owner,)),
        Transition("give_up", ("removed",), "untold", allow=SYSTEM, writes=(rules.forget_owner,)),
    ),
)
