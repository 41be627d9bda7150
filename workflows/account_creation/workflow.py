"""アカウント作成, as the manual describes it (G16–G25): applied for, mailed, and completed by the link or expired."""

from datetime import timedelta

from engine.definition import LINK_HOLDER, SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.account_creation import rules

ACCOUNT_CREATION = Workflow(
    name="account_creation",
    version=1,
    title=_("アカウント作成"),
    link="a",
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "requested",
        guards=(rules.customer_may_use_the_site, rules.address_is_free_to_apply),
        writes=(rules.keep_application,),
        effects=(Mail("account_creation", to="applicant", done="sent", link=True),),
    ),
    states=(
        State("requested", _("受付済み"), timers=(Timer("expire", after=timedelta(hours=72)),)),
        State("emailed", _("メール送信済み"), timers=(Timer("expire", after=timedelta(hours=24), deadline=True),)),
        State("activated", _("作成完了"), final=True),
        State("expired", _("期限切れ"), final=True),
    ),
    transitions=(
        Transition("sent", ("requested",), "emailed", allow=SYSTEM),
        Transition(
            "activate",
            ("requested", "emailed"),
            "activated",
            allow=LINK_HOLDER,
            title=_("アカウント作成を完了する"),
            guards=(rules.address_is_free,),
            writes=(rules.create_account, rules.forget_password),
            conflicts=(rules.ONE_ACCOUNT_PER_ADDRESS,),
            effects=(Mail("account_created", to="contractor"),),
        ),
        Transition("expire", ("requested", "emailed"), "expired", allow=SYSTEM, writes=(rules.forget_application,)),
    ),
)
