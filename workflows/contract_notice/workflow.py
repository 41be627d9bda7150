"""ご契約に関するお知らせ: one for each account that is told, done as it begins."""

from engine.definition import SYSTEM, Mail, Start, State, Workflow
from engine.text import _
from workflows.contract_notice import rules

CONTRACT_NOTICE = Workflow(
    name="contract_notice",
    version=1,
    title=_("ご契約に関するお知らせ"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "told",
        allow=SYSTEM,
        guards=(rules.account_is_concerned,),
        effects=(Mail("contract_notice", to="owner", figures=rules.which_act),),
        keep=("act",),
    ),
    states=(State("told", _("お知らせ済み"), final=True),),
    transitions=(),
)
