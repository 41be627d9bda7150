"""お支払い: the money of one bill, from the day on which it is due until nobody can fetch it back any more.

A bill of a contract that is paid by a mandate is collected once: each time it is asked for is a try with a key of its
own. A try that fails is followed by a mail and, where the method names a day, by the next try. Where it names none, or
nothing can be collected by the mandate, the payment is overdue: the contractor is reminded, staff decide, and as soon
as another mandate is in use, the bill is asked for by that one.

What a payment method reports may come at any time. A bill that it asks for already, as in a file for the banks, is
under way (`asked_for`): nobody may record then that it was paid otherwise, or ask for it by another mandate. Staff can
pay back what was paid (`refund`), and say of a bill that it was paid in another way (`settle`) or is not asked for any
more (`write_off`).
"""

from datetime import timedelta

from engine.definition import SYSTEM, Effect, Mail, Retry, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import STAFF
from workflows.payment import rules

# How often is asked, the method says, so the wait of the engine's own is the shortest that a method may declare. A
# payment may be under way for as long as banks take.
_ASK = Retry(first=timedelta(minutes=5), most=timedelta(minutes=5), deadline=timedelta(days=2500))
_COLLECT = Effect("collection", "collect", done="answered", figures=rules.which_try, retry=_ASK)
_REFUND = Effect("collection", "refund", done="refund_answered", retry=Retry(deadline=timedelta(days=7)))

_FAILED = Mail("payment_failed", to="contractor", figures=rules.how_it_goes_on)
_SETTLED = Mail("payment_settled", to="contractor", figures=rules.how_it_ended)


_STAFF = Mail("payment_staff", to="staff", figures=rules.why)
_OPEN = Mail("payment_open", to="contractor", figures=rules.why)

_UNPAID = ("failed", "overdue", "partly_paid", "charged_back")

PAYMENT = Workflow(
    name="payment",
    version=2,
    title=_("お支払い"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "waiting",
        allow=SYSTEM,
        guards=(rules.customer_is_there,),
        writes=(rules.keep_bill,),
        conflicts=(rules.ONE_EACH,),
        keep=("bill", "total"),
    ),
    states=(
        State("waiting", _("お支払い日前"), timers=(Timer("collect", at=rules.day_of_asking),)),
        State(
            "collecting",
            _("請求中"),
            timers=(Timer("chase", after=rules.LONGEST_ANSWER),),
        ),
        State("failed", _("未払い（再請求予定）"), timers=(Timer("collect", at=rules.day_of_retry),)),
        State("overdue", _("未払い"), timers=(Timer("remind", after=rules.REMINDER),), awaits=STAFF),
        State("partly_paid", _("一部入金"), timers=(Timer("remind", after=rules.REMINDER),), awaits=STAFF),
        State("charged_back", _("入金の取り消し"), timers=(Timer("remind", after=rules.REMINDER),), awaits=STAFF),
        State("paid", _("入金済み"), timers=(Timer("close", after=rules.TAKEN_BACK_WITHIN),)),
        State("refunding", _("返金中")),
        State("closed", _("入金済み"), final=True),
        State("refunded", _("返金済み"), final=True),
        State("settled", _("別の方法で入金済み"), final=True),
        State("written_off", _("請求取り下げ"), final=True),
    ),
    transitions=(
        *(
            Transition(
                "collect",
                (state,),
                "collecting",
                allow=SYSTEM,
                guards=(rules.can_be_collected,),
                writes=(rules.begin_try,),
                effects=(_COLLECT,),
            )
            for state in ("waiting", "failed")
        ),
        *(
            Transition("collect", (state,), "overdue", allow=SYSTEM, effects=(_OPEN, _STAFF))
            for state in ("waiting", "failed")
        ),
        Transition(
            "answered",
            ("collecting",),
            "paid",
            allow=SYSTEM,
            guards=(rules.all_was_paid,),
            writes=(rules.end_try, rules.keep_settled),
        ),
        Transition(
            "answered",
            ("collecting",),
            "partly_paid",
            allow=SYSTEM,
            guards=(rules.some_was_paid,),
            writes=(rules.end_try,),
            effects=(_STAFF,),
        ),
        Transition(
            "answered",
            ("collecting",),
            "collecting",
            allow=SYSTEM,
            guards=(rules.mandate_is_another, rules.can_be_collected),
            writes=(rules.end_try, rules.begin_try),
            effects=(_COLLECT,),
        ),
        Transition(
            "answered",
            ("collecting",),
            "failed",
            allow=SYSTEM,
            guards=(rules.is_asked_again,),
            writes=(rules.end_try,),
            effects=(_FAILED,),
        ),
        Transition(
            "answered",
            ("collecting",),
            "overdue",
            allow=SYSTEM,
            writes=(rules.end_try,),
            effects=(_OPEN, _STAFF),
        ),
        Transition(
            "chase",
            ("collecting",),
            "collecting",
            allow=SYSTEM,
            effects=(_STAFF,),
        ),
        # What methods report, whenever it comes
        Transition(
            "paid",
            ("collecting",),
            "paid",
            allow=SYSTEM,
            writes=(rules.keep_told, rules.end_try, rules.keep_settled),
        ),
        Transition(
            "paid",
            _UNPAID,
            "paid",
            allow=SYSTEM,
            writes=(rules.keep_told, rules.end_try, rules.keep_settled),
            effects=(_SETTLED,),
        ),
        Transition(
            "part_paid",
            ("collecting", "failed", "overdue", "partly_paid"),
            "partly_paid",
            allow=SYSTEM,
            writes=(rules.keep_told, rules.end_try),
            effects=(_STAFF,),
        ),
        Transition(
            "declined",
            ("collecting",),
            "failed",
            allow=SYSTEM,
            guards=(rules.is_told_to_ask_again,),
            writes=(rules.keep_told, rules.end_try),
            effects=(_FAILED,),
        ),
        Transition(
            "declined",
            ("collecting",),
            "overdue",
            allow=SYSTEM,
            writes=(rules.keep_told, rules.end_try),
            effects=(_OPEN, _STAFF),
        ),
        Transition(
            "charged_back",
            ("paid", "refunding"),
            "charged_back",
            allow=SYSTEM,
            writes=(rules.keep_told, rules.end_try, rules.reopen),
            effects=(_OPEN, _STAFF),
        ),
        Transition(
            "refunded",
            ("paid", "refunding"),
            "refunded",
            allow=SYSTEM,
            guards=(rules.all_went_back,),
            writes=(rules.keep_told, rules.end_try),
            effects=(_SETTLED,),
        ),
        Transition("refunded", ("paid",), "paid", allow=SYSTEM, writes=(rules.keep_told, rules.end_try)),
        Transition("refunded", ("refunding",), "refunding", allow=SYSTEM, writes=(rules.keep_told, rules.end_try)),
        # Unpaid
        Transition(
            "remind",
            ("overdue",),
            "overdue",
            allow=SYSTEM,
            guards=(rules.reminder_is_left,),
            writes=(rules.count_reminder,),
            effects=(_OPEN,),
        ),
        *(
            Transition(
                "remind",
                (state,),
                state,
                allow=SYSTEM,
                effects=(_STAFF,),
            )
            for state in ("overdue", "partly_paid", "charged_back")
        ),
        Transition(
            "mandate_changed",
            ("failed", "overdue", "charged_back"),
            "collecting",
            allow=SYSTEM,
            guards=(rules.mandate_is_another, rules.can_be_collected),
            writes=(rules.begin_try,),
            effects=(_COLLECT,),
        ),
        Transition(
            "asked_for",
            _UNPAID,
            "collecting",
            allow=SYSTEM,
            guards=(rules.can_be_collected,),
            writes=(rules.begin_try,),
            effects=(_COLLECT,),
        ),
        Transition(
            "ask_again",
            _UNPAID,
            "collecting",
            allow=STAFF,
            title=_("もう一度請求する"),
            guards=(rules.can_be_collected,),
            writes=(rules.begin_try,),
            effects=(_COLLECT,),
        ),
        Transition(
            "not_collected",
            ("collecting",),
            "overdue",
            allow=STAFF,
            title=_("入金されなかったと記録する"),
            guards=(rules.reason_is_given, rules.was_waited_for),
            writes=(rules.keep_reason, rules.give_try_up),
            effects=(_OPEN, _STAFF),
        ),
        Transition(
            "settle",
            _UNPAID,
            "settled",
            allow=STAFF,
            title=_("別の方法で入金されたと記録する"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason, rules.keep_settled),
            effects=(_SETTLED,),
        ),
        Transition(
            "write_off",
            _UNPAID,
            "written_off",
            allow=STAFF,
            title=_("請求を取り下げる"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason, rules.keep_settled),
            effects=(_SETTLED,),
        ),
        # Paid
        Transition(
            "refund",
            ("paid",),
            "refunding",
            allow=STAFF,
            title=_("返金する"),
            guards=(rules.reason_is_given, rules.can_be_refunded, rules.refund_is_checked),
            writes=(rules.keep_reason,),
            effects=(_REFUND,),
        ),
        Transition(
            "refund_answered",
            ("refunding",),
            "refunded",
            allow=SYSTEM,
            guards=(rules.nothing_is_left,),
            writes=(rules.end_try,),
            effects=(_SETTLED,),
        ),
        Transition(
            "refund_answered",
            ("refunding",),
            "paid",
            allow=SYSTEM,
            writes=(rules.end_try,),
            effects=(_STAFF,),
        ),
        Transition("close", ("paid",), "closed", allow=SYSTEM),
    ),
)
