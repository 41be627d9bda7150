"""Cards in a demo: a page of the site's own in place of a provider's, and signed events as a provider sends them.

The plugin is active in a demo only. Nothing is charged and no number is asked for; everything else is as with a real
card.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from threading import Lock
from urllib.parse import urlencode

from engine.definition import Refusal, Secret
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import Text, _, catalogue
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
    Redirect,
    Report,
    Status,
    Way,
)

NAME = "credit_card"
PATH = "/demo/card"
LABEL = "DEMO **** 4242"

catalogue.add(Path(__file__).parent / "locale")


@dataclass(slots=True)
class _Visit:
    request: int
    return_url: str
    cancel_url: str
    status: Status = "pending"


class DemoCard:
    """The plugin, its payment method, and the provider behind it. Visits are kept in memory, and lost at a restart."""

    title: Text | str = _("クレジットカード決済")
    way: Way = "page"
    origins: Sequence[str] = ()
    collects = True
    refunds = True

    @dataclass(frozen=True)
    class Config:
        """The plugin has no settings."""

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        self._demo = site_facts.demo
        self._secret = secrets.token_bytes(32)
        self._visits: dict[str, _Visit] = {}
        self._lock = Lock()

    @hookimpl
    def register_payment_methods(self) -> Mapping[str, PaymentMethod]:
        """This method in a demo, otherwise none."""
        return {NAME: self} if self._demo else {}

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        """None: in a demo the method is always available."""
        return None

    def form(self, context: PaymentContext) -> Form:
        """A form without fields, with notes that this is a demo."""
        return Form(
            notes=(
                _("これはデモです。カード番号の入力や課金は一切ありません。"),
                _("お申し込み後に、カード会社の画面を模したデモ画面へ進みます。"),
            )
        )

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        """Empty details, because the form has no fields."""
        return Details()

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        """A redirect to the demonstration page. Idempotent: one `key` is one visit."""
        token = hmac.digest(self._secret, key.encode(), "sha256").hex()[:32]
        with self._lock:
            self._visits.setdefault(token, _Visit(context.request, context.return_url, context.cancel_url))
        return Redirect(f"{PATH}/{token}", token)

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        """What became of the visits of this request, by the buttons that were pressed. The address says nothing that
        counts: anybody can type it."""
        with self._lock:
            registered = any(
                visit.request == context.request and visit.status == "processed" for visit in self._visits.values()
            )
        if context.request and registered:
            return _("カード会社（デモ）からの確認を受け取りました。")
        return _("カード情報のご登録は完了していません。もう一度お手続きいただくか、お申し込みを取り下げてください。")

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """The event, where the HMAC over its body is genuine; otherwise None."""
        signature = next((value for name, value in headers.items() if name.lower() == "demo-signature"), "")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(raw).encode()):
            return None
        payload = json.loads(raw)
        return Event(payload["id"], payload["type"], payload)

    def handle_event(self, event: Event) -> Report:
        """The report of a visit that ended by a button: processed or canceled."""
        token = str(event.payload["token"])
        visit = self._visits.get(token)
        if visit is None:
            return Report("undefined")
        if event.kind == "registered":
            return Report("processed", visit.request, token, LABEL)
        return Report("canceled", visit.request, token)

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        """The status of the visit by the button that was pressed; undefined after a restart of the demo."""
        visit = self._visits.get(mandate.reference)
        if visit is None:
            return Report("undefined", context.request, mandate.reference, detail="the demo was started anew")
        label = LABEL if visit.status == "processed" else ""
        return Report(visit.status, context.request, mandate.reference, label)

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        """Forget the visit. Idempotent."""
        with self._lock:
            self._visits.pop(mandate.reference, None)
        return Report("processed")

    def collect(self, context: PaymentContext, payment: DuePayment, key: str) -> Report:
        """Paid at once: nobody has a real card here. Idempotent, as the reference is made of the key."""
        reference = f"demo-{hmac.digest(self._secret, key.encode(), 'sha256').hex()[:16]}"
        return Report("paid", payment.number, reference, amount=payment.amount)

    def query_payment(self, context: PaymentContext, payment: DuePayment) -> Report:
        """Paid, as `collect` answers; nobody can have been asked where there is no reference."""
        if not payment.reference:
            return Report("failed", payment.number, detail="never asked for")
        return Report("paid", payment.number, payment.reference, amount=payment.amount)

    def retry_day(self, payment: DuePayment, today: date) -> date | None:
        """In three days, twice."""
        return today + timedelta(days=3) if payment.tries < 3 else None

    def refund(self, context: PaymentContext, payment: DuePayment, amount: int, key: str) -> Report:
        """Refunded at once."""
        return Report("refunded", payment.number, payment.reference, amount=amount)

    # The provider's side

    def shown(self, token: str) -> str | None:
        """See `DemonstrationPage.shown`."""
        return LABEL if token in self._visits else None

    def press(self, token: str, *, success: bool) -> tuple[bytes, Mapping[str, str]]:
        """See `DemonstrationPage.press`."""
        with self._lock:
            visit = self._visits[token]
            if success:
                visit.status = "processed"
        kind = "registered" if success else "given_up"
        raw = json.dumps({"id": f"demo-{token}-{kind}", "type": kind, "token": token}).encode()
        return raw, {"Demo-Signature": self._sign(raw)}

    def leads_to(self, token: str, *, success: bool) -> str:
        """See `DemonstrationPage.leads_to`."""
        visit = self._visits[token]
        back = visit.return_url if success else visit.cancel_url
        return back or "/?" + urlencode({"result": "success" if success else "cancel"})

    def _sign(self, raw: bytes) -> str:
        return hmac.digest(self._secret, raw, "sha256").hex()
