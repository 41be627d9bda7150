"""お支払い方法の変更. The steps depend on the method's `way`; the permissions do not (G35).

The old method is billed until the effective date, on which the new one is booked first, and the contract follows. The
date is the one that was shown when it was decided: by staff who accepted or approved, by a customer who went to the
provider's page, or by one who confirmed a request that needs nothing further. Where that day has passed before the
decision could be carried out, the next first of a month counts, and a mail says so.

A method of the way `later` gives a number, and the customer pays with it elsewhere until it is due. The method says
when that is, when the customer is reminded, how long after it a payment still counts, and how often it may be put off.

Until the booking begins, a request can be stopped: by the customer (`withdraw`), and once it was accepted by the staff,
with a reason (`take_back`, and `fail` where something is under way).

Whoever is waited for is reminded: the customer of the form, and staff of what came back and of what lies with a bank.
"""

from datetime import timedelta

from engine.definition import ALL_TIMERS, SYSTEM, Effect, Mail, Retry, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import ACCOUNT_EDITOR, STAFF
from workflows.business.shared import paid_later
from workflows.business.shared.change_request import ONE_OPEN_REQUEST, close_request
from workflows.payment_method_change import rules

# A page lives for a day: what has not been heard by then is cancelled with it.
_ASK = Retry(first=timedelta(minutes=5), most=timedelta(minutes=30), deadline=timedelta(days=2))
_BEGIN = Effect("payment", "begin", done="begun")
_CONFIRM = Effect("payment", "confirm", done="confirmed", retry=_ASK)
_BOOK = Effect("payment", "book", done="booked", retry=Retry(deadline=timedelta(days=7)))
_REVOKE = Effect("payment", "revoke")
_REVOKE_BEFORE = Effect("payment", "revoke_before", figures=rules.ended_mandate)

_FORM_READY = Mail("form_ready", to="contractor", cc="acting")
_APPROVED = Mail("approved", to="contractor", cc="acting")
_FAILED = Mail("failed", to="contractor", cc="acting")
_LAPSED = Mail("lapsed", to="contractor", cc="acting")

_AWAITED = ("awaiting_payment", "payment_due_soon")
_UNDER_WAY = ("awaiting_form", "received", "with_bank", "awaiting_page", "scheduled")
_OPEN = ("requested", "in_review", "accepted", *_UNDER_WAY)

PAYMENT_METHOD_CHANGE = Workflow(
    name="payment_method_change",
    version=5,
    title=_("お支払い方法の変更"),
    recipients=rules.RECIPIENTS,
    mail_context=rules.mail_context,
    start=Start(
        "requested",
        allow=ACCOUNT_EDITOR,
        guards=(
            rules.contract_is_running,
            rules.method_is_offered,
            rules.something_changes,
            rules.effective_date_is_as_shown,
        ),
        writes=(rules.keep_what_was_asked,),
        conflicts=(ONE_OPEN_REQUEST,),
        effects=(Mail("received", to="contractor", cc="acting", figures=rules.confirmed_date),),
        keep=("method",),
    ),
    states=(
        State("requested", _("受付済み"), timers=(Timer("triage", at=rules.at_once),)),
        State("in_review", _("担当者が確認中"), timers=(Timer("overdue", at=rules.review_is_due, deadline=True),)),
        State("accepted", _("受付済み")),
        State(
            "awaiting_form",
            _("依頼書のご返送待ち"),
            timers=(Timer("lapse", at=rules.waited_for, deadline=True), Timer("remind", after=rules.FORM_REMINDER)),
            awaits=ACCOUNT_EDITOR,  # staff only write down that the form came
        ),
        State("received", _("依頼書を受領"), timers=(Timer("chase", at=rules.review_is_due, deadline=True),)),
        State(
            "with_bank",
            _("金融機関でお手続き中"),
            timers=(Timer("chase", after=rules.BANK_REMINDER, deadline=True),),
        ),
        State(
            "awaiting_page",
            _("お支払い方法のご登録待ち"),
            timers=(Timer("lapse", at=rules.waited_for, deadline=True),),
            awaits=ACCOUNT_EDITOR,  # staff may only take it back
        ),
        State(
            "awaiting_payment",
            _("お支払い待ち"),
            timers=(
                Timer("lapse", at=paid_later.payment_lapses, deadline=True),
                Timer("remind", at=paid_later.payment_reminder),
            ),
            awaits=ACCOUNT_EDITOR,
        ),
        State(
            "payment_due_soon",
            _("お支払い待ち（期限間近）"),
            timers=(Timer("lapse", at=paid_later.payment_lapses, deadline=True),),
            awaits=ACCOUNT_EDITOR,
        ),
        State("scheduled", _("適用日をお待ちください"), timers=(Timer("apply", at=rules.effective_time),)),
        State("applying", _("反映中")),
        State("applied", _("変更完了"), final=True),
        State("withdrawn", _("取り下げ済み"), final=True),
        State("rejected", _("お受けできませんでした"), final=True),
        State("taken_back", _("当社で取り消し済み"), final=True),
        State("lapsed", _("期限切れ"), final=True),
        State("failed", _("変更できませんでした"), final=True),
    ),
    transitions=(
        Transition(
            "triage",
            ("requested",),
            "in_review",
            allow=SYSTEM,
            guards=(rules.review_is_wanted,),
            effects=(Mail("review", to="staff"),),
        ),
        Transition(
            "triage",
            ("requested",),
            "awaiting_form",
            allow=SYSTEM,
            guards=(rules.review_is_not_wanted, rules.form_is_needed),
            writes=(rules.await_form,),
            effects=(_FORM_READY,),
        ),
        Transition(
            "triage",
            ("requested",),
            "awaiting_page",
            allow=SYSTEM,
            guards=(rules.review_is_not_wanted, rules.page_is_needed),
            writes=(rules.await_page,),
            effects=(_CONFIRM,),
        ),
        Transition(
            "triage",
            ("requested",),
            "accepted",
            allow=SYSTEM,
            guards=(rules.review_is_not_wanted, rules.payment_is_awaited),
            effects=(paid_later.ISSUE,),
        ),
        Transition("triage", ("requested",), "accepted", allow=SYSTEM, effects=(_BEGIN,)),
        Transition(
            "overdue",
            ("in_review",),
            "in_review",
            allow=SYSTEM,
            effects=(Mail("review_overdue", to="staff"),),
        ),
        *(
            Transition("chase", (state,), state, allow=SYSTEM, effects=(Mail("handling_overdue", to="staff"),))
            for state in ("received", "with_bank")
        ),
        Transition(
            "accept",
            ("in_review",),
            "awaiting_form",
            allow=STAFF,
            title=_("受け付ける"),
            guards=(rules.form_is_needed,),
            writes=(rules.await_form,),
            effects=(_FORM_READY,),
        ),
        Transition(
            "accept",
            ("in_review",),
            "awaiting_page",
            allow=STAFF,
            title=_("受け付ける"),
            guards=(rules.page_is_needed,),
            writes=(rules.await_page,),
            effects=(_CONFIRM,),
        ),
        Transition(
            "accept",
            ("in_review",),
            "accepted",
            allow=STAFF,
            title=_("受け付ける"),
            guards=(rules.payment_is_awaited,),
            effects=(paid_later.ISSUE,),
        ),
        Transition(
            "accept",
            ("in_review",),
            "accepted",
            allow=STAFF,
            title=_("受け付ける"),
            writes=(rules.keep_shown_date,),
            effects=(_BEGIN,),
        ),
        Transition(
            "reject",
            ("in_review",),
            "rejected",
            allow=STAFF,
            title=_("お断りする"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason, rules.give_up),
            effects=(Mail("rejected", to="contractor", cc="acting"),),
        ),
        *(
            Transition(
                "take_back",
                states,
                "taken_back",
                allow=STAFF,
                title=_("受け付けを取り消す"),
                guards=(rules.reason_is_given,),
                writes=(rules.keep_reason, rules.give_up, *forgets),
                effects=(_REVOKE, Mail("taken_back", to="contractor", cc="acting")),
            )
            for states, forgets in ((_UNDER_WAY, ()), (_AWAITED, (paid_later.forget_number,)))
        ),
        Transition(
            "begun",
            ("accepted",),
            "scheduled",
            allow=SYSTEM,
            guards=(rules.date_has_not_passed,),
            writes=(rules.set_effective_date,),
        ),
        Transition(
            "begun",
            ("accepted",),
            "scheduled",
            allow=SYSTEM,
            writes=(rules.set_effective_date,),
            effects=(Mail("date_moved", to="contractor", cc="acting", figures=rules.date_before),),
        ),
        Transition(
            "issued",
            ("accepted",),
            "awaiting_payment",
            allow=SYSTEM,
            writes=(paid_later.await_payment,),
            effects=(paid_later.CONFIRM_PAYMENT, Mail("payment_awaited", to="contractor", cc="acting")),
        ),
        Transition(
            "remind",
            ("awaiting_payment",),
            "payment_due_soon",
            allow=SYSTEM,
            effects=(Mail("payment_reminder", to="contractor", cc="acting"),),
        ),
        Transition(
            "extend",
            _AWAITED,
            "awaiting_payment",
            allow=ACCOUNT_EDITOR,
            title=_("お支払い期限を延長する"),
            guards=(paid_later.extension_is_left, paid_later.due_is_put_off),
            writes=(paid_later.put_off,),
            restarts=ALL_TIMERS,
            effects=(Mail("payment_extended", to="contractor", cc="acting"),),
        ),
        Transition(
            "confirmed",
            _AWAITED,
            "scheduled",
            allow=SYSTEM,
            guards=(rules.event_is_of_this_page,),
            writes=(rules.keep_confirmation, paid_later.forget_number, rules.set_effective_date),
            conflicts=(rules.ONE_EVENT_EACH,),
            effects=(Mail("payment_confirmed", to="contractor", cc="acting"),),
        ),
        Transition(
            "remind",
            ("awaiting_form",),
            "awaiting_form",
            allow=SYSTEM,
            effects=(Mail("form_reminder", to="contractor", cc="acting"),),
        ),
        Transition("receive_form", ("awaiting_form",), "received", allow=STAFF, title=_("依頼書を受領した")),
        Transition("pass_to_bank", ("received",), "with_bank", allow=STAFF, title=_("金融機関へ送付した")),
        Transition(
            "return_form",
            ("received", "with_bank"),
            "awaiting_form",
            allow=STAFF,
            title=_("不備のため返送する"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason, rules.await_form),
            effects=(Mail("form_returned", to="contractor", cc="acting"),),
        ),
        Transition(
            "approve",
            ("with_bank",),
            "scheduled",
            allow=STAFF,
            title=_("金融機関が承認した"),
            guards=(rules.date_is_as_staff_saw_it,),
            writes=(rules.set_effective_date,),
            effects=(_APPROVED,),
        ),
        Transition(
            "open_page",
            ("awaiting_page",),
            "awaiting_page",
            allow=ACCOUNT_EDITOR,
            title=_("お手続きの画面へ進む"),
            guards=(rules.page_was_made,),
            writes=(rules.keep_page,),
        ),
        Transition(
            "confirmed",
            ("awaiting_page",),
            "scheduled",
            allow=SYSTEM,
            guards=(rules.event_is_of_this_page,),
            writes=(rules.keep_confirmation, rules.set_effective_date),
            conflicts=(rules.ONE_EVENT_EACH,),
            effects=(_APPROVED,),
        ),
        Transition(
            "apply",
            ("scheduled",),
            "applying",
            allow=SYSTEM,
            guards=(rules.contract_is_running, rules.method_is_still_there),
            effects=(_BOOK,),
        ),
        Transition(
            "apply", ("scheduled",), "failed", allow=SYSTEM, writes=(rules.give_up,), effects=(_REVOKE, _FAILED)
        ),
        Transition(
            "booked",
            ("applying",),
            "applied",
            allow=SYSTEM,
            writes=(rules.switch_methods, close_request),
            effects=(_REVOKE_BEFORE, Mail("active", to="contractor", cc="acting")),
        ),
        *(
            Transition(
                "withdraw",
                states,
                "withdrawn",
                allow=ACCOUNT_EDITOR,
                title=_("取り下げる"),
                guards=guards,
                writes=(*writes, rules.give_up),
                effects=(_REVOKE, Mail("withdrawn", to="contractor", cc="acting")),
            )
            for states, guards, writes in (
                (_OPEN, (), ()),
                (_AWAITED, (), (paid_later.forget_number,)),
                # It may wait here for weeks, until requests before it are closed.
                (("applying",), (rules.booking_has_not_begun,), (rules.keep_from_booking,)),
            )
        ),
        Transition(
            "lapse",
            ("awaiting_form", "awaiting_page", *_AWAITED),
            "lapsed",
            allow=SYSTEM,
            writes=(rules.give_up, paid_later.forget_number),
            effects=(_REVOKE, _LAPSED),
        ),
        Transition(
            "fail",
            ("accepted", "applying"),
            "failed",
            allow=STAFF,
            title=_("中止する"),
            guards=(rules.reason_is_given, rules.nothing_is_being_booked),
            writes=(rules.keep_reason, rules.give_up),
            effects=(_REVOKE, _FAILED),
        ),
    ),
)
