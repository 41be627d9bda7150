"""Payment at convenience stores (コンビニ払い): a number and its barcode, paid at a counter within fourteen days."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from engine.configuration.kinds import origin, seconds, secret, whole
from engine.definition import Refusal, Secret
from engine.errors import ConfigurationError
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import Text, _, catalogue
from tetsuzuki_konbini.barcode import svg
from tetsuzuki_konbini.provider import NotReached, Payment, Provider, Refused, payment_of
from workflows.ports.payments import (
    Awaited,
    Begun,
    Details,
    Event,
    Field,
    Form,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    PaymentMethod,
    Pending,
    Periods,
    Picture,
    Rejected,
    Report,
    Status,
    Way,
)

NAME = "konbini"
STORES = (("mihon", _("みほんマート")), ("demo", _("デモストア")))

catalogue.add(Path(__file__).parent / "locale")

_SIGNATURE = "konbini-signature"
_LARGEST_EVENT = 64 * 1024  # bytes; an event is some hundred
_STATES: Mapping[str, Status] = {
    "waiting": "pending",
    "paid": "paid",
    "expired": "expired",
    "canceled": "canceled",
}


class Konbini:
    """The plugin and its payment method. One object serves every customer, from several threads at once."""

    title: Text | str = _("コンビニ払い")
    way: Way = "later"
    origins: Sequence[str] = ()

    @dataclass(frozen=True)
    class Config:
        """What stands here can be set under `[plugins.konbini]`. Without `url`, `token` and `webhook_secret` the method
        cannot be chosen.

        `amount`: yen of the first payment. `days`: until a number is due. `timeout`: seconds for one call. `tolerance`:
        seconds by which the signature of an event may be old.
        """

        url: Annotated[str | None, origin("https://api.konbini.example")] = None
        token: Annotated[Secret | None, secret("the provider's token", r"[\x21-\x7e]+")] = None
        webhook_secret: Annotated[Secret | None, secret("the provider's secret", r"[\x21-\x7e]+")] = None
        amount: Annotated[int, whole(1, 300_000, "yen")] = 1_100
        days: Annotated[int, whole(1, 60, "days")] = 14
        timeout: Annotated[float, seconds(14)] = 6.0
        tolerance: Annotated[int, whole(1, 86_400, "seconds")] = 300

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        given = [config.url, config.token, config.webhook_secret]
        if any(given) and not all(given):
            raise ConfigurationError("url, token and webhook_secret: expected all three or none of them")
        self._config = config
        self._provider = Provider(config.url, config.token or Secret(""), config.timeout) if config.url else None
        # Stores report what was paid at a counter hours later, so a payment still counts for two days after it is due.
        self.periods = Periods(
            reminder=timedelta(days=3), grace=timedelta(days=2), check=timedelta(hours=1), extensions=1
        )

    @hookimpl
    def register_payment_methods(self) -> Mapping[str, PaymentMethod]:
        """This method, also without settings: `is_available` then says that they are missing."""
        return {NAME: self}

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        """Whether the method is set up."""
        if self._provider is None:
            return NotAvailable(_("コンビニ払いの設定が完了していないため、現在お選びいただけません。"))
        return None

    def form(self, context: PaymentContext) -> Form:
        """At which chain the customer pays."""
        note = _("お申し込み後に、レジでお支払いいただくための番号とバーコードをお送りします。")
        due = _("番号の有効期限は%(days)s日間です。", days=self._config.days)
        return Form((Field("store", _("ご利用になるコンビニ"), choices=STORES),), notes=(note, due))

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        """The chain, by its name."""
        store = dict(STORES).get(data.get("store", ""))
        if store is None:
            return (Refusal("unknown_store", _("コンビニをお選びください。"), "store"),)
        return Details(label=store.msgid, secret=Secret(data["store"]))

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        """Ask the provider for a number; it answers the same number for the same key."""
        if self._provider is None:
            return Rejected("not_configured")
        try:
            made = self._provider.make(context.request, self._config.amount, self._config.days, str(data), key)
        except NotReached:
            return Pending(timedelta(minutes=1))
        except Refused as refused:
            return Rejected(refused.code)
        return self._awaited(made, mandate.label)

    def extend(
        self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str
    ) -> Awaited | Pending | Rejected:
        """Ask the provider to take the same number for as many days again."""
        if self._provider is None:
            return Rejected("not_configured")
        try:
            return self._awaited(self._provider.extend(mandate.reference, self._config.days, key), mandate.label)
        except NotReached:
            return Pending(timedelta(minutes=1))
        except Refused as refused:
            return Rejected(refused.code)

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        """How the payment stands. Where the provider cannot be asked, that is unknown."""
        if self._provider is None or not mandate.reference:
            return Report("undefined", context.request, mandate.reference)
        try:
            return _report(self._provider.look(mandate.reference), context.request)
        except (NotReached, Refused) as error:
            return Report("undefined", context.request, mandate.reference, detail=str(error))

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        """Cancel a number that was not paid. One that was is told to staff by the report of that payment."""
        if self._provider is None or not mandate.reference:
            return Report("processed", context.request, mandate.reference)
        try:
            self._provider.cancel(mandate.reference, key)
        except NotReached as error:
            return Report("undefined", context.request, mandate.reference, detail=str(error))
        except Refused as refused:
            if refused.code not in ("already_paid", "unknown"):
                return Report("error", context.request, mandate.reference, detail=refused.code)
        return Report("processed", context.request, mandate.reference)

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        """No page of a provider is opened, so nobody comes back from one."""
        return None

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """The event, where its signature over time and body is genuine and not old."""
        if self._config.webhook_secret is None or len(raw) > _LARGEST_EVENT:
            return None
        given = next((value for name, value in headers.items() if name.lower() == _SIGNATURE), "")
        at, _comma, signature = given.partition(",")
        if not at.isascii() or not at.isdecimal() or abs(time.time() - int(at[:12])) > self._config.tolerance:
            return None
        if not hmac.compare_digest(signed(self._config.webhook_secret, at, raw), signature.encode("utf-8", "replace")):
            return None
        payload = json.loads(raw)
        return Event(payload["id"], payload["type"], payload["payment"])

    def handle_event(self, event: Event) -> Report:
        """What the event says of its payment."""
        payment = payment_of(event.payload)
        return _report(payment, payment.order)

    def _awaited(self, payment: Payment, label: str) -> Awaited:
        shown = f"{payment.number[:4]}-{payment.number[4:8]}-{payment.number[8:]}"
        return Awaited(
            shown,
            payment.due,
            (
                _("ご利用になるコンビニのレジで、インターネット代金のお支払いとお伝えください。"),
                _("バーコードを提示するか、払込票番号と確認番号をお伝えください。"),
                _("現金でお支払いのうえ、領収書をお受け取りください。"),
            ),
            reference=payment.id,
            number_title=_("払込票番号"),
            facts=((_("確認番号"), payment.confirmation), (_("お支払い金額"), f"¥{payment.amount:,}")),
            picture=Picture(svg(payment.number), _("払込票番号のバーコード")),
            label=label,
        )


def signed(secret: Secret, at: str, raw: bytes) -> bytes:
    """The signature of an event: HMAC-SHA-256 over its time and its body, in hexadecimal digits."""
    return hmac.digest(secret.encode(), at.encode() + b"." + raw, "sha256").hex().encode()


def _report(payment: Payment, request: int) -> Report:
    status = _STATES.get(payment.status, "undefined")
    changes: dict[str, Any] = {"amount": payment.amount, "occurred_at": payment.paid_at} if status == "paid" else {}
    return Report(status, request, payment.id, **changes)
