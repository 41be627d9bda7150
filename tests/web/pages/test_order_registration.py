"""サービスの新規お申込み (G45) on its pages: only what is available, the registration, and what staff see of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from engine.testing import Clock, MemoryMailer
from tests.kit.dumps import dump
from tests.kit.members import Member, add_stranger, member, without_chat
from tests.kit.payments import CONFIGURED, LABEL, NUMBER, TYPED, Books, paying_site, work
from tests.kit.sites import state
from tests.kit.staff import enrol, enter
from tests.kit.stripe_server import StripeServer
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import ChangeRequest, Contract, Customer, Mandate, PaymentReport
from workflows.business.request_number import request_number

ORDER = "/changes/order/chatluck"


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, stripe: StripeServer) -> Iterator[Site]:
    with closing(paying_site(database_url, tmp_path, clock, mailer, books=Books(), stripe=stripe)) as made:
        yield made


@pytest.fixture
def hanako(site: Site, app: Flask, customer: Customer) -> Member:
    return without_chat(site, app, customer)


def send(site: Site, browser: Member, method: str) -> int:
    """Order by the pages; the site takes its first step."""
    browser.open(ORDER)
    browser.press("確認画面へ進む", subdomain="mihon-talk", users="12", term="monthly", payment_method=method)
    browser.press("申し込む")
    work(site)
    number: int = ChangeRequest.get(ChangeRequest.kind == "order").instance
    browser.open(f"/contracts/requests/{request_number(number)}")
    return number


def follow(browser: Member, text: str) -> None:
    (link,) = [a for a in browser.page.find_all("a") if a.get_text(strip=True) == text]
    browser.open(str(link["href"]))


def test_the_order_offers_what_is_available_and_says_of_the_others_why_not(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    plugins = {name: CONFIGURED[name] for name in ("bank_transfer",)}
    site = paying_site(database_url, tmp_path, clock, mailer, books=Books(), plugins=plugins)
    try:
        _of, contract = add_stranger(site)
        yoso = member(create_app(site), "yoso@other.example", contract.subdomain)
        yoso.open(ORDER)
        assert [radio["value"] for radio in yoso.page.select("input[name=payment_method]")] == ["bank_transfer"]
        for title in ("口座振替", "クレジットカード決済"):
            assert title in yoso.main
        assert "現在お選びいただけません" in yoso.main
        answer = yoso.press(
            "確認画面へ進む", subdomain="mihon", users="12", term="monthly", payment_method="credit_card"
        )
        assert answer.status_code == 422
        assert yoso.find(id="payment_method-error").get_text(strip=True)
        assert ChangeRequest.select().count() == 0
    finally:
        site.close()


def test_a_method_that_went_away_while_the_confirmation_was_read_is_refused(site: Site, hanako: Member) -> None:
    hanako.open(ORDER)
    hanako.press("確認画面へ進む", subdomain="mihon-talk", users="12", term="monthly", payment_method="credit_card")
    assert "お支払い方法のご登録をお願いします" in hanako.main
    methods = site.services.payment_methods
    gone = methods.pop("credit_card")  # type: ignore[attr-defined]
    hanako.press("申し込む")
    assert ChangeRequest.select().count() == 0
    assert "このお支払い方法は、現在お選びいただけません。" in hanako.text
    methods["credit_card"] = gone  # type: ignore[index]


def test_a_card_is_registered_on_the_page_of_the_order(
    site: Site, hanako: Member, stripe: StripeServer, clock: Clock
) -> None:
    number = send(site, hanako, "credit_card")
    assert hanako.path == f"/changes/orders/{request_number(number)}"
    assert "2026年4月15日 12:00 までにご登録いただけない場合" in hanako.main
    action, data = hanako.filled("お支払い方法の登録画面へ進む")
    assert "口座振替に変えて登録する" in hanako.main
    leads = str(hanako.client.post(action, data=data).headers["Location"])
    assert leads.startswith(stripe.url)
    policy = hanako.open(f"/changes/orders/{request_number(number)}").headers["Content-Security-Policy"]
    assert f"form-action 'self' {stripe.url}" in policy
    assert "口座振替に変えて登録する" not in hanako.main  # a page is open
    session = Mandate.get(Mandate.instance == number).reference
    stripe.register_card(session)
    raw = stripe.event("checkout.session.completed", session)
    answer = hanako.client.post("/webhooks/credit_card", data=raw, headers=stripe.signed(raw))
    assert (answer.status_code, answer.text) == (200, "applied")
    work(site)
    assert state(site, number) == "in_review"
    hanako.open(f"/registration/payment/requests/{request_number(number)}/return?result=success")
    assert hanako.path == f"/changes/orders/{request_number(number)}"
    assert "4242" in hanako.main
    assert "担当者が確認中" in hanako.main


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("checkout.session.completed", ("known", "")),  # the provider says it twice, under two names
        ("checkout.session.expired", ("kept", "contradicts")),  # staff must see it before they accept
    ],
)
def test_what_is_reported_of_an_order_whose_method_works_already_is_decided_at_once(
    site: Site, hanako: Member, stripe: StripeServer, kind: str, outcome: tuple[str, str]
) -> None:
    number = send(site, hanako, "credit_card")
    action, data = hanako.filled("お支払い方法の登録画面へ進む")
    hanako.client.post(action, data=data)
    session = Mandate.get(Mandate.instance == number).reference
    stripe.register_card(session)
    for event, what in enumerate(("checkout.session.completed", kind), 1):
        raw = stripe.event(what, session, event)
        hanako.client.post("/webhooks/credit_card", data=raw, headers=stripe.signed(raw))
    assert state(site, number) == "in_review"
    second = PaymentReport.get(PaymentReport.event == "evt_2")
    assert (second.state, second.reason) == outcome


def test_papers_are_filled_in_downloaded_and_corrected(site: Site, hanako: Member, clock: Clock) -> None:
    number = send(site, hanako, "direct_debit")
    assert state(site, number) == "awaiting_details"
    follow(hanako, "口座振替を登録する")
    assert "金融機関の承認後に、お申し込みのお手続きを進めます。" in hanako.main
    assert "これまでのお支払い方法" not in hanako.main
    assert hanako.press("登録する", **{**TYPED, "number": "十二"}).status_code == 422
    assert hanako.find(id="holder")["value"] == TYPED["holder"]
    action, data = hanako.filled("登録する", **TYPED)
    first, second = (hanako.client.post(action, data=data) for _ in range(2))  # a double click
    assert first.location == second.location == f"/changes/orders/{request_number(number)}"
    assert [entry.event for entry in site.engine.history(number)].count("register") == 1
    work(site)
    hanako.open(first.location)
    assert LABEL in hanako.main
    assert NUMBER not in dump(site.db)
    form = hanako.client.get(f"/registration/payment/requests/{request_number(number)}/form.pdf")
    assert (form.status_code, form.data[:5]) == (200, b"%PDF-")
    follow(hanako, "口座振替を登録する")
    hanako.press("登録する", **{**TYPED, "number": "7654321"})
    assert "****321" in hanako.main
    assert state(site, number) == "awaiting_form"


def test_what_is_transferred_needs_nothing_more(site: Site, hanako: Member) -> None:
    number = send(site, hanako, "bank_transfer")
    assert state(site, number) == "in_review"
    assert "次にしていただくこと" not in hanako.main
    hanako.open(f"/changes/orders/{request_number(number)}/method/bank_transfer")
    assert hanako.path == f"/changes/orders/{request_number(number)}"


def test_nobody_else_sees_or_registers_it(site: Site, app: Flask, hanako: Member) -> None:
    number = send(site, hanako, "direct_debit")
    _stranger, contract = add_stranger(site)
    yoso = member(app, "yoso@other.example", contract.subdomain)
    page = f"/changes/orders/{request_number(number)}"
    for path in (page, f"{page}/method/direct_debit", f"/registration/payment/requests/{request_number(number)}"):
        assert yoso.open(path).status_code == 404
    hanako.open(f"{page}/method/direct_debit")
    _action, data = hanako.filled("登録する", **TYPED)
    yoso.open("/top")
    own = yoso.find("input", attrs={"name": "csrf_token"})["value"]
    answer = yoso.client.post(f"{page}/method/direct_debit", data={**data, "csrf_token": own})
    assert answer.status_code == 404
    assert Mandate.select().where(Mandate.instance == number).count() == 0
    for path in (f"{page}/method/shells", f"{page}/method/direct_debit?variant=no"):
        assert hanako.open(path).status_code == 404


def test_a_request_of_another_kind_has_no_page_of_an_order(site: Site, hanako: Member) -> None:
    hanako.open("/changes")
    hanako.open(f"/changes/contracts/{Contract.get().id}/users")
    hanako.press("確認画面へ進む", users="50")
    hanako.press("申し込む")
    number = ChangeRequest.get().instance
    assert hanako.open(f"/changes/orders/{request_number(number)}").status_code == 404


def test_staff_see_whether_it_works_before_they_accept(site: Site, app: Flask, hanako: Member, clock: Clock) -> None:
    number = send(site, hanako, "direct_debit")
    tanto = Member(app)
    enter(tanto, enrol(site)[1], clock)
    tanto.open(f"/staff/requests/{number}")
    assert "未完了です。完了するまで、お申し込みを承認できません。" in tanto.main
    assert "承認する" not in tanto.buttons
    follow(hanako, "口座振替を登録する")
    hanako.press("登録する", **TYPED)
    for press, event in (
        (tanto.press, "依頼書を受領した"),
        (tanto.press, "金融機関へ送付した"),
        (tanto.decide, "金融機関が承認した"),
    ):
        tanto.open(f"/staff/requests/{number}")
        assert "未完了です" in tanto.main
        press(event)
    work(site)
    assert state(site, number) == "in_review"
    tanto.open(f"/staff/requests/{number}")
    assert "完了（2026年4月1日" in tanto.main
    assert LABEL in tanto.main
