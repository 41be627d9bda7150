"""アカウント追加, as the manual describes it (G37–G42): invited, mailed, completed by choosing a password.

An invitation whose link has expired is not over: ［メール再送信］ sends another link, and the old one is dead (G40). It
is rate-limited: once the last mail has had time to arrive, and ten times; after that a new invitation is needed. A
wrong address can be corrected on the way. Only an invitation that was not renewed for a month is deleted.
"""

from datetime import timedelta

from engine.definition import LINK_HOLDER, SYSTEM, Mail, Resend, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.account_invitation import rules
from workflows.business.permissions import ACCOUNT_ADMIN

_OPEN = ("requested", "emailed", "expired")
_INVITATION = Mail("account_invitation", to="invited", done="sent", link=True)

ACCOUNT_INVITATION = Workflow(
    name="account_invitation",
    version=2,
    title=_("アカウント追加"),
    link="i",
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "requested",
        allow=ACCOUNT_ADMIN,
        guards=(rules.role_is_known, rules.address_has_no_account),
        writes=(rules.keep_invitation,),
        conflicts=(rules.ONE_INVITATION_PER_ADDRESS,),
        effects=(_INVITATION,),
        keep=("role",),
    ),
    states=(
        State("requested", _("申込メール送信待ち"), timers=(Timer("expire", after=timedelta(hours=72)),)),
        State("emailed", _("パスワード未設定"), timers=(Timer("expire", after=rules.LINK_LIFE, deadline=True),)),
        State("expired", _("URLの有効期限切れ"), timers=(Timer("lapse", after=timedelta(days=30)),)),
        State("activated", _("パスワード設定済み"), final=True),
        State("withdrawn", _("取り消し"), final=True),
        State("lapsed", _("失効"), final=True),
    ),
    transitions=(
        Transition("sent", ("requested",), "emailed", allow=SYSTEM),
        Transition(
            "activate",
            ("requested", "emailed"),
            "activated",
            allow=LINK_HOLDER,
            title=_("設定する"),
            guards=(rules.roles_stand_still, rules.inviter_is_still_admin, rules.address_is_still_free),
            writes=(rules.create_account, rules.turn_into_account),
            conflicts=(rules.ONE_ACCOUNT_PER_ADDRESS,),
            effects=(Mail("account_created", to="contractor"),),
        ),
        Transition(
            "resend",
            _OPEN,
            "requested",
            allow=ACCOUNT_ADMIN,
            title=_("メール再送信"),
            guards=(rules.address_is_still_free, rules.page_showed_this_link, rules.corrected_address_has_no_account),
            writes=(rules.invite_in_own_name,),
            conflicts=(rules.ONE_INVITATION_PER_ADDRESS,),
            effects=(_INVITATION,),
            resend=Resend(most=10, not_sooner=timedelta(minutes=5), corrects="invited"),
        ),
        Transition(
            "withdraw",
            _OPEN,
            "withdrawn",
            allow=ACCOUNT_ADMIN,
            title=_("取り消す"),
            guards=(rules.page_showed_this_link,),
            writes=(rules.forget_invitation,),
        ),
        Transition("expire", ("requested", "emailed"), "expired", allow=SYSTEM),
        Transition("lapse", ("expired",), "lapsed", allow=SYSTEM, writes=(rules.forget_invitation,)),
    ),
)
