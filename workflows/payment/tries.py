"""The tries of a payment: which one counts, which one a report is about, and what came by all of them."""

from __future__ import annotations

from typing import Any

from engine.definition import Attempt
from workflows.business.records import Contract, Mandate, Payment, PaymentTry
from workflows.business.shared.payment_told import PaymentTold
from workflows.ports.payments import SUCCEEDED, TAKEN_BACK


def payment_of(attempt: Attempt) -> Payment | None:
    """The payment of an attempt, as it is now; None where it is gone."""
    payment: Payment | None = attempt.records.get(Payment, instance=attempt.instance.id)
    return payment


def tries_of(payment: Payment) -> list[PaymentTry]:
    """The tries of a payment, in their order."""
    return list(PaymentTry.select().where(PaymentTry.payment == payment.instance).order_by(PaymentTry.number))


def last_try(payment: Payment | None) -> PaymentTry | None:
    """The last try of a payment; None before the first."""
    if payment is None:
        return None
    found: PaymentTry | None = PaymentTry.get_or_none(
        PaymentTry.payment == payment.instance, PaymentTry.number == payment.tries
    )
    return found


def kept_of(payment: Payment) -> int:
    """The yen that came by all tries and did not go back."""
    return sum(one.paid - one.refunded for one in tries_of(payment))


def told_try(payment: Payment, told: PaymentTold) -> PaymentTry | None:
    """The try that a report is about: that of its reference; the last one of the method where no try has it, because
    the answer that names it has not arrived. None before the first."""
    of_method = [one for one in tries_of(payment) if one.method == told.provider]
    named = [one for one in of_method if told.reference and one.reference == told.reference]
    found = named or of_method
    return found[-1] if found else None


def after(payment: Payment, told: PaymentTold) -> int:
    """The yen that will have come by all tries, once this report is kept."""
    about = told_try(payment, told)
    others = sum(one.paid - one.refunded for one in tries_of(payment) if about is None or one.id != about.id)
    paid, refunded = amounts(payment, about, told)
    return others + paid - refunded


def amounts(payment: Payment, about: PaymentTry | None, told: PaymentTold) -> tuple[int, int]:
    """What has come by a try, and what went back of that, once a report about it is kept. In yen."""
    paid, refunded = (about.paid, about.refunded) if about is not None else (0, 0)
    whole = about.amount if about is not None else payment.amount - payment.paid
    if told.status in SUCCEEDED:
        return told.amount or whole, refunded if refunded < paid else 0
    if told.status == "partly_paid":
        return told.amount, refunded
    if told.status in TAKEN_BACK:
        back = told.amount if told.status == "refunded" and told.amount else paid
        return paid, min(paid, max(refunded, back))
    return paid, refunded


def insert_try(attempt: Attempt, payment: Payment, mandate: int, method: str) -> int:
    """Write the next try of a payment, for what is left of the bill. Returns its number."""
    number = int(payment.tries) + 1
    attempt.records.insert(
        PaymentTry,
        payment=payment.instance,
        number=number,
        mandate=mandate,
        method=method,
        amount=payment.amount - payment.paid,
        began_at=attempt.now,
        asked_at=None,
        answered_at=None,
        **_nothing_known(),
    )
    return number


def _nothing_known() -> dict[str, Any]:
    return {"key": "", "reference": "", "status": "", "failure": "", "detail": "", "paid": 0, "refunded": 0}


def mandate_in_use(attempt: Attempt, payment: Payment) -> Mandate | None:
    """The mandate by which the contract of a payment is billed now; None where there is none, or where the contract
    says that it is paid in another way, as after an import."""
    mandate: Mandate | None = attempt.records.get(Mandate, in_use=payment.contract_id)
    contract: Contract | None = attempt.records.get(Contract, id=payment.contract_id)
    is_meant = mandate is not None and contract is not None and contract.payment_method == mandate.method
    return mandate if is_meant else None
