"""お客様の統合: done as it begins, and cannot be undone.

It ends when the contractor of before was told, and when what follows in other procedures was done (`effects`): the
owners of the accounts are told by a procedure each (`account_move`).

What becomes of each record is in `moving`.
"""

from datetime import timedelta

from engine.definition import SYSTEM, Effect, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import STAFF
from workflows.business.shared import staff_acts
from workflows.customer_merge import rules

_GIVE_UP = (Timer("give_up", after=timedelta(days=30)),)

CUSTOMER_MERGE = Workflow(
    name="customer_merge",
    version=1,
    title=_("お客様の統合"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "merged",
        allow=STAFF,
        guards=(staff_acts.reason_is_given, rules.customers_can_be_merged),
        writes=(rules.keep_customer, staff_acts.keep_act, rules.move_everything),
        effects=(
            Mail("customer_merged_former", to="former", done="told"),
            Mail("customer_merged", to="contractor"),
            Effect("customer_merge", "accounts", done="carried_on"),
        ),
        keep=("into",),
    ),
    states=(
        State("merged", _("統合済み（お知らせの送信中）"), timers=_GIVE_UP),
        State("carried_on", _("統合済み（統合元のご契約者へのお知らせ待ち）"), timers=_GIVE_UP),
        State("told", _("統合済み（アカウントの引き継ぎ中）")),
        State("done", _("統合済み"), final=True),
        State("untold", _("統合済み（通知できず）"), final=True),
    ),
    transitions=(
        Transition("carried_on", ("merged",), "carried_on", allow=SYSTEM),
        Transition("carried_on", ("told",), "done", allow=SYSTEM),
        Transition("told", ("merged",), "told", allow=SYSTEM, writes=(rules.forget_customer,)),
        Transition("told", ("carried_on",), "done", allow=SYSTEM, writes=(rules.forget_customer,)),
        Transition("give_up", ("merged",), "told", allow=SYSTEM, writes=(rules.forget_customer,)),
        Transition("give_up", ("carried_on",), "untold", allow=SYSTEM, writes=(rules.forget_customer,)),
    ),
)
