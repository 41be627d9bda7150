"""What the runs know of the payment of a bill, as the site's payments are told of it.

A bill may have stood in several runs. What was read before a try began belongs to the tries before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from plugins.direct_debit.runs import decisions
from plugins.direct_debit.runs.codes import CODES
from plugins.direct_debit.runs.records import COLLECTED, FAILED, REQUESTED, SETTLED, DirectDebitPayment, DirectDebitRun
from workflows.ports.collecting import DuePayment
from workflows.ports.payments import Report

_REPLACED = "no run asks for it any more, because the contract is paid in another way"


def asked(payment: DuePayment) -> Report:
    """Let the bill stand in the next run, and say how it stands. A debit that waits for a decision of the staff is
    asked for again by a later try, because that is the decision."""
    last = _last(payment)
    if last is not None and payment.tries > 1 and _is_over(last) and last.told_at <= payment.since:
        decisions.ask_again(last)
    return standing(payment)


def standing(payment: DuePayment) -> Report:
    """How the bill stands, by the runs."""
    last = _last(payment)
    if last is None or _waits(last, payment):
        if payment.is_replaced and not _is_being_drawn(payment.bill.number):
            return Report("failed", payment.number, detail=_REPLACED, failure="mandate_unusable")
        ended = _end_of(payment.mandate.id)
        if ended is not None:
            return Report("failed", payment.number, detail=_said(ended), failure="mandate_unusable")
        return Report("pending", payment.number, detail="it will stand in the next run")
    return _report(last, payment.number)


def news(payments: Iterable[DirectDebitPayment]) -> Iterator[tuple[str, str, Report]]:
    """The results of these payments, as far as they say something of their bills: that a debit has failed says nothing
    where the bill stands in another run by now."""
    for payment in payments:
        row = DirectDebitPayment
        elsewhere = (row.taken == payment.bill) & (row.id != payment.id)
        if payment.state != FAILED or not row.select().where(elsewhere).exists():
            yield result(payment)


def result(payment: DirectDebitPayment) -> tuple[str, str, Report]:
    """A payment whose result was read: its bill, the name of the result, and what it says."""
    name = f"{payment.name} {payment.state}"
    return payment.bill, name, _report(payment, 0)


def _report(payment: DirectDebitPayment, number: int) -> Report:
    if payment.state in (COLLECTED, SETTLED):
        return Report("paid", number, amount=payment.amount, detail=_said(payment))
    if payment.state == FAILED:
        return Report("failed", number, detail=_said(payment), failure=CODES[payment.code].failure)
    return Report("pending", number, detail=payment.name)


def _said(payment: DirectDebitPayment) -> str:
    meant = f"{payment.code} {CODES[payment.code].title.render('ja')}" if payment.code else ""
    return " ".join(part for part in (payment.name, meant, SETTLED if payment.state == SETTLED else "") if part)


def _is_being_drawn(bill: str) -> bool:
    """Whether a bill stands in a run, also in one that is being drawn up and has no number yet."""
    row = DirectDebitPayment
    return bool(row.select().where(row.taken == bill).exists())


def _is_over(last: DirectDebitPayment) -> bool:
    """Whether nobody asks for the bill again until staff say so."""
    return bool(last.state == FAILED and last.taken is not None)


def _waits(last: DirectDebitPayment, payment: DuePayment) -> bool:
    """Whether the bill will stand in the next run, and what is known of it is of a try before this one."""
    if last.taken is not None:
        return False
    return bool(last.state == REQUESTED or (last.state == FAILED and last.told_at <= payment.since))


def _last(payment: DuePayment) -> DirectDebitPayment | None:
    row = DirectDebitPayment
    found: DirectDebitPayment | None = (
        row.select(row, DirectDebitRun)
        .join(DirectDebitRun)
        .where(row.bill == payment.bill.number, DirectDebitRun.number.is_null(False))
        .order_by(row.id.desc())
        .first()
    )
    return found


def _end_of(mandate: int) -> DirectDebitPayment | None:
    """The debit after which nothing is asked by a mandate any more."""
    row = DirectDebitPayment
    found: DirectDebitPayment | None = (
        row.select(row, DirectDebitRun).join(DirectDebitRun).where(row.mandate == mandate, row.ends_mandate).first()
    )
    return found
