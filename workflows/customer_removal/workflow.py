"""お客様の削除: whoever is removed is forgotten in one commit, and what the law wants kept is erased by a timer.

The procedure lasts as long as the records do, ten years and more. A customer of whom nothing must be kept is erased as
soon as the contractor was told.
"""

from datetime import timedelta

from engine.definition import SYSTEM, Effect, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import STAFF
from workflows.business.shared import staff_acts
from workflows.customer_removal import rules

CUSTOMER_REMOVAL = Workflow(
    name="customer_removal",
    version=1,
    title=_("お客様の削除"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "removed",
        allow=STAFF,
        guards=(
            staff_acts.reason_is_given,
            rules.customer_is_there,
            rules.no_contract_runs,
            rules.nothing_is_being_booked,
        ),
        writes=(rules.keep_addresses, rules.forget_people, rules.forget_contacts, staff_acts.keep_act),
        effects=(
            Mail("customer_removed", to="contractor", done="told"),
            Effect("removed_owners", "owners"),
            Effect("withdrawal", "requests", figures=rules.whom_it_concerns),
        ),
    ),
    states=(
        State("removed", _("削除済み（通知メール送信待ち）"), timers=(Timer("give_up", after=timedelta(days=30)),)),
        State("kept", _("削除済み（法令により記録を保存中）"), timers=(Timer("erase", at=rules.end_of_keeping),)),
        State("erased", _("すべて削除済み"), final=True),
    ),
    transitions=(
        *(
            Transition(event, ("removed",), target, allow=SYSTEM, guards=guards, writes=(rules.forget_address, *erases))
            for event in ("told", "give_up")
            for target, guards, erases in (
                ("erased", (rules.nothing_is_kept,), (rules.erase_customer,)),
                ("kept", (), ()),
            )
        ),
        Transition("erase", ("kept",), "erased", allow=SYSTEM, writes=(rules.erase_customer,)),
    ),
)
