"""What a report means for the payment of a bill: a decision, or the event that it fires there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workflows.business.records import Payment, PaymentReport, PaymentTry
from workflows.business.shared.payment_told import PaymentTold
from workflows.payment_method_change.reports.states import APPLIED, KNOWN, Decision, again, keep
from workflows.ports.payments import SUCCEEDED

EVENTS: Mapping[str, str] = {
    "processed": "paid",
    "paid": "paid",
    "partly_paid": "part_paid",
    "failed": "declined",
    "error": "declined",
    "canceled": "declined",
    "expired": "declined",
    "refunded": "refunded",
    "charged_back": "charged_back",
}

_PAID = ("paid", "refunding", "closed")


def told(report: PaymentReport) -> PaymentTold:
    """A report as the payment takes it."""
    return PaymentTold(
        report.provider,
        report.event,
        report.reference,
        report.status,
        report.amount,
        report.failure,
        report.detail,
    )


def event_of(report: PaymentReport, payment: Payment) -> str:
    """The event that a report fires: of money that is less than was asked for, that a part has come."""
    tries = _tries(payment, report.provider)
    if report.status in SUCCEEDED and tries and 0 < report.amount < _about(report, tries).amount:
        return "part_paid"
    return EVENTS[report.status]


def before_firing(report: PaymentReport, payment: Payment, state: str, *, is_over: bool) -> Decision | None:
    """What is clear of a report without an event; None where one is to be fired."""
    if report.status == "pending":
        return Decision(KNOWN)
    tries = _tries(payment, report.provider)
    if not tries:
        return again("early") if state in ("waiting", "collecting") else keep("other_method")
    about, event = _about(report, tries), event_of(report, payment)
    if report.reference and about.reference and about.reference != report.reference:
        return keep("other_reference")
    if event in ("paid", "part_paid"):
        return _of_money(report, about, state) or (keep("over") if is_over else None)
    if event == "declined":
        return _of_failure(about, state, is_last=about.number == payment.tries)
    if state in ("refunded", "charged_back") and state == event:
        return Decision(KNOWN)
    if is_over:
        return keep("over")
    if state not in _PAID:
        return again("early") if state == "collecting" else keep("no_step")
    return None


def _of_money(report: PaymentReport, about: PaymentTry, state: str) -> Decision | None:
    """Of money that came: None where it is news."""
    if state == "charged_back" and about.paid:
        return keep("contradicts")  # told late, or the bank has given it back: somebody must look
    if state not in _PAID:
        return None
    if not about.paid and _has_come_otherwise(about):
        return keep("twice")
    if about.reference and report.reference:
        return Decision(KNOWN) if about.paid else keep("twice")
    return keep("twice") if _is_told_before(report) else Decision(KNOWN)


def _of_failure(about: PaymentTry, state: str, *, is_last: bool) -> Decision | None:
    """Of a try that failed: None where it is news."""
    if state in _PAID and about.paid:
        return keep("contradicts")
    return None if state == "collecting" and is_last else Decision(KNOWN)


def _is_told_before(report: PaymentReport) -> bool:
    """Whether another report has said of the payment that it was paid: the money may have come twice."""
    others = PaymentReport.select().where(
        PaymentReport.request == report.request,
        PaymentReport.status.in_(tuple(SUCCEEDED)),
        PaymentReport.state.in_((APPLIED, KNOWN)),
        PaymentReport.id != report.id,
    )
    return bool(others.exists())


def _has_come_otherwise(about: PaymentTry) -> bool:
    """Whether another try of the payment has brought money."""
    others = PaymentTry.select().where(PaymentTry.payment == about.payment_id, PaymentTry.id != about.id)
    return bool(others.where(PaymentTry.paid > PaymentTry.refunded).exists())


def _about(report: PaymentReport, tries: Sequence[PaymentTry]) -> PaymentTry:
    """The try that a report is about: that of its reference, else the last one."""
    named = [one for one in tries if report.reference and one.reference == report.reference]
    return (named or tries)[-1]


def _tries(payment: Payment, method: str) -> list[PaymentTry]:
    rows = PaymentTry.select().where(PaymentTry.payment == payment.instance, PaymentTry.method == method)
    return list(rows.order_by(PaymentTry.number))
