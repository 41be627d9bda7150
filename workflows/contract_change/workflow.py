"""ご契約内容変更 (G5, G6, G31, G35, G45): asked for, reviewed where that is wanted, applied on its effective date.

Date, price lines and figures are one thing: whoever moves one of them takes all of them anew (`redating`), on the
contract as it is and on what is still open ahead of the request. `redate` does it for the system: for a booking that
comes too late, and for requests that were dated on top of one that will not be applied.

Until the booking begins, a request can be stopped: by the customer (`withdraw`), and once it was accepted by the staff,
with a reason (`take_back`, and `give_up` where its date has come).

An order comes with its payment method (`registration`): staff review it, and its day comes, once the method works. One
that is paid later waits for its payment, for as long as the method says (`paid_later`). An order that comes to nothing
ends the registration, at the provider too (`REVOKE`).

A method that no plugin provides on the order's day ends nothing: the booking waits for it for a week, and staff hear of
it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from engine.definition import (
    ALL_TIMERS,
    SYSTEM,
    Attempt,
    Effect,
    Mail,
    Refusal,
    Retry,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.text import _
from workflows.business.permissions import ACCOUNT_EDITOR, STAFF
from workflows.business.shared import paid_later
from workflows.business.shared.change_request import ONE_OPEN_REQUEST, close_request
from workflows.contract_change import extension_points, mails, redating_rules, registration, rules

APPLY = Effect("billing", "apply", done="applied", retry=Retry(deadline=timedelta(days=7)))

_REDATED = _("適用日・料金の見直し")
RESTACK = Effect("restack", "others")  # dates anew what was dated on top of it

FAILED = Mail("contract_change_failed", to="contractor", cc="acting", figures=mails.effective_date)
REDATED = Mail("contract_change_redated", to="contractor", cc="acting", figures=mails.moved)
FAILED_STAFF = Mail("contract_change_failed_staff", to="staff", figures=mails.effective_date)
REVIEW = Mail("contract_change_review", to="staff", figures=mails.effective_date)
WITHDRAWN = Mail("contract_change_withdrawn", to="contractor", cc="withdrawer", figures=mails.effective_date)

# The machinery of payment methods, by the mandate that this instance made. A page lives for a day: what has not been
# heard by then is cancelled with it.
_ASK = Retry(first=timedelta(minutes=5), most=timedelta(minutes=30), deadline=timedelta(days=2))
BEGIN = Effect("payment", "begin", done="begun")
CONFIRM = Effect("payment", "confirm", done="confirmed", retry=_ASK)
REVOKE = Effect("payment", "revoke")
FORM_READY = Mail("order_form_ready", to="contractor", cc="acting", figures=mails.effective_date)
REGISTER_REMINDER = Mail("order_registration_reminder", to="contractor", cc="acting", figures=mails.effective_date)
HANDLING_OVERDUE = Mail("order_handling_overdue", to="staff", figures=mails.effective_date)
NUMBER_READY = Mail("order_payment_awaited", to="contractor", cc="acting", figures=mails.effective_date)
PAYMENT_REMINDER = Mail("order_payment_reminder", to="contractor", cc="acting", figures=mails.effective_date)
PUT_OFF = Mail("order_payment_extended", to="contractor", cc="acting", figures=mails.effective_date)
PAID = Mail("order_payment_confirmed", to="contractor", cc="acting", figures=mails.effective_date)
METHOD_AWAY = Mail("order_method_away", to="staff", figures=mails.effective_date)

_CUSTOMER_REGISTERS = ("awaiting_details", "awaiting_page", "awaiting_form")
_AWAITED = ("awaiting_payment", "payment_due_soon")
_REGISTERING = (*_CUSTOMER_REGISTERS, "form_received", "with_bank", "activating", *_AWAITED)
_UNREVIEWED = ("requested", *_REGISTERING, "in_review")


def _registered(
    event: str,
    sources: tuple[str, ...],
    *mailed: Effect,
    guards: tuple[Callable[[Attempt], Refusal | None], ...] = (),
    writes: tuple[Callable[[Attempt], None], ...] = (),
    **more: Any,
) -> Iterator[Transition]:
    """Both ways on of an order whose method works: to the staff who review it, or straight on."""
    accepted = Mail("contract_change_accepted", to="contractor", cc="acting", figures=mails.moved)
    for target, reviewed, told in (("in_review", (rules.kind_needs_review,), REVIEW), ("accepted", (), accepted)):
        yield Transition(
            event,
            sources,
            target,
            guards=(*guards, *reviewed),
            writes=(registration.keep_registered, *writes),
            effects=(*mailed, told),
            **more,
        )


def _stopped(
    event: str,
    sources: tuple[str, ...],
    target: str,
    *mailed: Effect,
    guards: tuple[Callable[[Attempt], Refusal | None], ...] = (),
    writes: tuple[Callable[[Attempt], None], ...] = (),
    **more: Any,
) -> Iterator[Transition]:
    """A request comes to nothing: of an order the method is revoked, and of any other what stood on it is dated
    anew."""
    closing = (*writes, rules.release_wish, close_request)
    others = tuple(state for state in sources if state not in _REGISTERING)
    yield Transition(
        event,
        sources,
        target,
        guards=(*guards, registration.is_an_order) if others else guards,
        writes=(*closing, registration.end_method, paid_later.forget_number),
        effects=(*mailed, REVOKE),
        **more,
    )
    if others:
        yield Transition(event, others, target, guards=guards, writes=closing, effects=(*mailed, RESTACK), **more)


# How an order comes to wait for what its method needs: as it was sent, or by what the customer registers then.
_CHOOSES: tuple[tuple[str, tuple[str, ...], tuple[Any, ...], tuple[Any, ...], dict[str, Any]], ...] = (
    ("triage", ("requested",), (), (), {"allow": SYSTEM}),
    (
        "register",
        _CUSTOMER_REGISTERS,
        (registration.chosen_method_is_offered, registration.no_page_was_opened),
        (registration.keep_chosen_method,),
        {"allow": ACCOUNT_EDITOR, "title": _("お支払い方法を登録する")},
    ),
)

CONTRACT_CHANGE = Workflow(
    name="contract_change",
    version=5,
    title=_("ご契約内容変更"),
    recipients=mails.RECIPIENTS,
    mail_context=mails.mail_context,
    extension_points=extension_points.points("triage", "begun", "confirmed", "approve", "accept"),
    start=Start(
        "requested",
        allow=ACCOUNT_EDITOR,
        guards=(
            rules.subject_is_what_changes,
            rules.customer_may_use_the_site,
            rules.change_is_possible,
            rules.contract_is_as_shown,
            rules.date_is_as_shown,
            rules.contract_runs,
            rules.environment_is_free,
            registration.ordered_method_is_offered,
        ),
        writes=(rules.keep_change, registration.keep_ordered_method),
        effects=(Mail("contract_change_receipt", to="contractor", cc="acting", figures=registration.receipt),),
        conflicts=(ONE_OPEN_REQUEST, rules.ONE_WISH),
        keep=("kind", "effective_on"),
    ),
    states=(
        State("requested", _("受付済み"), timers=(Timer("triage", at=rules.at_once),)),
        State(
            "awaiting_details",
            _("お支払い方法のご登録待ち"),
            timers=(
                Timer("lapse", at=registration.registration_is_due, deadline=True),
                Timer("remind", after=registration.DETAILS_REMINDER),
            ),
            awaits=ACCOUNT_EDITOR,  # staff may only decline it
        ),
        State(
            "awaiting_page",
            _("決済会社の画面でのご登録待ち"),
            timers=(
                Timer("lapse", at=registration.registration_is_due, deadline=True),
                Timer("remind", after=registration.DETAILS_REMINDER),
            ),
            awaits=ACCOUNT_EDITOR,
        ),
        State(
            "awaiting_form",
            _("依頼書のご返送待ち"),
            timers=(
                Timer("lapse", at=registration.registration_is_due, deadline=True),
                Timer("remind", after=registration.FORM_REMINDER),
            ),
            awaits=ACCOUNT_EDITOR,  # staff only write down that the form came
        ),
        State("form_received", _("依頼書を受領"), timers=(Timer("chase", at=rules.review_is_due, deadline=True),)),
        State(
            "with_bank",
            _("金融機関でお手続き中"),
            timers=(Timer("chase", after=registration.BANK_REMINDER, deadline=True),),
        ),
        State("activating", _("お支払い方法を登録中")),
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
        State("in_review", _("担当者が確認中"), timers=(Timer("remind", at=rules.review_is_due, deadline=True),)),
        State("accepted", _("承認済み"), timers=(Timer("schedule", at=rules.at_once),)),
        State("scheduled", _("適用待ち"), timers=(Timer("apply", at=rules.effective_day_begins),)),
        State("applying", _("適用処理中")),
        State("applied", _("適用済み"), final=True),
        State("rejected", _("お受けできませんでした"), final=True),
        State("withdrawn", _("取り下げ済み"), final=True),
        State("taken_back", _("当社で取り消し済み"), final=True),
        State("lapsed", _("期限切れ"), final=True),
        State("failed", _("適用できませんでした"), final=True),
    ),
    transitions=(
        Transition(
            "triage",
            ("requested",),
            "in_review",
            allow=SYSTEM,
            guards=(registration.is_no_order, rules.kind_needs_review),
            effects=(REVIEW,),
        ),
        Transition("triage", ("requested",), "accepted", allow=SYSTEM, guards=(registration.is_no_order,)),
        Transition(
            "triage",
            ("requested",),
            "awaiting_details",
            allow=SYSTEM,
            guards=(registration.details_are_missing,),
        ),
        *(
            Transition(
                event,
                sources,
                "awaiting_page",
                guards=(*guards, registration.page_is_needed),
                writes=(*writes, registration.await_page),
                **who,
            )
            for event, sources, guards, writes, who in _CHOOSES
        ),
        *(
            Transition(
                event,
                sources,
                "awaiting_form",
                guards=(*guards, registration.form_is_needed),
                writes=(*writes, registration.await_form),
                effects=(FORM_READY,),
                **who,
            )
            for event, sources, guards, writes, who in _CHOOSES
        ),
        *(
            Transition(
                event,
                sources,
                "activating",
                guards=(*guards, registration.number_is_needed),
                writes=writes,
                effects=(paid_later.ISSUE,),
                **who,
            )
            for event, sources, guards, writes, who in _CHOOSES
        ),
        *(
            Transition(event, sources, "activating", guards=guards, writes=writes, effects=(BEGIN,), **who)
            for event, sources, guards, writes, who in _CHOOSES
        ),
        *_registered("begun", ("activating",), allow=SYSTEM),
        Transition(
            "issued",
            ("activating",),
            "awaiting_payment",
            allow=SYSTEM,
            writes=(paid_later.await_payment,),
            effects=(paid_later.CONFIRM_PAYMENT, NUMBER_READY),
        ),
        Transition("remind", ("awaiting_payment",), "payment_due_soon", allow=SYSTEM, effects=(PAYMENT_REMINDER,)),
        Transition(
            "extend",
            _AWAITED,
            "awaiting_payment",
            allow=ACCOUNT_EDITOR,
            title=_("お支払い期限を延長する"),
            guards=(paid_later.extension_is_left, paid_later.due_is_put_off),
            writes=(paid_later.put_off,),
            restarts=ALL_TIMERS,
            effects=(PUT_OFF,),
        ),
        *_registered(
            "confirmed",
            _AWAITED,
            PAID,
            guards=(registration.event_is_of_this_page,),
            writes=(paid_later.forget_number,),
            allow=SYSTEM,
        ),
        Transition(
            "open_page",
            ("awaiting_page",),
            "awaiting_page",
            allow=ACCOUNT_EDITOR,
            title=_("お支払い方法の登録画面へ進む"),
            guards=(registration.page_was_made,),
            writes=(registration.keep_page,),
            effects=(CONFIRM,),
            restarts=("lapse",),
        ),
        *_registered("confirmed", ("awaiting_page",), guards=(registration.event_is_of_this_page,), allow=SYSTEM),
        Transition("receive_form", ("awaiting_form",), "form_received", allow=STAFF, title=_("依頼書を受領した")),
        Transition("pass_to_bank", ("form_received",), "with_bank", allow=STAFF, title=_("金融機関へ送付した")),
        Transition(
            "return_form",
            ("form_received", "with_bank"),
            "awaiting_form",
            allow=STAFF,
            title=_("不備のため返送する"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason, registration.await_form),
            effects=(Mail("order_form_returned", to="contractor", cc="acting", figures=mails.effective_date),),
        ),
        *_registered("approve", ("with_bank",), allow=STAFF, title=_("金融機関が承認した")),
        *(
            Transition("remind", (state,), state, allow=SYSTEM, effects=(REGISTER_REMINDER,))
            for state in _CUSTOMER_REGISTERS
        ),
        *(
            Transition("chase", (state,), state, allow=SYSTEM, effects=(HANDLING_OVERDUE,))
            for state in ("form_received", "with_bank")
        ),
        *_stopped(
            "lapse",
            _CUSTOMER_REGISTERS,
            "lapsed",
            Mail("order_lapsed", to="contractor", cc="acting", figures=mails.effective_date),
            allow=SYSTEM,
        ),
        *_stopped(
            "lapse",
            _AWAITED,
            "lapsed",
            Mail("order_unpaid", to="contractor", cc="acting", figures=mails.effective_date),
            allow=SYSTEM,
        ),
        Transition(
            "accept",
            ("in_review",),
            "accepted",
            allow=STAFF,
            title=_("承認する"),
            guards=(
                rules.change_still_fits,
                registration.ordered_method_works,
                redating_rules.date_holds,
                redating_rules.other_price_has_a_reason,
            ),
            writes=(redating_rules.keep_redating,),
            effects=(Mail("contract_change_accepted", to="contractor", cc="acting", figures=mails.moved), RESTACK),
            keep=("effective_on",),
        ),
        *_stopped(
            "reject",
            (*_REGISTERING, "in_review"),
            "rejected",
            Mail("contract_change_rejected", to="contractor", cc="acting"),
            allow=STAFF,
            title=_("お断りする"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason,),
        ),
        Transition(
            "remind",
            ("in_review",),
            "in_review",
            allow=SYSTEM,
            effects=(Mail("contract_change_overdue", to="staff", figures=mails.effective_date),),
        ),
        Transition("schedule", ("accepted",), "scheduled", allow=SYSTEM),
        *_stopped(
            "take_back",
            ("accepted", "scheduled"),
            "taken_back",
            Mail("contract_change_taken_back", to="contractor", cc="acting"),
            allow=STAFF,
            title=_("承認を取り消す"),
            guards=(rules.reason_is_given,),
            writes=(rules.keep_reason,),
        ),
        *(
            Transition(
                "redate",
                (state,),
                state,
                allow=SYSTEM,
                title=_REDATED,
                guards=(redating_rules.date_holds,),
                writes=(redating_rules.keep_redating,),
                effects=(REDATED, RESTACK),
                keep=("effective_on",),
                restarts=("apply",) if state == "scheduled" else (),
            )
            for state in ("requested", "in_review", "accepted", "scheduled")
        ),
        Transition(
            "apply",
            ("scheduled",),
            "applying",
            allow=SYSTEM,
            guards=(rules.change_still_fits, registration.ordered_method_works),
            effects=(APPLY,),
        ),
        Transition(
            "apply",
            ("scheduled",),
            "applying",
            allow=SYSTEM,
            guards=(rules.change_still_fits, registration.ordered_method_is_away),
            effects=(APPLY, METHOD_AWAY),
        ),
        *_stopped(
            "apply", ("scheduled",), "failed", FAILED, FAILED_STAFF, allow=SYSTEM, writes=(rules.keep_failed_rule,)
        ),
        Transition(
            "applied",
            ("applying",),
            "applied",
            allow=SYSTEM,
            guards=(rules.contract_can_take_it,),
            writes=(rules.apply_change, registration.begin_with_method, rules.release_wish, close_request),
            conflicts=(rules.ONE_CONTRACT_PER_SUBDOMAIN,),
            effects=(Mail("contract_change_applied", to="contractor", cc="acting", figures=mails.effective_date),),
        ),
        # It is in the books and cannot be in the contract: only people can put that right, so both sides hear of it.
        *_stopped(
            "applied", ("applying",), "failed", FAILED, FAILED_STAFF, allow=SYSTEM, writes=(rules.keep_failed_rule,)
        ),
        # Back to `scheduled`, whose time has come: the effect that was refused ends there, and a new one is made.
        Transition(
            "accept_price",
            ("applying",),
            "scheduled",
            allow=STAFF,
            title=_("新しい料金で適用する"),
            guards=(
                rules.reason_is_given,
                rules.new_price_is_known,
                redating_rules.date_holds,
                rules.nothing_is_being_booked,
            ),
            writes=(redating_rules.keep_redating,),
            effects=(Mail("contract_change_new_price", to="contractor", cc="acting", figures=mails.moved), RESTACK),
            keep=("effective_on",),
        ),
        Transition(
            "redate",
            ("applying",),
            "scheduled",
            allow=SYSTEM,
            title=_REDATED,
            guards=(redating_rules.date_holds, rules.nothing_is_being_booked),
            writes=(redating_rules.keep_redating,),
            effects=(REDATED, RESTACK),
            keep=("effective_on",),
        ),
        *_stopped(
            "give_up",
            ("applying",),
            "failed",
            FAILED,
            FAILED_STAFF,
            allow=STAFF,
            title=_("適用を取りやめる"),
            guards=(rules.reason_is_given, rules.nothing_is_being_booked),
            writes=(rules.keep_reason,),
        ),
        *_stopped(
            "withdraw",
            (*_UNREVIEWED, "accepted", "scheduled"),
            "withdrawn",
            WITHDRAWN,
            allow=ACCOUNT_EDITOR,
            title=_("取り下げる"),
            writes=(rules.keep_withdrawer,),
        ),
        # It may wait here for weeks, until requests before it are closed.
        *_stopped(
            "withdraw",
            ("applying",),
            "withdrawn",
            WITHDRAWN,
            allow=ACCOUNT_EDITOR,
            title=_("取り下げる"),
            guards=(rules.booking_has_not_begun,),
            writes=(rules.keep_from_booking, rules.keep_withdrawer),
        ),
    ),
)
