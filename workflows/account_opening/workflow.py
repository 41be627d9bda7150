"""アカウント開設のご案内: an operator invites a customer who was taken over to open the first account.

A wave has many of these, and each waits in `planned` for its time. Until its mail was accepted it can be taken back;
what of an undone wave is still planned by its time takes itself back. Where a worker stood still, the wave moves on.
A link that is void is not renewed here: the customer applies for an account with the customer number that the mail
names (G10), or an operator invites them in another wave.
"""

from datetime import timedelta

from engine.definition import LINK_HOLDER, OPERATOR, SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.account_opening import rules

ACCOUNT_OPENING = Workflow(
    name="account_opening",
    version=1,
    title=_("アカウント開設のご案内"),
    link="o",
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "planned",
        allow=OPERATOR,
        guards=(rules.wave_goes_on, rules.place_is_free, rules.customer_has_no_account),
        writes=(rules.take_the_place,),
        conflicts=(rules.ONE_INVITATION_AT_A_TIME,),
    ),
    states=(
        State("planned", _("送信予定"), timers=(Timer("send", at=rules.time_in_wave),)),
        State("requested", _("メール送信待ち"), timers=(Timer("expire", after=timedelta(hours=72)),)),
        State("emailed", _("パスワード未設定"), timers=(Timer("expire", after=rules.LINK_LIFE, deadline=True),)),
        State("activated", _("アカウント作成済み"), final=True),
        State("expired", _("URLの有効期限切れ"), final=True),
        State("withdrawn", _("取り消し"), final=True),
        State("needless", _("ご案内不要（アカウントあり）"), final=True),
    ),
    transitions=(
        Transition(
            "send",
            ("planned",),
            "withdrawn",
            allow=SYSTEM,
            guards=(rules.taken_back,),
            writes=(rules.forget_address,),
        ),
        Transition(
            "send",
            ("planned",),
            "needless",
            allow=SYSTEM,
            guards=(rules.customer_has_an_account,),
            writes=(rules.forget_address,),
        ),
        Transition(
            "send",
            ("planned",),
            "planned",
            allow=SYSTEM,
            guards=(rules.turn_has_moved,),
            writes=(rules.keep_the_pace,),
        ),
        Transition(
            "send",
            ("planned",),
            "requested",
            allow=SYSTEM,
            writes=(rules.address_as_it_is,),
            effects=(Mail("account_opening", to="invited", done="sent", link=True),),
        ),
        Transition("sent", ("requested",), "emailed", allow=SYSTEM, writes=(rules.let_hear,)),
        Transition(
            "activate",
            ("requested", "emailed"),
            "activated",
            allow=LINK_HOLDER,
            title=_("設定する"),
            guards=(rules.address_is_still_free,),
            writes=(rules.create_account, rules.forget_address),
            conflicts=(rules.ONE_ACCOUNT_PER_ADDRESS,),
        ),
        Transition(
            "withdraw",
            ("planned", "requested"),
            "withdrawn",
            allow=OPERATOR,
            title=_("取り消す"),
            writes=(rules.forget_address,),
        ),
        Transition("expire", ("requested", "emailed"), "expired", allow=SYSTEM, writes=(rules.forget_address,)),
    ),
)
