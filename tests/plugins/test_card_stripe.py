"""Cards by Stripe: Checkout against a small server of our own, the other calls against localstripe as a process."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import stripe

from engine.attempt import Secret
from engine.errors import ConfigurationError
from engine.plugins.site_facts import SiteFacts
from plugins.card_stripe import CardStripe, charges
from plugins.demo_card import DemoCard
from tests.kit.silence import silent
from tests.kit.stripe_server import StripeServer
from tests.kit.waiting import PATIENCE, eventually
from tests.kit.wire import free_port
from workflows.ports.billing import Bill
from workflows.ports.collecting import DuePayment
from workflows.ports.payments import (
    DemonstrationPage,
    MandateFacts,
    PaymentMethod,
    Pending,
    Redirect,
    Rejected,
    Report,
)
from workflows.ports.testing.payments import PaymentMethodContract, context

KEY, WEBHOOK_SECRET = "sk_test_of_the_tests", "whsec_of_the_tests"
NOTHING = Secret("")


def facts(demo: bool = False) -> SiteFacts:
    return SiteFacts(Path("var"), "http://localhost", "a@b.example", demo, "Asia/Tokyo")


@pytest.fixture
def server() -> Iterator[StripeServer]:
    running = StripeServer(WEBHOOK_SECRET)
    yield running
    running.close()


@pytest.fixture
def method(server: StripeServer) -> CardStripe:
    return made(server.url)


def made(api_base: str, timeout: float = 20.0) -> CardStripe:
    config = CardStripe.Config(Secret(KEY), Secret(WEBHOOK_SECRET), api_base=api_base, timeout=timeout)
    return CardStripe(config, facts())


class TestContract(PaymentMethodContract):
    hidden = (KEY, WEBHOOK_SECRET)

    @pytest.fixture(autouse=True)
    def stripe(self, server: StripeServer) -> Iterator[None]:
        self.server, self.made = server, made(server.url)
        with silent() as self.silent:
            yield

    def method(self) -> CardStripe:
        return self.made

    def registered(self) -> tuple[MandateFacts, Secret]:
        reference = began(self.made).reference
        self.server.register_card(reference)
        return of(reference), NOTHING

    def down(self) -> CardStripe:
        self.server.down = True
        return self.made

    def hanging(self) -> CardStripe:
        return made(f"http://{self.silent}", timeout=0.1)

    def signed_events(self, method: PaymentMethod) -> Sequence[tuple[bytes, Mapping[str, str]]]:
        reference = began(self.made).reference
        self.server.register_card(reference)
        kinds = ("checkout.session.completed", "checkout.session.expired", "customer.created")
        bodies = [self.server.event(kind, reference, number) for number, kind in enumerate(kinds)]
        return [(raw, self.server.signed(raw)) for raw in bodies]


class TestDemonstrationContract(PaymentMethodContract):
    def method(self) -> DemoCard:
        return DemoCard(DemoCard.Config(), facts(demo=True))

    def signed_events(self, method: PaymentMethod) -> Sequence[tuple[bytes, Mapping[str, str]]]:
        assert isinstance(method, DemoCard)
        begun = method.begin(context(), MandateFacts(1, "", ""), NOTHING, "a key")
        assert isinstance(begun, Redirect)
        return [method.press(begun.reference, success=success) for success in (True, False)]


def began(method: CardStripe, key: str = "a key") -> Redirect:
    begun = method.begin(context(), MandateFacts(1, "", ""), NOTHING, key)
    assert isinstance(begun, Redirect)
    return begun


def of(reference: str) -> MandateFacts:
    return MandateFacts(1, "", reference)


def test_a_page_is_stripes_and_knows_the_request(method: CardStripe, server: StripeServer) -> None:
    begun = began(method)
    session = server.objects[begun.reference]
    assert begun.url == session["url"]
    assert session["client_reference_id"] == "12"
    assert session["success_url"] == "http://localhost/return?result=success"


def test_beginning_again_makes_no_second_page(method: CardStripe, server: StripeServer) -> None:
    assert began(method) == began(method)
    assert [one for one in server.objects if one.startswith("cs_")] == [began(method).reference]


def test_a_page_that_was_left_is_pending_and_a_card_that_was_typed_is_processed(
    method: CardStripe, server: StripeServer
) -> None:
    reference = began(method).reference
    assert method.query(context(), of(reference)).status == "pending"
    server.register_card(reference)
    report = method.query(context(), of(reference))
    assert (report.status, report.label) == ("processed", "VISA **** 4242（04/2030）")


def test_a_server_that_is_down_leaves_it_undefined_and_begins_nothing(method: CardStripe, server: StripeServer) -> None:
    reference = began(method).reference
    server.down = True
    assert method.query(context(), of(reference)).status == "undefined"
    assert isinstance(method.begin(context(), MandateFacts(1, "", ""), NOTHING, "other"), Pending)
    assert method.revoke(context(), of(reference), NOTHING, "key").status == "undefined"


def test_nobody_there_is_undefined() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    method = made(url)
    assert method.query(context(), of("cs_1")).status == "undefined"
    assert isinstance(method.begin(context(), MandateFacts(1, "", ""), NOTHING, "key"), Pending)


def test_revoking_closes_an_open_page(method: CardStripe, server: StripeServer) -> None:
    reference = began(method).reference
    assert method.revoke(context(), of(reference), NOTHING, "key").status == "processed"
    assert server.objects[reference]["status"] == "expired"
    assert method.query(context(), of(reference)).status == "canceled"


def test_revoking_takes_a_card_back_once(method: CardStripe, server: StripeServer) -> None:
    reference = began(method).reference
    server.register_card(reference)
    for key in ("first", "second"):
        assert method.revoke(context(), of(reference), NOTHING, key).status == "processed"
    assert sum(path.endswith("/detach") for _verb, path in server.calls) == 1


def test_an_unknown_session_is_an_error(method: CardStripe) -> None:
    assert method.query(context(), of("cs_unknown")).status == "error"


def test_an_event_of_stripe_is_believed(method: CardStripe, server: StripeServer) -> None:
    reference = began(method).reference
    server.register_card(reference)
    raw = server.event("checkout.session.completed", reference)
    event = method.verify_event(raw, server.signed(raw))
    assert event is not None
    report = method.handle_event(event)
    assert report is not None
    assert (report.status, report.request, report.reference) == ("processed", 12, reference)
    assert report.label == "VISA **** 4242（04/2030）"


def test_an_event_counts_although_stripe_cannot_be_asked(method: CardStripe, server: StripeServer) -> None:
    reference = began(method).reference
    raw = server.event("checkout.session.completed", reference)
    server.down = True
    event = method.verify_event(raw, server.signed(raw))
    assert event is not None
    report = method.handle_event(event)
    assert report is not None
    assert (report.status, report.label) == ("processed", "")


@pytest.mark.parametrize("fault", ["changed", "secret", "old", "missing", "huge", "no json", "no id"])
def test_what_is_not_stripes_is_not_believed(method: CardStripe, server: StripeServer, fault: str) -> None:
    raw = server.event("checkout.session.completed", began(method).reference)
    if fault == "huge":
        raw = raw[:-1] + b" " * 600_000 + b"}"
    if fault == "no json":
        raw = b"{"
    if fault == "no id":
        raw = b'{"id": 3}'
    headers = server.signed(raw, age=301 if fault == "old" else 0, secret="whsec_other" if fault == "secret" else "")
    if fault == "changed":
        raw = raw.replace(b'"12"', b'"13"')
    if fault == "missing":
        headers = {}
    assert method.verify_event(raw, headers) is None


@pytest.mark.parametrize("number", ["9" * 40, None, "-1", "٣"])
def test_a_session_without_a_number_of_a_request_says_so(
    method: CardStripe, server: StripeServer, number: str | None
) -> None:
    raw = server.event("checkout.session.completed", began(method).reference, client_reference_id=number)
    event = method.verify_event(raw, server.signed(raw))
    assert event is not None
    report = method.handle_event(event)
    assert report is not None
    assert report.request == 0


@pytest.mark.parametrize("changes", [{"mode": "payment"}, {"object": "invoice"}])
def test_events_about_other_things_concern_no_request(
    method: CardStripe, server: StripeServer, changes: dict[str, Any]
) -> None:
    raw = server.event("checkout.session.completed", began(method).reference, **changes)
    event = method.verify_event(raw, server.signed(raw))
    assert event is not None
    assert method.handle_event(event) is None


def test_events_of_other_kinds_concern_no_request(method: CardStripe, server: StripeServer) -> None:
    raw = server.event("checkout.session.async_payment_failed", began(method).reference)
    event = method.verify_event(raw, server.signed(raw))
    assert event is not None
    assert method.handle_event(event) is None


@pytest.mark.parametrize("data", [None, [], "x", {"object": None}, {}])
def test_an_event_of_another_shape_concerns_no_request(method: CardStripe, server: StripeServer, data: object) -> None:
    import json

    raw = json.dumps({"id": "evt_1", "type": "checkout.session.completed", "data": data}).encode()
    event = method.verify_event(raw, server.signed(raw))
    assert event is not None
    assert method.handle_event(event) is None


def test_without_keys_it_says_why() -> None:
    method = CardStripe(CardStripe.Config(), facts())
    missing = method.is_available(context())
    assert missing is not None
    assert "設定" in str(missing.reason)
    assert method.begin(context(), MandateFacts(1, "", ""), NOTHING, "key") == Rejected("not_available")
    assert method.verify_event(b"{}", {"Stripe-Signature": "t=1,v1=0"}) is None


def test_one_key_without_the_other_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="both or neither"):
        CardStripe(CardStripe.Config(api_key=Secret(KEY)), facts())


def test_the_demos_page_believes_no_address() -> None:
    method = DemoCard(DemoCard.Config(), facts(demo=True))
    mandate, here = MandateFacts(1, "", ""), context(request=7)
    begun = method.begin(here, mandate, Secret(""), "key")
    assert isinstance(begun, Redirect)
    for _button in range(2):
        assert "完了していません" in str(method.handle_return(here, {"result": "success"}))
        method.press(begun.reference, success=False)
    method.press(begun.reference, success=True)
    assert "受け取りました" in str(method.handle_return(here, {"result": "cancel"}))
    assert "完了していません" in str(method.handle_return(context(request=8), {"result": "success"}))


def test_a_demo_reaches_no_stripe_and_nobody_else_has_the_demo() -> None:
    assert CardStripe(CardStripe.Config(), facts(demo=True)).register_payment_methods() == {}
    assert DemoCard(DemoCard.Config(), facts(demo=False)).register_payment_methods() == {}
    assert isinstance(DemoCard(DemoCard.Config(), facts(demo=True)), DemonstrationPage)


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    """localstripe keeps what it knows in a file of its own folder; `--from-scratch` forgets it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers() -> bool:
        assert process.poll() is None
        try:
            with urlopen(url, timeout=PATIENCE):
                return True
        except HTTPError:
            return True
        except OSError:
            return False

    eventually("localstripe", answers)
    yield url
    process.terminate()
    process.wait(PATIENCE)


def test_cards_are_detached_as_localstripe_does_it(localstripe: str, server: StripeServer) -> None:
    """Customers and cards are localstripe's; the session, which it has not, is our own server's."""
    method = made(localstripe)
    client = method._client()
    customer = client.v1.customers.create({"description": "A01234567"}, {"idempotency_key": "localstripe.customer"})
    token = client.v1.payment_methods.create(
        {"type": "card", "card": {"number": "4242424242424242", "exp_month": 4, "exp_year": 2030, "cvc": "123"}}
    )
    client.v1.payment_methods.attach(token.id, {"customer": customer.id})
    assert client.v1.payment_methods.retrieve(token.id).customer == customer.id
    client.v1.payment_methods.detach(token.id, {}, {"idempotency_key": "localstripe.detach"})
    assert client.v1.payment_methods.retrieve(token.id).customer is None


@pytest.mark.parametrize(
    ("number", "status"), [("4242424242424242", "paid"), ("4000000000000341", "failed")]
)  # the second one can be attached, and is declined
def test_cards_are_charged_as_localstripe_does_it(localstripe: str, number: str, status: str) -> None:
    method = made(localstripe)
    client = method._client()
    customer = client.v1.customers.create({"description": "A01234567"}, {"idempotency_key": f"customer {number}"})
    card = client.v1.payment_methods.create(
        {"type": "card", "card": {"number": number, "exp_month": 4, "exp_year": 2030, "cvc": "123"}}
    )
    client.v1.payment_methods.attach(card.id, {"customer": customer.id})
    bill = Bill("B-7", 7, 11_000, date(2026, 4, 1))
    payment = DuePayment(12, bill, of("cs_1"), 11_000, bill.due_on, 1, datetime(2026, 4, 1, tzinfo=UTC))
    report = charges.charge_card(client, payment, customer.id, card.id, f"charge {number}")
    assert report.status == status
    if status == "failed":
        assert report.detail == "card_declined"
        return
    assert report.amount == 11_000
    paid = replace(payment, reference=report.reference)
    assert method.query_payment(context(), paid) == report
    assert method.refund(context(), paid, 11_000, f"refund {number}").status == "refunded"


def test_checkout_is_what_localstripe_has_not(localstripe: str) -> None:
    """Then our own server is needed; and a call that is refused begins nothing."""
    begun = made(localstripe).begin(context(), MandateFacts(1, "", ""), NOTHING, "key")
    assert isinstance(begun, Pending | Rejected)
    with pytest.raises(stripe.StripeError):
        made(localstripe)._client().v1.checkout.sessions.create({"mode": "setup", "currency": "jpy"})


def due(method: CardStripe, server: StripeServer, tries: int = 1) -> DuePayment:
    """A bill's payment by a card that was registered."""
    reference = began(method).reference
    server.register_card(reference)
    bill = Bill("B-7", 7, 11_000, date(2026, 4, 1))
    return DuePayment(12, bill, of(reference), 11_000, bill.due_on, tries, datetime(2026, 4, 1, tzinfo=UTC))


def intents(server: StripeServer) -> list[dict[str, Any]]:
    return [one for one in server.objects.values() if one.get("object") == "payment_intent"]


def test_a_bill_is_charged_to_the_registered_card_once(method: CardStripe, server: StripeServer) -> None:
    payment = due(method, server)
    report = method.collect(context(), payment, "a charge")
    assert method.collect(context(), payment, "a charge") == report
    (intent,) = intents(server)
    assert report == Report("paid", 12, intent["id"], amount=11_000)
    assert intent["metadata"] == {"payment": "12", "try": "1", "bill": "B-7"}
    assert method.query_payment(context(), replace(payment, reference=intent["id"])) == report


def test_a_charge_whose_answer_was_lost_is_found_by_what_it_is_about(method: CardStripe, server: StripeServer) -> None:
    payment = due(method, server)
    assert method.query_payment(context(), payment).detail == "never asked for"
    server.deaf = True
    with pytest.raises(stripe.APIError):
        method.collect(context(), payment, "a charge")
    server.deaf = False
    (intent,) = intents(server)
    assert method.query_payment(context(), payment) == Report("paid", 12, intent["id"], amount=11_000)
    assert method.query_payment(context(), replace(payment, tries=2)).status == "failed"


@pytest.mark.parametrize(
    ("code", "failure"),
    [("insufficient_funds", "insufficient_funds"), ("expired_card", "mandate_unusable"), ("do_not_honor", "")],
)
def test_a_card_that_is_declined_says_why(method: CardStripe, server: StripeServer, code: str, failure: str) -> None:
    payment = due(method, server)
    server.declines = code
    report = method.collect(context(), payment, "a charge")
    (intent,) = intents(server)
    assert (report.status, report.failure, report.detail, report.reference) == ("failed", failure, code, intent["id"])
    assert method.query_payment(context(), replace(payment, reference=intent["id"])).failure == failure


def test_a_card_that_was_detached_cannot_be_charged(method: CardStripe, server: StripeServer) -> None:
    payment = due(method, server)
    method.revoke(context(), payment.mandate, NOTHING, "ended")
    assert method.collect(context(), payment, "a charge").status == "failed"


def test_stripe_that_is_down_declines_nothing(method: CardStripe, server: StripeServer) -> None:
    payment = due(method, server)
    server.down = True
    with pytest.raises(stripe.APIError):
        method.collect(context(), payment, "a charge")
    with pytest.raises(stripe.APIError):
        method.query_payment(context(), payment)


def test_a_charge_is_tried_again_on_the_days_of_the_setting(method: CardStripe, server: StripeServer) -> None:
    today = date(2026, 4, 1)
    days = [method.retry_day(due(method, server, tries), today) for tries in (1, 2, 3)]
    assert days == [date(2026, 4, 4), date(2026, 4, 8), None]


def test_a_charge_is_paid_back_once(method: CardStripe, server: StripeServer) -> None:
    payment = due(method, server)
    paid = replace(payment, reference=method.collect(context(), payment, "a charge").reference)
    for _ in range(2):
        report = method.refund(context(), paid, 11_000, "back")
        assert report == Report("refunded", 12, paid.reference, amount=11_000)
    assert len([one for one in server.objects if one.startswith("re_")]) == 1


def test_events_about_a_payment_name_it(method: CardStripe, server: StripeServer) -> None:
    payment = due(method, server)
    method.collect(context(), payment, "a charge")
    (intent,) = intents(server)
    charge = {"id": "ch_1", "payment_intent": intent["id"], "metadata": intent["metadata"], "amount_refunded": 300}
    declined = {**intent, "last_payment_error": {"code": "card_declined", "decline_code": "insufficient_funds"}}
    said = [
        ("payment_intent.succeeded", intent, Report("paid", 12, intent["id"], amount=11_000)),
        ("charge.refunded", charge, Report("refunded", 12, intent["id"], amount=300)),
        ("charge.dispute.funds_withdrawn", {"payment_intent": intent["id"]}, Report("charged_back", 12, intent["id"])),
        ("payment_intent.succeeded", {**intent, "metadata": {}}, None),  # of another site
        ("charge.succeeded", charge, None),
    ]
    for kind, about, report in said:
        raw = server.event_of(kind, about)
        event = method.verify_event(raw, server.signed(raw))
        assert event is not None
        assert method.handle_event(event) == report, kind
    raw = server.event_of("payment_intent.payment_failed", declined)
    event = method.verify_event(raw, server.signed(raw))
    assert event is not None
    report = method.handle_event(event)
    assert report is not None
    assert (report.status, report.failure) == ("failed", "insufficient_funds")
