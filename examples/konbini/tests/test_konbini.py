"""コンビニ払い against its provider: what every payment method must hold, and what only this one does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from tetsuzuki_konbini import Konbini
from tetsuzuki_konbini.barcode import svg, widths
from tetsuzuki_konbini.sandbox import Refusal, Sandbox, serve

from engine.definition import Secret
from engine.errors import ConfigurationError
from engine.plugins import SiteFacts
from workflows.ports.payments import Awaited, MandateFacts, PaymentMethod, Pending, Rejected
from workflows.ports.testing import PaymentMethodContract, context

SITE = SiteFacts(Path("var"), "https://example.jp", "site@example.jp", False, "Asia/Tokyo")
TOKEN, SECRET = "a-token", "a-secret"


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[Sandbox, str]]:
    """A provider that listens on this machine."""
    sandbox = Sandbox(TOKEN, SECRET)
    server = serve(sandbox)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield sandbox, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def method_at(url: str, timeout: float = 2.0) -> Konbini:
    return Konbini(Konbini.Config(url, Secret(TOKEN), Secret(SECRET), timeout=timeout), SITE)


class TestKonbini(PaymentMethodContract):
    typed: ClassVar = {"store": "mihon"}
    hidden: ClassVar = (TOKEN, SECRET)

    @pytest.fixture(autouse=True)
    def at_the_provider(self, provider: tuple[Sandbox, str]) -> Iterator[None]:
        self.sandbox, self.url = provider
        self.sandbox.down = False
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.silent = f"http://127.0.0.1:{silent.getsockname()[1]}"
            yield

    def method(self) -> Konbini:
        return method_at(self.url)

    def finish(self, method: PaymentMethod, mandate: MandateFacts) -> None:
        """The customer pays at the counter."""
        self.sandbox.pay(self.sandbox.payments[mandate.reference].number)

    def signed_events(self, method: PaymentMethod) -> Sequence[tuple[bytes, Mapping[str, str]]]:
        """What the provider sends of a payment, and of one that is canceled."""
        paid, _mandate, _data = self.begun("an event of a payment")
        with suppress(Refusal):  # paid the first time
            self.sandbox.pay(paid.number.replace("-", ""))
        canceled, mandate, data = self.begun("an event of a cancellation")
        method.revoke(context(), mandate, data, "cancel")
        return [self.sandbox.event(self.sandbox.payments[one.reference]) for one in (paid, canceled)]

    def down(self) -> Konbini:
        self.sandbox.down = True
        return self.method()

    def hanging(self) -> Konbini:
        """An address at which connections are taken, and nobody answers."""
        return method_at(self.silent, timeout=0.05)

    def begun(self, key: str) -> tuple[Awaited, MandateFacts, Secret]:
        mandate, data = self.mandate()
        begun = self.method().begin(context(), mandate, data, key)
        assert isinstance(begun, Awaited)
        return begun, MandateFacts(mandate.id, mandate.label, begun.reference), data

    def test_a_number_is_due_in_fourteen_days_and_its_barcode_is_that_number(self) -> None:
        begun, _mandate, _data = self.begun("a number")
        wait = begun.due - datetime.now(UTC)
        assert timedelta(days=13, hours=23) < wait <= timedelta(days=14)
        assert begun.picture is not None
        assert begun.picture.data == svg(begun.number.replace("-", ""))

    def test_it_is_paid_at_the_counter_and_never_twice(self) -> None:
        begun, mandate, _data = self.begun("paid")
        assert self.method().query(context(), mandate).status == "pending"
        self.sandbox.pay(begun.number.replace("-", ""))
        report = self.method().query(context(), mandate)
        assert (report.status, report.amount) == ("paid", 1100)
        assert report.occurred_at is not None
        with pytest.raises(Refusal) as refused:
            self.sandbox.pay(begun.number.replace("-", ""))
        assert refused.value.code == "already_paid"

    def test_the_event_of_a_payment_is_genuine_only_as_it_was_signed(self) -> None:
        begun, _mandate, _data = self.begun("an event")
        raw, headers = self.sandbox.event(self.sandbox.pay(begun.number.replace("-", "")))
        event = self.method().verify_event(raw, headers)
        assert event is not None
        assert self.method().handle_event(event).status == "paid"
        old = headers["Konbini-Signature"].replace(headers["Konbini-Signature"][:4], "1000", 1)
        for wrong in ({}, {"Konbini-Signature": old}, {"Konbini-Signature": "x"}, {"Konbini-Signature": f"{10**11},"}):
            assert self.method().verify_event(raw, wrong) is None
        assert self.method().verify_event(raw + b" ", headers) is None

    def test_a_number_that_is_revoked_cannot_be_paid(self) -> None:
        begun, mandate, data = self.begun("revoked")
        for _twice in range(2):
            assert self.method().revoke(context(), mandate, data, "revoke it").status == "processed"
        assert self.method().query(context(), mandate).status == "canceled"
        with pytest.raises(Refusal):
            self.sandbox.pay(begun.number.replace("-", ""))

    def test_one_that_was_paid_is_revoked_without_an_error(self) -> None:
        begun, mandate, data = self.begun("paid and revoked")
        self.sandbox.pay(begun.number.replace("-", ""))
        assert self.method().revoke(context(), mandate, data, "too late").status == "processed"

    def test_a_provider_that_is_down_is_asked_again(self) -> None:
        _begun, issued, _data = self.begun("before it went down")
        mandate, data = self.mandate()
        self.sandbox.down = True
        assert self.method().begin(context(), mandate, data, "down") == Pending(timedelta(minutes=1))
        assert self.method().query(context(), issued).status == "undefined"
        assert self.method().revoke(context(), issued, data, "down").status == "undefined"

    def test_a_provider_that_refuses_is_not(self) -> None:
        mandate, data = self.mandate()
        wrong = Konbini(Konbini.Config(self.url, Secret("another-token"), Secret(SECRET)), SITE)
        assert wrong.begin(context(), mandate, data, "refused") == Rejected("unauthorized")


def test_without_settings_it_says_why_it_cannot_be_chosen() -> None:
    missing = Konbini(Konbini.Config(), SITE).is_available(context())
    assert missing is not None
    assert missing.reason.render("en").startswith("Convenience store payment is not set up")


def test_half_of_the_settings_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="webhook_secret"):
        Konbini(Konbini.Config("https://x.example", Secret("t")), SITE)


def test_a_barcode_is_what_the_standard_says() -> None:
    """ISO/IEC 16390: begins with four narrow ones, ends with wide, narrow, narrow; two wide of five in each digit."""
    assert widths("12") == [1, 1, 1, 1, 3, 1, 1, 3, 1, 1, 1, 1, 3, 3, 3, 1, 1]
    with pytest.raises(ValueError, match="even count"):
        widths("123")


def test_what_the_sandbox_sends_is_json() -> None:
    sandbox = Sandbox(TOKEN, SECRET)
    sandbox.answer(
        "POST",
        "/v1/payments",
        {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": "k"},
        {"order": 12, "amount": 1100, "days": 14, "store": "mihon"},
    )
    raw, _headers = sandbox.event(sandbox.pay("000012000001"))
    assert json.loads(raw)["payment"]["status"] == "paid"
