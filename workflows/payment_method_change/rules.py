"""The rules of お支払い方法の変更: what may be asked for, which steps a method needs, and when it takes effect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from engine.definition import Attempt, Conflict, Instance, Records, Refusal, needs_input
from engine.errors import Refused
from engine.text import Text, _
from workflows.business.records import ChangeRequest, Contract, Customer, Mandate
from workflows.business.required import required
from workflows.business.shared import languages, paid_later
from workflows.business.shared.bookings import UNDER_WAY
from workflows.business.shared.change_request import (
    ACTING_ACCOUNT,
    CONTRACTOR,
    change_request_of,
    close_request,
    contract_terms,
    day_said,
    keep_request,
    to_json,
)
from workflows.mandates import insert_mandate
from workflows.payment_method_change.inputs import Confirmation, PageOpened
from workflows.payment_method_change.known_date import effective_date, kept_date, rule_of
from workflows.payment_method_change.records import PaymentEvent
from workflows.ports.payments import way_of

KIND = "payment_method"
FORM_LIFE = timedelta(days=60)  # until when the signed form is waited for
FORM_REMINDER = timedelta(days=20)
BANK_REMINDER = timedelta(days=30)  # banks take two to six weeks; staff ask, and note what they hear
PAGE_LIFE = timedelta(hours=24)  # the longest that Stripe's Checkout keeps a page open
_LONGEST_REASON = 1000  # as ChangeRequest.reason

NO_CONTRACT = Refusal("no_contract", _("ご契約が見つからないか、すでに終了しています。"))
NOT_OFFERED = Refusal("not_offered", _("このお支払い方法は、現在お選びいただけません。"))
SAME_METHOD = Refusal("same_method", _("現在と同じお支払い方法です。"))
REASON_MISSING = Refusal("reason_missing", _("理由をご入力ください。"), "reason")
REASON_LONG = Refusal("reason_long", _("理由は%(most)s文字以内でご入力ください。", most=_LONGEST_REASON), "reason")
NO_PAGE = Refusal("no_page", _("お手続きの画面を開けませんでした。時間をおいて、もう一度お試しください。"))
OTHER_PAGE = Refusal("other_page", _("このお申し込みのものではない通知です。"))
SEEN_BEFORE = Refusal("seen_before", _("すでに受け取った通知です。"))

IN_THE_BOOKS = Refusal(
    "in_the_books",
    _(
        "請求システムに送信済みで、結果を確認できていません。"
        "請求システムで、お支払い方法が変更されていないことをご確認ください。"
    ),
    "checked",
)

BOOKING_BEGUN = Refusal("booking_begun", _("適用の処理が始まっているため、取り下げることができません。"))

ONE_EVENT_EACH = Conflict("payment_event", ("provider", "event"), SEEN_BEFORE)


def contract_of(instance: Instance, records: Records) -> Contract | None:
    """The contract that a procedure is about; None where it is gone."""
    kind, _colon, number = instance.about.partition(":")
    contract: Contract | None = records.get(Contract, id=int(number)) if kind == "contract" else None
    return contract


def mandate_of(instance: Instance, records: Records) -> Mandate | None:
    """The mandate of a procedure's request; None where there is none."""
    mandate: Mandate | None = records.get(Mandate, instance=instance.id)
    return mandate


def _contract(attempt: Attempt) -> Contract | None:
    """The contract as it was before this event wrote anything; read once."""
    if "contract" not in attempt.memo:
        attempt.memo["contract"] = contract_of(attempt.instance, attempt.records)
    contract: Contract | None = attempt.memo["contract"]
    return contract


# Whether it may begin, or take effect


def contract_is_running(attempt: Attempt) -> Refusal | None:
    """The contract has not ended, and will not before the date from which the other method would be billed."""
    contract = _contract(attempt)
    if contract is None:
        return NO_CONTRACT
    today, last = attempt.services.calendar.today(attempt.at), contract.ended_on
    if last is None or last < today:
        return NO_CONTRACT if last is not None else None
    asked = change_request_of(attempt.instance, attempt.records)
    return ends_before(last, asked.effective_on if asked is not None else effective_date(today))


def ends_before(last: date, day: date) -> Refusal | None:
    """Why nothing can be billed from `day` on, where `last` is the contract's last day; None where it can."""
    if last >= day:
        return None
    message = _(
        "ご契約は%(last)sに終了します。お支払い方法の変更は、%(day)s以降のご請求から適用されるため、お受けできません。",
        last=day_said(last),
        day=day_said(day),
    )
    return Refusal("contract_ends", message)


def method_is_offered(attempt: Attempt) -> Refusal | None:
    """The catalogue has the method, and a plugin provides it; whether the method is available was asked before."""
    method = attempt.data.method
    offered = method in attempt.services.catalogue.payment_methods
    plugin = attempt.services.payment_methods.get(method)
    return None if offered and plugin is not None and way_of(plugin.way) == way_of(attempt.data.way) else NOT_OFFERED


def something_changes(attempt: Attempt) -> Refusal | None:
    """Something changes: the method, or its account or card. The same method without either is no change."""
    contract = _contract(attempt)
    same = contract is not None and contract.payment_method == attempt.data.method
    return SAME_METHOD if same and way_of(attempt.data.way) == "at_once" else None


def effective_date_is_as_shown(attempt: Attempt) -> Refusal | None:
    """The effective date is still the one that the page showed: a page of last month showed another."""
    return _is_still_shown(attempt)


@needs_input
def date_is_as_staff_saw_it(attempt: Attempt) -> Refusal | None:
    """The date that the decision fixes is still the one that its page showed, where it was made on a page."""
    return _is_still_shown(attempt)


def _is_still_shown(attempt: Attempt) -> Refusal | None:
    shown, day = getattr(attempt.data, "effective_on", None), effective_date(_today(attempt))
    return date_moved(day) if shown is not None and shown != day else None


def date_moved(day: date) -> Refusal:
    """The refusal of what was pressed on a page that showed another date; it says the new one."""
    said = day_said(day)
    message = _("日付が変わったため、適用日が%(day)sに変わりました。内容をもう一度ご確認ください。", day=said)
    return Refusal("date_moved", message)


def date_has_not_passed(attempt: Attempt) -> Refusal | None:
    """The decided date has not passed; its own day counts."""
    change_request = change_request_of(attempt.instance, attempt.records)
    if change_request is None or _today(attempt) <= change_request.effective_on:
        return None
    return date_moved(effective_date(_today(attempt)))


def method_is_still_there(attempt: Attempt) -> Refusal | None:
    """The method is still provided on the day of the change."""
    mandate = mandate_of(attempt.instance, attempt.records)
    there = mandate is not None and mandate.method in attempt.services.payment_methods
    return None if there else NOT_OFFERED


# Which steps follow


def review_is_not_wanted(attempt: Attempt) -> Refusal | None:
    """Staff do not review this kind of request, by the setting `[review]`."""
    if KIND in attempt.services.review.kinds:
        return Refusal("review", _("担当者が内容を確認します。"))
    return None


def review_is_wanted(attempt: Attempt) -> Refusal | None:
    """Staff review this kind of request, by the setting `[review]`."""
    if KIND in attempt.services.review.kinds:
        return None
    return Refusal("no_review", _("担当者の確認は必要ありません。"))


def form_is_needed(attempt: Attempt) -> Refusal | None:
    """The method needs a signed document."""
    return _way_is("paper", attempt)


def page_is_needed(attempt: Attempt) -> Refusal | None:
    """The method needs a page of its provider."""
    return _way_is("page", attempt)


def payment_is_awaited(attempt: Attempt) -> Refusal | None:
    """The method gives a number, with which the customer pays later."""
    return _way_is("later", attempt)


def _way_is(way: str, attempt: Attempt) -> Refusal | None:
    if "way" not in attempt.memo:  # which several guards of one event ask
        mandate = mandate_of(attempt.instance, attempt.records)
        attempt.memo["way"] = way_of(mandate.way) if mandate is not None else ""
    if attempt.memo["way"] == way:
        return None
    return Refusal("other_way", _("このお支払い方法には不要な手順です。"))


@needs_input
def reason_is_given(attempt: Attempt) -> Refusal | None:
    """Staff must give a reason, because it is mailed to the customer."""
    reason = str(getattr(attempt.data, "reason", "")).strip()
    if not reason:
        return REASON_MISSING
    return REASON_LONG if len(reason) > _LONGEST_REASON else None


@needs_input
def page_was_made(attempt: Attempt) -> Refusal | None:
    """The provider has opened a page before this event, and the customer went there from a page with today's date."""
    made = isinstance(attempt.data, PageOpened) and attempt.data.reference
    return _is_still_shown(attempt) if made else NO_PAGE


@needs_input
def event_is_of_this_page(attempt: Attempt) -> Refusal | None:
    """The provider's event is about the page that this request opened. Without data the site has asked the provider
    itself."""
    if attempt.data is None:
        return None
    mandate = mandate_of(attempt.instance, attempt.records)
    ours = mandate is not None and mandate.reference and mandate.reference == attempt.data.reference
    return None if ours else OTHER_PAGE


@needs_input
def nothing_is_being_booked(attempt: Attempt) -> Refusal | None:
    """The backend cannot have booked the request, or staff have `checked` its books: else nothing is given up.

    Locks the mandate's row, where the effect records each call before it makes the call.
    """
    attempt.records.lock_rows(Mandate, instance=attempt.instance.id)
    mandate = mandate_of(attempt.instance, attempt.records)
    underway = mandate is not None and mandate.booking in UNDER_WAY
    return IN_THE_BOOKS if underway and not getattr(attempt.data, "checked", False) else None


def booking_has_not_begun(attempt: Attempt) -> Refusal | None:
    """The billing backend was not asked to book the request, or has refused it."""
    mandate = mandate_of(attempt.instance, attempt.records)
    return BOOKING_BEGUN if mandate is not None and mandate.booking in UNDER_WAY else None


# Writes


def keep_from_booking(attempt: Attempt) -> None:
    """Lock the mandate's row, as the effect does before it calls the backend: no booking can begin any more. Raises
    Refused where one has begun."""
    attempt.records.lock_rows(Mandate, instance=attempt.instance.id)
    begun = booking_has_not_begun(attempt)
    if begun is not None:
        raise Refused([begun])


def keep_what_was_asked(attempt: Attempt) -> None:
    """Record the request and its mandate."""
    choice, contract = attempt.data, required(_contract(attempt), NO_CONTRACT)
    before = contract_terms(contract)
    keep_request(
        attempt,
        customer=contract.customer_id,
        contract=contract.id,
        kind=KIND,
        slot=f"contract:{contract.id}/{KIND}",
        before=to_json(before),
        after=to_json(replace(before, payment_method=choice.method)),
        quote="",
        effective_on=choice.effective_on,
    )
    made = choice.method, choice.way, choice.label, str(choice.sealed)
    insert_mandate(attempt, contract.customer_id, contract.id, *made)


def await_form(attempt: Attempt) -> None:
    """Wait for the signed form from now on."""
    _change_mandate(attempt, due_at=attempt.at + FORM_LIFE)


def await_page(attempt: Attempt) -> None:
    """Wait for the provider's page from now on."""
    _change_mandate(attempt, due_at=attempt.at + PAGE_LIFE)


def keep_page(attempt: Attempt) -> None:
    """Keep the provider's name for the page, to ask for its status later, and the date that the customer saw."""
    _change_mandate(attempt, reference=attempt.data.reference)
    keep_shown_date(attempt)


def keep_shown_date(attempt: Attempt) -> None:
    """Keep the date that was shown when this was decided. Raises Refused where that is no longer the date."""
    moved = _is_still_shown(attempt)
    if moved is not None:
        raise Refused([moved])
    day = effective_date(_today(attempt))
    attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, effective_on=day)


def keep_confirmation(attempt: Attempt) -> None:
    """Keep the provider's event; where the site has asked the provider itself, the answer was kept before."""
    confirmation = attempt.data
    if isinstance(confirmation, Confirmation):
        attempt.records.insert(
            PaymentEvent,
            provider=confirmation.provider,
            event=confirmation.event,
            instance=attempt.instance.id,
            received_at=attempt.now,
        )
        if confirmation.label:
            _change_mandate(attempt, label=confirmation.label[:200])


def keep_reason(attempt: Attempt) -> None:
    """Keep the staff's reason."""
    reason = attempt.data.reason.strip()
    attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, reason=reason)


def set_effective_date(attempt: Attempt) -> None:
    """Set the effective date, because nothing is missing any more: the one that was decided.

    Papers are decided by their approval and numbers by their payment, so theirs is the first of the month after today.
    """
    records, instance = attempt.records, attempt.instance
    change_request, mandate = change_request_of(instance, records), mandate_of(instance, records)
    day = effective_date(_today(attempt))
    if change_request is not None and mandate is not None:
        attempt.memo["date_before"] = change_request.effective_on
        if way_of(mandate.way) not in ("paper", "later"):
            day = kept_date(change_request.effective_on, _today(attempt))
    attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, effective_on=day)
    _change_mandate(attempt, active_from=day)


def switch_methods(attempt: Attempt) -> None:
    """Let the contract be paid by the new mandate, and end the mandate before."""
    records, instance = attempt.records, attempt.instance
    change_request, mandate = change_request_of(instance, records), mandate_of(instance, records)
    if change_request is None or mandate is None:
        return
    before = records.get(Mandate, in_use=mandate.contract_id)
    if before is not None:
        attempt.memo["ended"] = before.id
        records.update(
            Mandate, {"id": before.id}, in_use=None, sealed="", ended_on=change_request.effective_on - timedelta(days=1)
        )
    records.update(Mandate, {"id": mandate.id}, in_use=mandate.contract_id, active_from=change_request.effective_on)
    records.update(Contract, {"id": mandate.contract_id}, payment_method=mandate.method)


def give_up(attempt: Attempt) -> None:
    """Close the request, and delete what was sealed for it."""
    close_request(attempt)
    _change_mandate(attempt, sealed="", active_from=None, ended_on=_today(attempt))


def _change_mandate(attempt: Attempt, **values: Any) -> None:
    attempt.records.update(Mandate, {"instance": attempt.instance.id}, **values)


def _today(attempt: Attempt) -> date:
    day: date = attempt.services.calendar.today(attempt.at)
    return day


def date_before(attempt: Attempt) -> Mapping[str, Any]:
    """The date that the customer knew before this event."""
    return {"date_before": attempt.memo["date_before"].isoformat()} if "date_before" in attempt.memo else {}


def ended_mandate(attempt: Attempt) -> Mapping[str, Any]:
    """The mandate that ended with this event; 0 where there was none."""
    return {"mandate": attempt.memo.get("ended", 0)}


# Times


def at_once(attempt: Attempt) -> datetime:
    """Due as soon as the state is entered."""
    return attempt.at


def waited_for(attempt: Attempt) -> datetime:
    """When the form or the page is waited for no longer."""
    mandate = mandate_of(attempt.instance, attempt.records)
    if mandate is None:
        return attempt.at
    # A look sees the state before its writes.
    return mandate.due_at or attempt.at + (FORM_LIFE if way_of(mandate.way) == "paper" else PAGE_LIFE)


def review_is_due(attempt: Attempt) -> datetime:
    """Closing time of the last working day of the review."""
    due: datetime = attempt.services.calendar.after_working_days(attempt.at, attempt.services.review.working_days)
    return due


def effective_time(attempt: Attempt) -> datetime:
    """Midnight of the effective date, in the company's time zone."""
    change_request = change_request_of(attempt.instance, attempt.records)
    moment: datetime = (
        attempt.services.calendar.midnight(change_request.effective_on) if change_request is not None else attempt.at
    )
    return moment


# Mails


def confirmed_date(attempt: Attempt) -> Mapping[str, Any]:
    """The date that was confirmed, where nothing further is needed for it: neither papers, a page nor a review."""
    settled = way_of(attempt.data.way) == "at_once" and KIND not in attempt.services.review.kinds
    return {"effective_on": attempt.data.effective_on.isoformat()} if settled else {}


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails: `request`, `mandate`, `customer`, `contract`, the payment method `before`, the fixed
    date as `effective_on()`, `expected_on(…)` for a mail that is sent before the date is fixed, `day(…)`, which writes
    a date of a mail's figures, and `awaited`, the number with which the customer pays later, with the method's `words`
    about it and `due(zone)`."""
    change_request, mandate = change_request_of(instance, records), mandate_of(instance, records)
    customer = records.get(Customer, id=change_request.customer_id) if change_request is not None else None
    contract = contract_of(instance, records)
    before = json.loads(change_request.before).get("payment_method", "") if change_request is not None else ""
    return {
        "request": change_request,
        "mandate": mandate,
        "customer": customer,
        "contract": contract,
        "before": before,
        "effective_on": lambda: day_said(change_request.effective_on) if change_request is not None else "",
        "day": lambda iso: day_said(date.fromisoformat(iso)) if iso else "",
        "expected_on": lambda confirmed="": _expected_on(confirmed, mandate),
        **paid_later.mail_context(paid_later.awaited_of(instance, records) if _is_paid_later(mandate) else None),
    }


def _is_paid_later(mandate: Mandate | None) -> bool:
    return mandate is not None and way_of(mandate.way) == "later"


def _expected_on(confirmed: str | None, mandate: Mandate | None) -> str | Text:
    """The confirmed date; else the rule by which the date will be fixed, which holds whenever the mail is read."""
    if confirmed:
        return day_said(date.fromisoformat(confirmed))
    return rule_of(mandate.way if mandate is not None else "")


RECIPIENTS = {
    "contractor": CONTRACTOR,
    "acting": ACTING_ACCOUNT,
    "staff": languages.STAFF,
}
