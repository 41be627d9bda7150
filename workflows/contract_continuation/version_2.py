"""契約終了の取り消し as it was until what was open on the contract was priced anew with it.

Instances that began on this version end on it, unless an operator migrates them.
"""

from engine.definition import Mail, Start, State, Workflow
from engine.text import _
from workflows.business.permissions import STAFF
from workflows.business.shared import staff_acts
from workflows.contract_continuation import rules

CONTRACT_CONTINUATION_2 = Workflow(
    name="contract_continuation",
    version=2,
    title=_("ご契約終了の取り消し"),
    recipients=staff_acts.CONTRACT_RECIPIENTS,
    mail_context=staff_acts.contract_context,
    start=Start(
        "continued",
        allow=STAFF,
        guards=(staff_acts.reason_is_given, rules.contract_will_end),
        writes=(staff_acts.keep_act, rules.go_on),
        effects=(Mail("contract_continued", to="contractor"), staff_acts.TELL_ACCOUNTS),
    ),
    states=(State("continued", _("取り消し済み"), final=True),),
    transitions=(),
)
