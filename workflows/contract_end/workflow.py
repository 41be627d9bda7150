"""契約の終了: done as it begins; it ends when the requests that come too late have been withdrawn."""

from engine.definition import SYSTEM, Effect, Mail, Start, State, Transition, Workflow
from engine.text import _
from workflows.business.permissions import STAFF
from workflows.business.shared import staff_acts
from workflows.contract_end import rules

CONTRACT_END = Workflow(
    name="contract_end",
    version=3,
    title=_("ご契約の終了"),
    recipients=staff_acts.CONTRACT_RECIPIENTS,
    mail_context=staff_acts.contract_context,
    start=Start(
        "withdrawing",
        allow=STAFF,
        guards=(staff_acts.reason_is_given, rules.contract_has_not_ended, rules.last_day_is_possible),
        writes=(staff_acts.keep_act, rules.end_contract),
        effects=(
            Mail("contract_end", to="contractor"),
            Effect("withdrawal", "requests", done="withdrawn"),
            staff_acts.REPRICE_REQUESTS,
            staff_acts.TELL_ACCOUNTS,
        ),
        keep=("last_day",),
    ),
    states=(
        State("withdrawing", _("終了日を登録済み（お申し込みの取り下げ中）")),
        State("recorded", _("終了日を登録済み"), final=True),
    ),
    transitions=(Transition("withdrawn", ("withdrawing",), "recorded", allow=SYSTEM),),
)
