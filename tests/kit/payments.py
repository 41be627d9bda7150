"""A site on which contracts can be paid in every way: real plugins, books that remember, and a Stripe of our own."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from engine.attempt import Actor, Refusal, Secret
from engine.hookspecs import hookimpl
from engine.plugins.site_facts import SiteFacts
from engine.testing import Clock, MemoryMailer
from engine.text import Text
from plugins.bank_transfer import BankTransfer
from tests.kit.sites import CHEAP, SECRET
from tests.kit.stripe_server import StripeServer
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.business.records import Account, Contract, Customer, PaymentReport, StaffMember
from workflows.payment_method_change import reports
from workflows.payment_method_change.inputs import PaymentMethodInput
from workflows.ports.billing import Applied, Booking, Change, Invoice, Queued, Quote, Rejected, Unavailable
from workflows.ports.guarded import GuardedMethod
from workflows.ports.payments import (
    Begun,
    DemonstrationPage,
    Details,
    Event,
    Form,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    Redirect,
    Report,
    Way,
)
from workflows.ports.testing.payments import context

WEBHOOK_SECRET = "whsec_of_the_tests"
API_KEY = "sk_test_of_the_tests"
NUMBER = "0123567"
HOLDER = "ｶ)ﾐﾎﾝｼﾖｳｼﾞ"
TYPED = {"bank": "みずほ銀行", "branch": "丸之内", "kind": "ordinary", "number": NUMBER, "holder": "カ）ミホンショウジ"}
LABEL = "みずほ銀行 丸之内支店 普通 ****567"
APRIL = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)  # noon in Tokyo
MAY = date(2026, 5, 1)

PROVIDER = "mihon_pay"
PAYER = "payer of the event"  # whom nothing but the event names

CONFIGURED = {
    "bank_transfer": {"bank": "みほん銀行", "branch": "本店", "number": "7654321", "holder": "カ）ネオ"},
    "direct_debit": {"postcode": "220-0012", "address": "神奈川県横浜市西区みなとみらい1-1"},
}


@dataclass
class Books:
    """A billing backend that keeps what it is told, once for each key. `answer` may say something else."""

    changes: dict[str, Change] = field(default_factory=dict)
    answer: Any = None
    calls: int = 0
    keys: list[str] = field(default_factory=list)
    booked: Any = ()  # what is read in them

    def quote(self, change: Change) -> Quote | Unavailable:
        return Unavailable(Text("料金は後ほどご案内します。"))

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
        self.calls += 1
        self.keys.append(key)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            answer: Applied | Queued | Rejected = self.answer
            return answer
        self.changes.setdefault(key, change)
        return Applied(f"booking-{key}")

    def status(self, reference: str) -> Applied | Queued | Rejected:
        return Applied(reference)

    def history(self, contract: int, order: str = "") -> Sequence[Booking]:
        if isinstance(self.booked, Exception):
            raise self.booked
        booked: Sequence[Booking] = self.booked
        return booked

    def invoices(self, contract: int) -> Sequence[Invoice]:
        return ()


@dataclass
class Provider:
    """A payment method whose provider says what a test lets it say, in signed events.

    `answers` are what it says when it is asked, by its reference, and `questions` the references that it was asked
    about; `trouble` is raised where an event is read, and `deaf` is whether the method knows nothing of any event.
    """

    title: str = "みほん払い"
    way: Way = "page"
    origins: tuple[str, ...] = ("https://pay.example",)
    secret: bytes = b"of the tests"
    answers: dict[str, Report] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    trouble: Exception | None = None
    deaf: bool = False

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        return None

    def form(self, context: PaymentContext) -> Form:
        return Form()

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        return Details()

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        return Redirect(f"https://pay.example/{context.request}", f"ref-{context.request}")

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        return None

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        if headers.get("Signature") != self._signature(raw):
            return None
        content = json.loads(raw)
        return Event(content["id"], content["kind"], content)

    def handle_event(self, event: Event) -> Report | None:
        if self.trouble is not None:
            raise self.trouble
        if self.deaf:
            return None
        said: dict[str, Any] = dict(event.payload["said"])  # type: ignore[call-overload]
        at = said.pop("occurred_at", None)
        return Report(event.kind, **said, occurred_at=datetime.fromisoformat(at) if at else None)  # type: ignore[arg-type]

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        self.questions.append(mandate.reference)
        return self.answers.get(mandate.reference, Report("pending", context.request))

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        return Report("processed")

    def event(
        self, kind: str, request: int, reference: str, id: str = "e1", **said: Any
    ) -> tuple[bytes, dict[str, str]]:
        """What the provider sends: the body, and the headers with its signature."""
        about = {"request": request, "reference": reference, **said}
        raw = json.dumps({"id": id, "kind": kind, "said": about, "payer": PAYER}).encode()
        return raw, {"Signature": self._signature(raw)}

    def _signature(self, raw: bytes) -> str:
        return hmac.digest(self.secret, raw, "sha256").hex()


def paying_site(
    url: str,
    folder: Path,
    clock: Clock,
    mailer: MemoryMailer,
    *,
    books: Books | None = None,
    stripe: StripeServer | None = None,
    provider: Provider | None = None,
    methods: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Site:
    """Assembled by the product's own `build`; with `stripe`, cards are available too, and so are `provider` as
    `PROVIDER`, and `methods`."""

    class Extra:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_mailers(self) -> dict[str, MemoryMailer]:
            return {"memory": mailer}

        @hookimpl
        def register_billing_backends(self) -> dict[str, Books]:
            return {"books": books} if books is not None else {}

        @hookimpl
        def register_payment_methods(self) -> Mapping[str, Any]:
            return {**(methods or {}), **({PROVIDER: provider} if provider is not None else {})}

    plugins: dict[str, Any] = dict(CONFIGURED)
    if stripe is not None:
        plugins["card_stripe"] = {
            "api_key": API_KEY,
            "webhook_secret": WEBHOOK_SECRET,
            "api_base": stripe.url,
            "origins": [stripe.url],
        }
    options: dict[str, Any] = {
        "database_url": url,
        "base_url": "http://localhost",
        "var": folder / "var",
        "password_cost": CHEAP,
        "mailer": "memory",
        "plugins": plugins if books is not None else {**plugins, "ledger": {"enabled": False}},
    }
    if books is not None:
        options["billing"] = "books"
    settings = Settings(secret_key=SECRET, **(options | changes))
    clock.now = APRIL
    return build(settings, clock=clock, plugins=plugins_of(settings, extra=[("extra", Extra)]))


def reporting_site(url: str, folder: Path, clock: Clock, mailer: MemoryMailer, provider: Provider) -> Iterator[Site]:
    """A site on which `provider` can be chosen, until the fixture that yields from it ends."""
    made = paying_site(url, folder, clock, mailer, books=Books(), provider=provider)
    yield made
    made.close()


def contract(number: str = "A00000001", method: str = "bank_transfer") -> Contract:
    """A contract of a customer of its own."""
    of = Customer.create(
        number=number,
        company="株式会社みほん商事",
        channel="direct",
        contractor_name="見本 太郎",
        contractor_email=f"info@{number.lower()}.example",
    )
    made: Contract = Contract.create(
        customer=of,
        product="desknets-neo",
        subdomain=f"mihon-{number.lower()}",
        term="monthly",
        payment_method=method,
        users=30,
        started_on=date(2024, 4, 1),
    )
    return made


def account(of: Contract, role: str = "editor", email: str = "hanako@mihon.example") -> Actor:
    """Somebody at the contract's customer."""
    made = Account.create(
        customer=of.customer_id, email=email, user_name="見本 花子", password_hash="", role=role, created_at=APRIL
    )
    return Actor("account", str(made.id))


def staff(email: str = "tanto@neo.example") -> Actor:
    made = StaffMember.create(email=email, name="担当 次郎", created_at=APRIL)
    return Actor("staff", str(made.id))


def asked(site: Site, method: str, typed: dict[str, str] | None = None, **changes: Any) -> PaymentMethodInput:
    """A method that was chosen and filled in, as the page makes it."""
    found = site.services.payment_methods[method]
    details = found.validate(context(), typed or {})
    assert isinstance(details, Details), details
    sealed = site.services.vault.seal(details.secret, "mandate") if details.secret else ""
    values: dict[str, Any] = {
        "method": method,
        "way": found.way,
        "label": details.label,
        "sealed": Secret(sealed),
        "effective_on": MAY,
    }
    return PaymentMethodInput(**(values | changes))


def ask(
    site: Site, of: Contract, actor: Actor, method: str, typed: dict[str, str] | None = None, **changes: Any
) -> int:
    """A request; its first step is taken at once, as the scheduler does."""
    data = asked(site, method, typed, **changes)
    number = site.engine.start("payment_method_change", f"contract:{of.id}", actor, data).instance_id
    work(site)
    return number


def work(site: Site) -> None:
    """What the heartbeat does: due timers and the outbox, until nothing is due."""
    for _ in range(5):
        site.engine.run_due()
        site.dispatcher.drain()


def bank_transfer(*, demo: bool = False, **account: str) -> BankTransfer:
    facts = SiteFacts(Path("var"), "http://localhost", "a@b.example", demo, "Asia/Tokyo")
    return BankTransfer(BankTransfer.Config(**account), facts)


def report_of_another_method(site: Site, number: int) -> PaymentReport:
    """A report of the demo's card company about a request that is not about a card: genuine, and kept for staff."""
    method = site.services.payment_methods["credit_card"]
    assert isinstance(method, GuardedMethod)
    assert isinstance(method.plugin, DemonstrationPage)
    begun = method.begin(context(request=number), MandateFacts(0, "", ""), Secret(""), f"a card for {number}")
    assert isinstance(begun, Redirect)
    sent = method.plugin.press(begun.reference, success=True)
    assert reports.receive(site.engine, site.services, "credit_card", *sent) == reports.KEPT
    kept: PaymentReport = PaymentReport.get(PaymentReport.request == number)
    return kept
