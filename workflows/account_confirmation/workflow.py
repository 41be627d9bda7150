"""アカウントの承認: begun for a first account that waits; confirmed by the contractor's link or by staff.

Nobody can log in with the account until then. Staff are reminded every three days, and half-way both they and the
contractor are told by when the account must be confirmed. After 14 days it lapses: it is deleted, so that its address
may apply again, and its applicant is told. An account that was stopped or deleted meanwhile ends the procedure at the
next of these times.
"""

from datetime import timedelta

from engine.definition import SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.account_confirmation import rules
from workflows.business.access.account_links import CONTRACTOR
from workflows.business.permissions import STAFF

_TIMERS = (
    Timer("lapse", after=rules.LAPSES, deadline=True),
    Timer("remind", after=timedelta(days=3), deadline=True),
    Timer("half_way", after=rules.HALF_WAY),
)

_CONFIRMED = (Mail("account_confirmed", to="owner"),)

ACCOUNT_CONFIRMATION = Workflow(
    name="account_confirmation",
    version=2,
    title=_("アカウントの承認"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "waiting",
        allow=SYSTEM,
        guards=(rules.account_waits,),
        effects=(Mail("account_review", to="staff"),),
    ),
    states=(
        State("waiting", _("承認待ち"), timers=_TIMERS),
        State("confirmed", _("承認完了"), final=True),
        State("needless", _("承認不要（停止または削除済み）"), final=True),
        State("lapsing", _("期限切れ（通知メール送信待ち）"), timers=(Timer("give_up", after=timedelta(days=30)),)),
        State("lapsed", _("期限切れ（通知済み）"), final=True),
        State("untold", _("期限切れ（通知できず）"), final=True),
    ),
    transitions=(
        Transition(
            "confirm",
            ("waiting",),
            "confirmed",
            allow=CONTRACTOR,
            title=_("このアカウントを承認する"),
            guards=(rules.account_waits,),
            writes=(rules.confirm_account,),
            effects=_CONFIRMED,
        ),
        Transition(
            "approve",
            ("waiting",),
            "confirmed",
            allow=STAFF,
            title=_("このアカウントを承認する"),
            guards=(rules.account_waits,),
            writes=(rules.confirm_account,),
            effects=_CONFIRMED,
        ),
        Transition("remind", ("waiting",), "needless", allow=SYSTEM, guards=(rules.account_waits_no_more,)),
        Transition("remind", ("waiting",), "waiting", allow=SYSTEM, effects=(Mail("account_review_due", to="staff"),)),
        Transition("half_way", ("waiting",), "needless", allow=SYSTEM, guards=(rules.account_waits_no_more,)),
        Transition(
            "half_way",
            ("waiting",),
            "waiting",
            allow=SYSTEM,
            effects=(
                Mail("account_lapses_soon", to="contractor", figures=rules.last_day),
                Mail("account_review_half_way", to="staff", figures=rules.last_day),
            ),
        ),
        Transition("lapse", ("waiting",), "needless", allow=SYSTEM, guards=(rules.account_waits_no_more,)),
        Transition(
            "lapse",
            ("waiting",),
            "lapsing",
            allow=SYSTEM,
            writes=(rules.keep_address, rules.delete_account),
            effects=(Mail("account_lapsed", to="applicant", done="told"),),
        ),
        Transition("told", ("lapsing",), "lapsed", allow=SYSTEM, writes=(rules.forget_address,)),
        Transition("give_up", ("lapsing",), "untold", allow=SYSTEM, writes=(rules.forget_address,)),
    ),
)
