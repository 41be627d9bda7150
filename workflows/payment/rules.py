"""The rules of お支払い: when a bill is asked for, what follows from each answer, and what staff may do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from engine.definition import (
    NOBODY,
    Address,
    Attempt,
    Conflict,
    Instance,
    Nobody,
    Recipient,
    Records,
    Refusal,
    needs_input,
)
from engine.text import _
from workflows.business.records import Contract, Customer, Payment, PaymentTry
from workflows.business.required import required
from workflows.business.shared import languages
from workflows.business.shared.change_request import day_said
from workflows.business.shared.removed_customers import contractor_of, locked_customer
from workflows.business.shared.staff_acts import LONGEST_REASON, reason_is_given
from workflows.payment.tries import (
    after,
    amounts,
    insert_try,
    kept_of,
    last_try,
    mandate_in_use,
    payment_of,
    told_try,
    tries_of,
)
from workflows.ports.collecting import LONGEST_ANSWER, collects, refunds
from workflows.ports.quotes import yen

__all__ = ["LONGEST_ANSWER", "reason_is_given"]  # the definition reads them here

REMINDER = timedelta(days=14)
TAKEN_BACK_WITHIN = timedelta(days=180)  # after which neither cards nor banks fetch a payment back as a rule
_MOST_REMINDERS = 3
_ASKED_AGAIN = ("", "insufficient_funds")  # of `workflows.ports.payments.Failure`

KNOWN = Refusal("known", _("この請求のお支払いは、すでに受け付けています。"))
GONE = Refusal("gone", _("お支払いの記録が見つかりません。"))
NO_MANDATE = Refusal(
    "no_mandate", _("自動でご請求できるお支払い方法が登録されていません。お客様のお手続きをお待ちください。")
)
SAME_MANDATE = Refusal("same_mandate", _("お支払い方法は変わっていません。"))
NO_REFUND = Refusal("no_refund", _("このお支払い方法では、返金の手続きを自動で行えません。"))
NOT_YET = Refusal(
    "not_yet",
    _("決済会社の回答を待っています。請求から%(days)s日が過ぎるまで記録できません。", days=LONGEST_ANSWER.days),
)
NOT_PAID = Refusal("not_paid", _("全額の入金は確認できていません。"))
NO_PART = Refusal("no_part", _("入金は確認できていません。"))
NO_RETRY = Refusal("no_retry", _("自動での再請求はありません。"))
NOT_ALL_BACK = Refusal("not_all_back", _("返金されていない金額があります。"))
NO_REMINDER = Refusal("no_reminder", _("お客様へのお知らせは、すべて送信済みです。"))

ONE_EACH = Conflict("payment", ("bill",), KNOWN)


# Guards


@needs_input
def customer_is_there(attempt: Attempt) -> Refusal | None:
    """The contract is there, and its customer was not removed."""
    contract = attempt.records.get(Contract, id=attempt.data.contract)
    customer = locked_customer(attempt.records, contract.customer_id) if contract is not None else None
    return None if customer is not None else GONE


def can_be_collected(attempt: Attempt) -> Refusal | None:
    """The contract is billed by a mandate of a method that collects, and its customer was not removed."""
    payment = payment_of(attempt)
    customer = attempt.records.get(Customer, id=payment.customer_id) if payment is not None else None
    if customer is None or customer.removed_on is not None:
        return NO_MANDATE
    mandate = mandate_in_use(attempt, payment) if payment is not None else None
    method = attempt.services.payment_methods.get(mandate.method) if mandate is not None else None
    return None if collects(method) else NO_MANDATE


def mandate_is_another(attempt: Attempt) -> Refusal | None:
    """The contract is billed by another mandate than the one of the last try."""
    payment = payment_of(attempt)
    mandate = mandate_in_use(attempt, payment) if payment is not None else None
    return SAME_MANDATE if payment is None or mandate is None or mandate.id == payment.mandate else None


def all_was_paid(attempt: Attempt) -> Refusal | None:
    """As much has come as was billed."""
    payment = payment_of(attempt)
    return None if payment is not None and kept_of(payment) >= payment.amount else NOT_PAID


def some_was_paid(attempt: Attempt) -> Refusal | None:
    """The last try has brought a part."""
    last = last_try(payment_of(attempt))
    return None if last is not None and last.paid else NO_PART


def is_asked_again(attempt: Attempt) -> Refusal | None:
    """The try failed, its method named a day for the next one, and the mandate works and is still in use."""
    last = last_try(payment_of(attempt))
    return _retried(attempt, last.failure if last is not None else "")


@needs_input
def is_told_to_ask_again(attempt: Attempt) -> Refusal | None:
    """The same of a try of which a report says that it failed."""
    return _retried(attempt, attempt.data.failure)


def _retried(attempt: Attempt, failure: str) -> Refusal | None:
    payment = payment_of(attempt)
    asks = payment is not None and payment.retry_on is not None and failure in _ASKED_AGAIN
    return can_be_collected(attempt) if asks else NO_RETRY


@needs_input
def all_went_back(attempt: Attempt) -> Refusal | None:
    """With this report nothing is left of what was paid."""
    payment = payment_of(attempt)
    return None if payment is not None and after(payment, attempt.data) <= 0 else NOT_ALL_BACK


def nothing_is_left(attempt: Attempt) -> Refusal | None:
    """Nothing is left of what was paid."""
    payment = payment_of(attempt)
    return None if payment is not None and kept_of(payment) <= 0 else NOT_ALL_BACK


def can_be_refunded(attempt: Attempt) -> Refusal | None:
    """Each method by which something was paid pays back."""
    payment = payment_of(attempt)
    if payment is None:
        return GONE
    methods = {one.method for one in tries_of(payment) if one.paid > one.refunded}
    known = attempt.services.payment_methods
    return None if methods and all(refunds(known.get(name)) for name in methods) else NO_REFUND


@needs_input
def refund_is_checked(attempt: Attempt) -> Refusal | None:
    """Whoever pays back has seen how much goes back, and by what."""
    payment = payment_of(attempt)
    if payment is None or getattr(attempt.data, "checked", False):
        return None
    method = attempt.services.catalogue.payment_methods.get(payment.method, payment.method)
    message = _("%(amount)sを%(method)sへ返金します。取り消しはできません。", amount=yen(payment.paid), method=method)
    return Refusal("not_checked", message, "checked")


def was_waited_for(attempt: Attempt) -> Refusal | None:
    """The method had time enough to answer: whoever asks again too soon may collect twice."""
    last = last_try(payment_of(attempt))
    return NOT_YET if last is not None and attempt.now < last.began_at + LONGEST_ANSWER else None


def reminder_is_left(attempt: Attempt) -> Refusal | None:
    """The contractor was not reminded often enough yet."""
    payment = payment_of(attempt)
    return None if payment is not None and payment.reminders < _MOST_REMINDERS else NO_REMINDER


# Writes


def keep_bill(attempt: Attempt) -> None:
    """Record the payment of a bill."""
    bill = attempt.data
    contract = required(attempt.records.get(Contract, id=bill.contract), GONE)
    attempt.records.insert(
        Payment,
        instance=attempt.instance.id,
        customer=contract.customer_id,
        contract=contract.id,
        bill=bill.bill,
        amount=bill.total,
        paid=0,
        due_on=bill.due_on,
        ask_on=bill.due_on,
        tries=0,
        mandate=bill.mandate,
        method=bill.method,
        under_way=0,
        retry_on=None,
        reminders=0,
        settled_at=None,
        reason="",
        begun_at=attempt.now,
    )


def begin_try(attempt: Attempt) -> None:
    """Write down that the bill is asked for by the mandate that is in use now."""
    payment = required(payment_of(attempt), GONE)
    mandate = required(mandate_in_use(attempt, payment), NO_MANDATE)
    number = insert_try(attempt, payment, mandate.id, mandate.method)
    _change(
        attempt,
        tries=number,
        mandate=mandate.id,
        method=mandate.method,
        under_way=1,
        retry_on=None,
        ask_on=_today(attempt),
    )


def end_try(attempt: Attempt) -> None:
    """Nobody is asked any more by the last try; what came by all of them is counted."""
    payment = required(payment_of(attempt), GONE)
    _change(attempt, under_way=0, paid=kept_of(payment))


def give_try_up(attempt: Attempt) -> None:
    """The last try brought nothing, by what the staff say; it is not made again by itself."""
    last = last_try(payment_of(attempt))
    if last is not None:
        attempt.records.update(PaymentTry, {"id": last.id}, status="failed", answered_at=attempt.now)
    _change(attempt, under_way=0, retry_on=None)


def keep_told(attempt: Attempt) -> None:
    """Keep what a report says of a try."""
    payment, told = required(payment_of(attempt), GONE), attempt.data
    about = required(told_try(payment, told), GONE)
    paid, refunded = amounts(payment, about, told)
    attempt.records.update(
        PaymentTry,
        {"id": about.id},
        status=told.status,
        failure=told.failure,
        detail=told.detail,
        reference=about.reference or told.reference,
        paid=paid,
        refunded=refunded,
        answered_at=attempt.now,
    )


def keep_settled(attempt: Attempt) -> None:
    """Nothing is to be collected any more."""
    _change(attempt, settled_at=attempt.now)


def reopen(attempt: Attempt) -> None:
    """The bill is to be paid once more."""
    _change(attempt, settled_at=None, retry_on=None)


def keep_reason(attempt: Attempt) -> None:
    """Keep the staff's reason."""
    _change(attempt, reason=attempt.data.reason.strip()[:LONGEST_REASON])


def count_reminder(attempt: Attempt) -> None:
    """Count a reminder to the contractor."""
    payment = required(payment_of(attempt), GONE)
    _change(attempt, reminders=payment.reminders + 1)


def _change(attempt: Attempt, **values: Any) -> None:
    attempt.records.update(Payment, {"instance": attempt.instance.id}, **values)


# Times


def day_of_asking(attempt: Attempt) -> datetime:
    """The beginning of the day on which the bill is asked for first."""
    payment = payment_of(attempt)
    day = payment.ask_on if payment is not None else getattr(attempt.data, "due_on", None)
    return _beginning(attempt, day)


def day_of_retry(attempt: Attempt) -> datetime:
    """The beginning of the day on which the bill is asked for again."""
    payment = payment_of(attempt)
    return _beginning(attempt, payment.retry_on if payment is not None else None)


def _beginning(attempt: Attempt, day: date | None) -> datetime:
    begins: datetime = attempt.services.calendar.midnight(day) if day is not None else attempt.at
    return begins


def _today(attempt: Attempt) -> date:
    day: date = attempt.services.calendar.today(attempt.at)
    return day


# Effects and mails


def which_try(attempt: Attempt) -> Mapping[str, Any]:
    """The number of the try that an effect makes."""
    payment = payment_of(attempt)
    return {"try": payment.tries if payment is not None else 0}


def how_it_goes_on(attempt: Attempt) -> Mapping[str, Any]:
    """Why a try failed, and on which day the next one is made; no day where that is today."""
    payment = payment_of(attempt)
    last = last_try(payment)
    day = payment.retry_on if payment is not None else None
    if day is not None and day <= _today(attempt):  # nobody has asked the method for long
        day = None
    return {"failure": last.failure if last is not None else "", "retry_on": day.isoformat() if day else ""}


def how_it_ended(attempt: Attempt) -> Mapping[str, Any]:
    """How a payment ended: by the event that ended it."""
    return {"how": attempt.event}


def why(attempt: Attempt) -> Mapping[str, Any]:
    """Why a payment is not in order: what its mails to the contractor and to staff say."""
    last = last_try(payment_of(attempt))
    said = _WHY.get(attempt.event, "failed")
    if attempt.event == "answered" and last is not None and last.paid:
        said = "partly_paid"
    return {"why": said, **how_it_goes_on(attempt)}


_WHY = {
    "collect": "no_mandate",
    "part_paid": "partly_paid",
    "charged_back": "charged_back",
    "chase": "no_answer",
    "refund_answered": "refund_refused",
    "remind": "reminder",
}


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails: `payment`, `customer`, `contract`, and `last`, which is its last try. For the reader
    `day` writes a date, `iso_day` one of a mail's figures, and `yen` an amount."""
    payment: Payment | None = records.get(Payment, instance=instance.id)
    return {
        "payment": payment,
        "customer": records.get(Customer, id=payment.customer_id) if payment is not None else None,
        "contract": records.get(Contract, id=payment.contract_id) if payment is not None else None,
        "last": last_try(payment),
        "day": day_said,
        "iso_day": lambda iso: day_said(date.fromisoformat(iso)),
        "yen": yen,
    }


def _contractors_language(attempt: Attempt) -> str:
    payment = payment_of(attempt)
    customer = attempt.records.get(Customer, id=payment.customer_id) if payment is not None else None
    return languages.of_contractor(customer)


def _contractor(instance: Instance, records: Records) -> Address | Nobody:
    payment = records.get(Payment, instance=instance.id)
    customer = records.get(Customer, id=payment.customer_id) if payment is not None else None
    return contractor_of(customer) if customer is not None else NOBODY


RECIPIENTS = {"contractor": Recipient(_contractors_language, _contractor), "staff": languages.STAFF}
