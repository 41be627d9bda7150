"""Cards through Stripe Checkout in setup mode: a page of Stripe's, so that no card number touches this site. Bills are
charged to the registered card (`charges`).

The library `stripe` is an extra (`pip install tetsuzuki[stripe]`) and imported on first use. A card is confirmed by the
webhook `checkout.session.completed`, whose signature is checked, or by asking for the session; never by what a browser
brings back. Every call that changes something carries an idempotency key (Stripe keeps those for at least 24 hours, as
long as a page lives).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from engine.configuration import Items
from engine.configuration.kinds import origin, seconds, secret, whole
from engine.definition import Refusal, Secret
from engine.errors import ConfigurationError
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import Text, _, catalogue
from plugins.card_stripe import charges
from workflows.ports.collecting import DuePayment
from workflows.ports.payments import (
    Begun,
    Details,
    Event,
    Form,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    PaymentMethod,
    Pending,
    Redirect,
    Rejected,
    Report,
    Status,
    Way,
)

NAME = "credit_card"

catalogue.add(Path(__file__).parent / "locale")

_SIGNATURE = "stripe-signature"
_LONGEST_EVENT = 512 * 1024  # bytes; a session is a few thousand
_ASK_AGAIN = timedelta(minutes=1)
_NO_LIBRARY = NotAvailable(
    _("カード決済に必要なライブラリ（stripe）が導入されていないため、現在お選びいただけません。")
)
_NO_KEYS = NotAvailable(_("カード決済の設定が完了していないため、現在お選びいただけません。"))
_SESSION_STATES: Mapping[str, Status] = {"complete": "processed", "open": "pending", "expired": "canceled"}


_DAYS: Items[tuple[int, ...]] = Items(whole(1, 60, "days"), "a list of days, as in [3, 7]", tuple, 10)
_KEY = secret("a key as Stripe's dashboard shows it", r"[\x21-\x7e]+")
_ORIGINS: Items[tuple[str, ...]] = Items(origin("https://checkout.stripe.com"), "a list of http(s)://host", tuple, 20)


class CardStripe:
    """The plugin and its payment method. Thread-safe: each call has its own client."""

    title: Text | str = _("クレジットカード決済")
    way: Way = "page"
    collects = True
    refunds = True

    @dataclass(frozen=True)
    class Config:
        """`api_key` and `webhook_secret` as Stripe's dashboard shows them; both, or the method is not available.

        `origins`: where Checkout's pages are, if under a domain of the company's own. `timeout`: seconds a call.
        `tolerance`: seconds by which an event's signature may be old. `api_base`: another server than Stripe's.
        `retry_days`: after how many days a charge that failed is tried again, one for each try; none where it is empty.
        """

        api_key: Annotated[Secret | None, _KEY] = None
        webhook_secret: Annotated[Secret | None, _KEY] = None
        origins: Annotated[tuple[str, ...], _ORIGINS] = ("https://checkout.stripe.com",)
        timeout: Annotated[float, seconds(120)] = 20.0
        tolerance: Annotated[int, whole(1, 86_400, "seconds")] = 300
        api_base: Annotated[str, origin("https://api.stripe.com")] = "https://api.stripe.com"
        retry_days: Annotated[tuple[int, ...], _DAYS] = (3, 7)

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        if (config.api_key is None) != (config.webhook_secret is None):
            raise ConfigurationError("api_key and webhook_secret: expected both or neither")
        self._config = config
        self._demo = site_facts.demo
        self.origins: Sequence[str] = config.origins

    @hookimpl
    def register_payment_methods(self) -> Mapping[str, PaymentMethod]:
        """This method; none in a demo, where nothing may reach real people."""
        return {} if self._demo else {NAME: self}

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        """See `PaymentMethod.is_available`."""
        if self._config.api_key is None:
            return _NO_KEYS
        return _NO_LIBRARY if find_spec("stripe") is None else None

    def form(self, context: PaymentContext) -> Form:
        """A form without fields, because a card is typed on Stripe's page alone."""
        return Form(
            notes=(
                _("お申し込み後に、カード会社の決済画面（Stripe）へ進み、カード情報をご登録いただきます。"),
                _("カード番号が当サイトに入力・保存されることはありません。"),
                _("ご登録は、登録画面を開いてから24時間以内にお済ませください。")
                if not context.contract  # of an order, which waits longer for its customer
                else _("ご登録は、お申し込みから24時間以内にお済ませください。"),
            )
        )

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        """Empty details, because the form has no fields."""
        return Details()

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        """Open a page on which the card is registered for later payments. No amount is charged. Idempotent for each
        `key`."""
        if self.is_available(context) is not None:
            return Rejected("not_available")
        import stripe

        client = self._client()
        # Nothing that may change in the meantime: the same key must come with the same contents.
        about: dict[str, Any] = {"customer_number": context.customer_number, "contract": str(context.contract)}
        try:
            customer = client.v1.customers.create(
                {"description": context.customer_number, "metadata": about},
                {"idempotency_key": f"{key}.customer"},
            )
            session = client.v1.checkout.sessions.create(
                {
                    "mode": "setup",
                    "currency": "jpy",
                    "payment_method_types": ["card"],
                    "customer": customer.id,
                    "client_reference_id": str(context.request),
                    "metadata": about,
                    "locale": "auto",
                    "success_url": context.return_url,
                    "cancel_url": context.cancel_url,
                },
                {"idempotency_key": key},
            )
        except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError):
            return Pending(_ASK_AGAIN)
        except stripe.StripeError as error:
            return Rejected(error.code or type(error).__name__)
        if not session.url:  # it was completed or has expired since
            return Pending(_ASK_AGAIN)
        return Redirect(session.url, session.id)

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        """A hint by what the address says; whether a card was registered, Stripe itself reports."""
        if arguments.get("result") == "success":
            return _("カード会社からの確認をお待ちしています。通常は数分以内に反映されます。")
        return _("カード情報のご登録は完了していません。もう一度お手続きいただくか、お申し込みを取り下げてください。")

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """The event, where Stripe's own library accepts its signature and age; otherwise None."""
        if self._config.webhook_secret is None or len(raw) > _LONGEST_EVENT or find_spec("stripe") is None:
            return None
        import stripe

        signature = next((value for name, value in headers.items() if name.lower() == _SIGNATURE), "")
        if not signature.isascii():  # the library compares texts of ASCII alone
            return None
        try:
            text = raw.decode()
            stripe.WebhookSignature.verify_header(
                text, signature, str(self._config.webhook_secret), self._config.tolerance
            )
            payload = json.loads(text)
        except (stripe.SignatureVerificationError, ValueError, RecursionError):
            return None
        if not isinstance(payload, dict) or not isinstance(payload.get("id"), str) or not payload["id"]:
            return None
        return Event(payload["id"], str(payload.get("type", "")), payload)

    def handle_event(self, event: Event) -> Report | None:
        """The report of a session in setup mode that was completed or has expired, or of a payment of the site's; None
        for any other event, of which an account that serves other sites too has many."""
        data = event.payload.get("data")
        session = data.get("object") if isinstance(data, dict) else None
        if isinstance(session, dict) and not event.kind.startswith("checkout."):
            return charges.of_event(self._client, event.kind, session)
        if (
            not isinstance(session, dict)
            or session.get("object") != "checkout.session"
            or session.get("mode") != "setup"
        ):
            return None
        statuses: Mapping[str, Status] = {
            "checkout.session.completed": "processed",
            "checkout.session.expired": "canceled",
        }
        number, reference = str(session.get("client_reference_id") or ""), str(session.get("id") or "")
        request = int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else 0
        status = statuses.get(event.kind)
        if status is None:
            return None
        label = self._label(reference) if status == "processed" and reference else ""
        return Report(status, request, reference, label)

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        """The session's present status at Stripe; pending before a page was opened."""
        if not mandate.reference:
            return Report("pending", context.request)
        return self._asked(lambda client: self._report(client, context.request, mandate.reference))

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        """Expire a page that is open, and detach the card where one was registered. Idempotent."""
        if not mandate.reference:
            return Report("processed")

        def end(client: Any) -> Report:
            session = client.v1.checkout.sessions.retrieve(mandate.reference, {"expand": ["setup_intent"]})
            if session.status == "open":
                client.v1.checkout.sessions.expire(mandate.reference, {}, {"idempotency_key": key})
            card = getattr(session.setup_intent, "payment_method", None) if session.status == "complete" else None
            # A card that was detached before has no customer any more, and detaching it again would be an error.
            if card and client.v1.payment_methods.retrieve(card).customer:
                client.v1.payment_methods.detach(card, {}, {"idempotency_key": key})
            return Report("processed", context.request, mandate.reference)

        return self._asked(end)

    def collect(self, context: PaymentContext, payment: DuePayment, key: str) -> Report:
        """Charge the registered card. Idempotent for each `key`, which Stripe keeps for 24 hours. Raises what the
        library raises where Stripe cannot be asked."""
        return charges.charge(self._client(), payment, key)

    def query_payment(self, context: PaymentContext, payment: DuePayment) -> Report:
        """The payment's present status at Stripe."""
        return charges.found(self._client(), payment)

    def retry_day(self, payment: DuePayment, today: date) -> date | None:
        """In the days that the setting `retry_days` names, one for each try."""
        days = self._config.retry_days
        return today + timedelta(days=days[payment.tries - 1]) if payment.tries <= len(days) else None

    def refund(self, context: PaymentContext, payment: DuePayment, amount: int, key: str) -> Report:
        """Pay back to the card. Idempotent for each `key`."""
        return charges.paid_back(self._client(), payment, amount, key)

    def _report(self, client: Any, request: int, reference: str) -> Report:
        session = client.v1.checkout.sessions.retrieve(
            reference, {"expand": ["setup_intent", "setup_intent.payment_method"]}
        )
        status = _SESSION_STATES.get(str(session.status), "undefined")
        method = getattr(session.setup_intent, "payment_method", None)
        card = getattr(method, "card", None)
        label = ""
        if status == "processed" and card is not None:
            label = f"{str(card.brand).upper()} **** {card.last4}（{card.exp_month:>02}/{card.exp_year}）"
        return Report(status, request, reference, label)

    def _label(self, reference: str) -> str:
        """Brand and last digits of the card; empty where Stripe cannot be asked now, because the mandate is valid
        without a label."""
        return self._asked(lambda client: self._report(client, 0, reference)).label

    def _asked(self, ask: Callable[[Any], Report]) -> Report:
        """Stripe's answer as a report: `undefined` where it is unknown, `error` where Stripe refuses for good."""
        if self._config.api_key is None or find_spec("stripe") is None:
            return Report("undefined", detail="not configured")
        import stripe

        try:
            return ask(self._client())
        except (stripe.InvalidRequestError, stripe.AuthenticationError, stripe.PermissionError) as error:
            return Report("error", detail=error.code or type(error).__name__)
        except stripe.StripeError as error:
            return Report("undefined", detail=error.code or type(error).__name__)

    def _client(self) -> Any:
        import stripe

        if self._config.api_key is None:
            raise ConfigurationError("api_key: expected, because Stripe is asked")
        return stripe.StripeClient(
            str(self._config.api_key),
            base_addresses={"api": self._config.api_base},
            http_client=stripe.new_default_http_client(timeout=self._config.timeout),
            max_network_retries=1,
        )
