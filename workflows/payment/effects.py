"""The effects of a payment: ask for the money, ask how it stands, pay it back.

Each calls a plugin, outside of any transaction, at least once and under the key of its try. The answer is recorded
before the effect counts as done, so that the event that follows finds it in the records.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from engine.delivery import Accepted, Deferred, Delivery, Outcome
from engine.store.base import storable, transaction
from workflows.business.records import Customer, Mandate, Payment, PaymentTry
from workflows.mandates import facts_of, kept_secret
from workflows.payment.tries import tries_of
from workflows.payment_contexts import context_of
from workflows.ports.billing import Bill
from workflows.ports.collecting import Collecting, DuePayment, Refunding, collects, query_each, refunds
from workflows.ports.payment_calls import report_of
from workflows.ports.payments import FAILED, GIVEN_UP, SUCCEEDED, MandateFacts, PaymentContext, Report
from workflows.services import Services

_REPEATED_FOR = timedelta(hours=20)  # with the same key: providers keep keys for a day at least
_UNANSWERED = ("", "pending", "undefined")
_LONGEST_REFERENCE, _LONGEST_DETAIL = 255, 200  # as the columns
_AGAIN = timedelta(minutes=5)


class CollectionEffects:
    """Delivers effects of the kind "collection"."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """See `EffectHandler.deliver`. The name of the effect says which call is made."""
        payment = Payment.get_or_none(Payment.instance == delivery.instance_id)
        if payment is None:
            return Accepted("the payment is gone")
        if delivery.name == "refund":
            return self._refund(payment, key)
        made = PaymentTry.get_or_none(
            PaymentTry.payment == payment.instance, PaymentTry.number == delivery.figures["try"]
        )
        if made is None or made.status not in _UNANSWERED or not payment.under_way:
            return Accepted("answered before")
        return self._collect(payment, made, key)

    def _collect(self, payment: Payment, made: PaymentTry, key: str) -> Outcome:
        method: Any = self._services.payment_methods.get(made.method)
        if not collects(method):
            return Deferred(f"no plugin collects by the payment method {made.method!r}", waits=True)
        context, due, now = self._context(payment), self._due(payment, made), self._services.clock()
        _keep_retry_day(payment, self._retry_day(method, due))
        if made.asked_at is None:
            _mark_asked(made, key, now)
        if _is_repeated(made, now):
            report = report_of(method.collect(context, due, made.key))
        else:
            report = report_of(method.query_payment(context, due))
        if not _write(made, report, now):
            return Deferred(f"{report.status}: {report.detail}", query_each(method))
        return Accepted(report.detail)

    def _retry_day(self, method: Collecting, due: DuePayment) -> date | None:
        """The day of the next try, if this one fails today; never one that has come."""
        today = self._services.calendar.today(self._services.clock())
        day = method.retry_day(due, today)
        return day if day is not None and day > today else None

    def _refund(self, payment: Payment, key: str) -> Outcome:
        """Pay back whatever came, by the method by which it came. One that refuses ends it; what went back before is
        kept."""
        for made in tries_of(payment):
            if made.paid <= made.refunded:
                continue
            method: Any = self._services.payment_methods.get(made.method)
            if not refunds(method):
                return Deferred(f"no plugin pays back by the payment method {made.method!r}", waits=True)
            report = self._refunded(method, payment, made, f"{key}.{made.number}")
            if report.status in FAILED | GIVEN_UP:
                _keep(made, detail=_detail(report))
                return Accepted(report.detail)
            if report.status not in SUCCEEDED | {"refunded"}:
                return Deferred(f"{report.status}: {report.detail}", _AGAIN)
            _keep(made, refunded=made.paid, status="refunded", detail=_detail(report))
        return Accepted()

    def _refunded(self, method: Refunding, payment: Payment, made: PaymentTry, key: str) -> Report:
        amount = int(made.paid - made.refunded)
        return report_of(method.refund(self._context(payment), self._due(payment, made), amount, key))

    def _context(self, payment: Payment) -> PaymentContext:
        customer: Customer = payment.customer
        return context_of(
            self._services, payment.contract, request=payment.instance, language=customer.contractor_language
        )

    def _due(self, payment: Payment, made: PaymentTry) -> DuePayment:
        mandate = Mandate.get_or_none(Mandate.id == made.mandate)
        return DuePayment(
            number=payment.instance,
            bill=Bill(payment.bill, payment.contract_id, payment.amount, payment.due_on),
            mandate=facts_of(mandate) if mandate is not None else MandateFacts(made.mandate, "", ""),
            amount=made.amount,
            due_day=payment.ask_on,
            tries=made.number,
            since=made.began_at,
            reference=made.reference,
            data=kept_secret(self._services, mandate),
            is_replaced=payment.contract.payment_method != made.method,
        )


def _is_repeated(made: PaymentTry, now: datetime) -> bool:
    """Whether `collect` is called (again): nothing was answered yet, and its key is still known."""
    return not made.status and made.asked_at is not None and now < made.asked_at + _REPEATED_FOR


def _mark_asked(made: PaymentTry, key: str, now: datetime) -> None:
    """Record that the method is called now: a crash after it leads to the same call with the same key."""
    made.key, made.asked_at = key, now
    _keep(made, key=key, asked_at=now)


def _keep_retry_day(payment: Payment, day: date | None) -> None:
    """Keep the day of the next try while this one is under way: a report may end it at any time."""
    if payment.retry_on != day:
        with transaction():
            Payment.update(retry_on=day).where(Payment.instance == payment.instance, Payment.under_way == 1).execute()


def _write(made: PaymentTry, report: Report, now: datetime) -> bool:
    """Record what the method said of a try, unless its end is known already. Returns whether the end is known."""
    status = report.status
    values: dict[str, Any] = {"status": status, "failure": report.failure, "detail": _detail(report)}
    if report.reference:
        values["reference"] = storable(report.reference, _LONGEST_REFERENCE)
    if status in SUCCEEDED:
        values["paid"] = report.amount or made.amount
    if status == "partly_paid":
        values["paid"] = report.amount
    is_over = status not in _UNANSWERED
    if is_over:
        values["answered_at"] = now
    with transaction():
        PaymentTry.update(values).where(PaymentTry.id == made.id, PaymentTry.status.in_(_UNANSWERED)).execute()
    return is_over


def _keep(made: PaymentTry, **values: Any) -> None:
    with transaction():
        PaymentTry.update(values).where(PaymentTry.id == made.id).execute()


def _detail(report: Report) -> str:
    return storable(report.detail, _LONGEST_DETAIL)
