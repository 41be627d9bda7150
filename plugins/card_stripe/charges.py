"""Money by a registered card: charged while nobody is there (`off_session`), looked for, and paid back.

A payment is a PaymentIntent of Stripe's. Its metadata name the site's payment and the try, so it is found also where
the answer that would have told its number was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workflows.ports.collecting import DuePayment
from workflows.ports.payments import Failure, Report, Status

PAYMENT, TRY = "payment", "try"  # keys of the metadata
_MOST_LISTED = 100
_STATES: Mapping[str, Status] = {
    "succeeded": "paid",
    "processing": "pending",
    "requires_capture": "pending",
    "requires_payment_method": "failed",
    "requires_action": "failed",  # nobody is there to prove who they are
    "requires_confirmation": "failed",
    "canceled": "failed",
}
# https://docs.stripe.com/declines/codes: those after which the same card is refused again.
_UNUSABLE = frozenset(
    (
        "authentication_required",
        "card_not_supported",
        "expired_card",
        "invalid_account",
        "lost_card",
        "new_account_information_available",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "stop_payment_order",
    )
)
_EVENTS: Mapping[str, Status] = {
    "payment_intent.succeeded": "paid",
    "payment_intent.payment_failed": "failed",
    "payment_intent.canceled": "failed",
    "charge.refunded": "refunded",
    "charge.dispute.funds_withdrawn": "charged_back",
}


def charge(client: Any, payment: DuePayment, key: str) -> Report:
    """Charge the card of a mandate. Raises what the library raises but for a card that is declined."""
    customer, card = _card(client, payment.mandate.reference)
    if not card:
        return Report("failed", payment.number, detail="no card is registered", failure="mandate_unusable")
    return charge_card(client, payment, customer, card, key)


def charge_card(client: Any, payment: DuePayment, customer: str, card: str, key: str) -> Report:
    """Charge a card by its number at Stripe, and its customer's. Raises as `charge` does."""
    import stripe

    about = {PAYMENT: str(payment.number), TRY: str(payment.tries), "bill": payment.bill.number}
    asked = {
        "amount": payment.amount,
        "currency": "jpy",
        "customer": customer,
        "payment_method": card,
        "payment_method_types": ["card"],
        "off_session": True,
        "confirm": True,
        "metadata": about,
    }
    try:
        return report(client.v1.payment_intents.create(asked, {"idempotency_key": key}), payment.number)
    except stripe.CardError as error:
        intent = _of(error.error, "payment_intent")
        code = str(_of(error.error, "decline_code") or error.code or "")
        reference = str(_of(intent, "id") or "")
        return Report("failed", payment.number, reference, detail=code, failure=_failure(code))
    except stripe.InvalidRequestError as error:  # of a card that was detached
        return Report("failed", payment.number, detail=error.code or "", failure=_failure(error.code or ""))


def found(client: Any, payment: DuePayment) -> Report:
    """How a payment stands; failed where Stripe has none of this try. Raises what the library raises."""
    if payment.reference:
        return report(client.v1.payment_intents.retrieve(payment.reference), payment.number)
    customer, _card_of_it = _card(client, payment.mandate.reference)
    for intent in client.v1.payment_intents.list({"customer": customer, "limit": _MOST_LISTED}).auto_paging_iter():
        about = _metadata(intent)
        if (about.get(PAYMENT), about.get(TRY)) == (str(payment.number), str(payment.tries)):
            return report(intent, payment.number)
    return Report("failed", payment.number, detail="never asked for")


def paid_back(client: Any, payment: DuePayment, amount: int, key: str) -> Report:
    """Pay back. Raises what the library raises."""
    import stripe

    asked = {"payment_intent": payment.reference, "amount": amount}
    try:
        refund = client.v1.refunds.create(asked, {"idempotency_key": key})
    except stripe.InvalidRequestError as error:
        done = error.code == "charge_already_refunded"
        return Report("refunded" if done else "failed", payment.number, payment.reference, detail=error.code or "")
    if refund.status in ("failed", "canceled"):
        return Report("failed", payment.number, payment.reference, detail=str(getattr(refund, "failure_reason", "")))
    # One that is `pending` is on its way: a card's bank takes days, and Stripe tells where it fails.
    return Report("refunded", payment.number, payment.reference, amount=amount)


def report(intent: Any, number: int) -> Report:
    """A PaymentIntent as a report."""
    status = _STATES.get(str(intent.status), "undefined")
    error = getattr(intent, "last_payment_error", None)
    code = str(_of(error, "decline_code") or _of(error, "code") or "") if status == "failed" else ""
    if status == "failed" and intent.status == "requires_action":
        code = code or "authentication_required"
    amount = int(intent.amount) if status == "paid" else 0
    return Report(status, number, str(intent.id), detail=code, amount=amount, failure=_failure(code))


def of_event(client: Callable[[], Any], kind: str, about: Mapping[str, Any]) -> Report | None:
    """What an event says of a payment; None where it is about none of the site's. Raises what the library raises.

    A dispute does not name the payment, so Stripe is asked for its PaymentIntent.
    """
    status = _EVENTS.get(kind)
    if status is None:
        return None
    metadata = about.get("metadata") or {}
    reference = str(about.get("id") if kind.startswith("payment_intent.") else about.get("payment_intent") or "")
    if status == "charged_back" and reference:
        metadata = _metadata(client().v1.payment_intents.retrieve(reference))
    number = str(metadata.get(PAYMENT, ""))
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    amount = int(about.get({"paid": "amount", "refunded": "amount_refunded"}.get(status, ""), 0) or 0)
    code = ""
    if status == "failed":
        error = about.get("last_payment_error") or {}
        code = str(error.get("decline_code") or error.get("code") or "")
    return Report(status, int(number), reference, detail=code, amount=amount, failure=_failure(code))


def _card(client: Any, session: str) -> tuple[str, str]:
    """The customer at Stripe and the card that were registered on the page of a session; "" where none was."""
    shown = client.v1.checkout.sessions.retrieve(session, {"expand": ["setup_intent"]})
    return str(shown.customer or ""), str(getattr(shown.setup_intent, "payment_method", None) or "")


def _failure(code: str) -> Failure:
    if code == "insufficient_funds":
        return "insufficient_funds"
    return "mandate_unusable" if code in _UNUSABLE else ""


def _metadata(intent: Any) -> dict[str, str]:
    given = getattr(intent, "metadata", None)
    return {name: str(given[name]) for name in (PAYMENT, TRY) if given is not None and name in given}


def _of(error: Any, name: str) -> Any:
    return error.get(name) if isinstance(error, Mapping) else getattr(error, name, None)
