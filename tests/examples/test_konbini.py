"""コンビニ払い, whole, in a site of its own and against its provider: paid, paid twice, late, and never."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from engine.definition import Secret
from engine.operations.incidents import incidents
from engine.plugins.site_facts import SiteFacts
from engine.testing import Clock, MemoryMailer
from tests.kit.examples import listening
from tests.kit.orders import accept, chat, on_first_day, send
from tests.kit.payments import MAY, Books, account, ask, contract, paying_site, staff, work
from tests.kit.payments import asked as chosen
from tests.kit.sites import state
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import AwaitedPayment, Contract, Mandate, PaymentReport
from workflows.business.shared.change_request import Decision

HOOK = "/webhooks/konbini"


@pytest.fixture
def sandbox(sandbox_module: Any, clock: Clock) -> Iterator[Any]:
    """The provider, at the site's time; `url` is where it listens."""
    made = sandbox_module.Sandbox("a-token", "a-secret", now=clock)
    with listening(sandbox_module.serve(made)) as made.url:
        yield made


@pytest.fixture
def site(
    sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, konbini: Any, sandbox: Any
) -> Iterator[Site]:
    config = konbini.Konbini.Config(sandbox.url, Secret("a-token"), Secret("a-secret"))
    method = konbini.Konbini(config, SiteFacts(tmp_path, "http://localhost", "a@b.example", False, "Asia/Tokyo"))
    made = paying_site(sqlite_url, tmp_path, clock, mailer, books=Books(), methods={"konbini": method})
    yield made
    made.close()


@pytest.fixture
def app(site: Site) -> Flask:
    return create_app(site)


def asked(site: Site) -> tuple[int, str]:
    """A request, and the number at the counter."""
    of = contract()
    number = ask(site, of, account(of), "konbini", {"store": "mihon"})
    assert state(site, number) == "awaiting_payment"
    return number, AwaitedPayment.get().number.replace("-", "")


def sent(app: Flask, sandbox: Any, payment: Any) -> int:
    """What the site answers to the event of a payment."""
    raw, headers = sandbox.event(payment)
    return app.test_client().post(HOOK, data=raw, headers=headers).status_code


def subjects(mailer: MemoryMailer) -> list[str]:
    return [message.subject for message in mailer.sent]


def test_it_is_paid_within_days_and_the_contract_is_paid_so_from_the_next_month(
    site: Site, app: Flask, sandbox: Any, clock: Clock, mailer: MemoryMailer
) -> None:
    number, digits = asked(site)
    mail = mailer.sent[-1]
    assert mail.subject == "コンビニ払いのお支払い方法をご案内します"
    for text in (f"{digits[:4]}-{digits[4:8]}-{digits[8:]}", "40001", "¥1,100", "2026年4月15日 12:00", "みほんマート"):
        assert text in mail.text
    clock.forward(days=2)
    assert sent(app, sandbox, sandbox.pay(digits)) == 200
    assert state(site, number) == "scheduled"
    work(site)
    assert subjects(mailer)[-1] == "コンビニ払いのお支払いを確認しました"
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert (state(site, number), Contract.get().payment_method) == ("applied", "konbini")
    assert Mandate.get(Mandate.in_use == Contract.get().id).label == "みほんマート"
    assert incidents(site.engine) == []


def test_an_event_that_is_sent_twice_counts_once(site: Site, app: Flask, sandbox: Any, mailer: MemoryMailer) -> None:
    number, digits = asked(site)
    paid = sandbox.pay(digits)
    assert [sent(app, sandbox, paid) for _ in range(3)] == [200, 200, 200]
    work(site)
    assert subjects(mailer).count("コンビニ払いのお支払いを確認しました") == 1
    assert [entry.event for entry in site.engine.history(number)].count("confirmed") == 1


def test_an_event_that_gets_lost_is_asked_for(site: Site, sandbox: Any, clock: Clock) -> None:
    number, digits = asked(site)
    sandbox.pay(digits)
    sandbox.down = True
    clock.forward(hours=1)
    work(site)
    assert state(site, number) == "awaiting_payment"  # not known is asked again
    sandbox.down = False
    clock.forward(hours=1)
    work(site)
    assert state(site, number) == "scheduled"


def test_what_was_paid_in_time_and_is_told_after_the_due_time_counts(
    site: Site, app: Flask, sandbox: Any, clock: Clock
) -> None:
    number, digits = asked(site)
    clock.forward(days=13, hours=23)
    paid = sandbox.pay(digits)
    clock.forward(days=1)
    assert sent(app, sandbox, paid) == 200
    assert state(site, number) == "scheduled"


def test_an_order_is_paid_at_a_store_and_its_contract_begins_so(
    site: Site, app: Flask, sandbox: Any, clock: Clock, mailer: MemoryMailer
) -> None:
    who, clerk = account(contract()), staff()
    number = send(site, who, "konbini")
    assert state(site, number) == "awaiting_details"  # at which chain it is paid
    site.engine.fire(number, "register", who, chosen(site, "konbini", {"store": "mihon"}))
    work(site)
    assert state(site, number) == "awaiting_payment"
    assert subjects(mailer)[-1] == "コンビニ払いのお支払い方法をご案内します（サービスの新規お申込み）"
    digits = AwaitedPayment.get().number.replace("-", "")
    for text in (f"{digits[:4]}-{digits[4:8]}-{digits[8:]}", "¥1,100", "2026年4月15日 12:00"):
        assert text in mailer.sent[-1].text
    clock.forward(days=2)
    paid = sandbox.pay(digits)
    assert [sent(app, sandbox, paid) for _twice in range(2)] == [200, 200]
    work(site)
    assert state(site, number) == "in_review"
    accept(site, number, clerk)
    sandbox.down = True  # the first day needs no provider: what was paid, was paid
    on_first_day(site, clock)
    made = chat()
    assert made is not None
    assert (state(site, number), made.payment_method, made.started_on) == ("applied", "konbini", MAY)
    assert Mandate.get(Mandate.in_use == made.id).label == "みほんマート"
    assert incidents(site.engine) == []


def test_what_was_paid_for_an_order_that_staff_decline_is_an_incident_until_it_is_paid_back(
    site: Site, app: Flask, sandbox: Any
) -> None:
    who, clerk = account(contract()), staff()
    number = send(site, who, "konbini")
    site.engine.fire(number, "register", who, chosen(site, "konbini", {"store": "mihon"}))
    work(site)
    assert sent(app, sandbox, sandbox.pay(AwaitedPayment.get().number.replace("-", ""))) == 200
    site.engine.fire(number, "reject", clerk, Decision("在庫がありません。"))
    work(site)
    (incident,) = incidents(site.engine)
    assert incident.error.startswith("paid: ")


def test_who_never_pays_is_reminded_and_goes_on_as_before(
    site: Site, app: Flask, sandbox: Any, clock: Clock, mailer: MemoryMailer
) -> None:
    number, _digits = asked(site)
    began = clock.now
    clock.now = began + timedelta(days=11)
    work(site)
    assert subjects(mailer)[-1] == "【再送】コンビニ払いのお支払い期限が近づいています"
    clock.now = began + timedelta(days=16)
    work(site)
    assert (state(site, number), Contract.get().payment_method) == ("lapsed", "bank_transfer")
    (payment,) = sandbox.payments.values()
    assert payment.status == "canceled"  # nobody can pay for nothing
    assert incidents(site.engine) == []
    for text in ("カード", "口座"):
        assert all(text not in one.subject + one.text + one.html for one in mailer.sent)


def test_a_provider_that_is_down_when_it_is_asked_for_is_asked_again(site: Site, sandbox: Any, clock: Clock) -> None:
    sandbox.down = True
    of = contract()
    number = ask(site, of, account(of), "konbini", {"store": "mihon"})
    assert state(site, number) == "accepted"
    sandbox.down = False
    clock.forward(minutes=2)
    work(site)
    assert state(site, number) == "awaiting_payment"
    assert len(sandbox.payments) == 1


def test_what_is_paid_after_the_request_has_lapsed_is_kept_for_the_staff(
    site: Site, app: Flask, sandbox: Any, clock: Clock
) -> None:
    number, digits = asked(site)
    clock.forward(days=13)
    paid = sandbox.pay(digits)  # in time, but nobody hears of it
    sandbox.down = True
    clock.forward(days=4)
    work(site)
    assert state(site, number) == "lapsed"
    assert [sent(app, sandbox, paid) for _ in range(2)] == [200, 200]
    work(site)
    (kept,) = PaymentReport.select()
    assert (kept.request, kept.state, kept.amount) == (number, "kept", 1100)
    assert Contract.get().payment_method == "bank_transfer"
