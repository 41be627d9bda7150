"""ご契約種別・お支払い方法変更 as a page, the webhooks, and the demonstration of a card company (G35)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, USER_NAME, Browser, add_customer, address
from tests.kit.dumps import dump, dump_bytes
from tests.kit.payments import APRIL, CONFIGURED, HOLDER, LABEL, MAY, NUMBER, TYPED, Books, paying_site, staff, work
from tests.kit.renderers import RENDERERS
from tests.kit.sites import state
from tests.kit.staff import enrol, enter
from tests.kit.stripe_server import StripeServer
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import Account, ChangeRequest, Contract, Customer, KeptForm, Mandate, PaymentReport
from workflows.business.request_number import read_request_number, request_number
from workflows.business.shared.change_request import Decision
from workflows.payment_method_change import reports
from workflows.payment_method_change.records import PaymentEvent
from workflows.ports.billing import Booking

PAGE = "/registration/payment"
CARD = "クレジットカード決済に変更する"
DEBIT = "口座振替に変更する"


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, stripe: StripeServer) -> Iterator[Site]:
    made = paying_site(sqlite_url, tmp_path, clock, mailer, books=Books(), stripe=stripe)
    yield made
    made.close()


def logged_in(site: Site, app: Flask, of: Customer, role: str = "editor", email: str = EMAIL) -> Browser:
    Account.create(
        customer=of,
        email=email,
        user_name=USER_NAME,
        password_hash=site.hasher.hash(PASSWORD),
        role=role,
        created_at=APRIL,
    )
    somebody = Browser(app)
    subdomain = Contract.select().where(Contract.customer == of).order_by(Contract.id).first().subdomain
    somebody.log_in(email=email, subdomain=subdomain)
    return somebody


@pytest.fixture
def hanako(site: Site, app: Flask, customer: Customer) -> Browser:
    return logged_in(site, app, customer)


def follow(browser: Browser, text: str, nth: int = 0) -> None:
    links = [a for a in browser.page.find_all("a") if a.get_text(strip=True) == text]
    assert links, f"no link {text} on {browser.path}"
    browser.open(address(links[nth]))


def asked_number(browser: Browser) -> int:
    read = read_request_number(browser.path.rsplit("/", 1)[1])
    assert isinstance(read, int)
    return read


def ask_debit(browser: Browser, **changes: str) -> int:
    browser.open(PAGE)
    follow(browser, DEBIT)
    browser.press("確認へ進む", **(TYPED | changes))
    browser.press("申し込む")
    return asked_number(browser)


def ask_card(browser: Browser) -> int:
    browser.open(PAGE)
    follow(browser, CARD)
    browser.press("確認へ進む")
    browser.press("申し込む")
    return asked_number(browser)


def open_page(browser: Browser) -> str:
    """Press the button; where it leads."""
    action, data = browser.filled("お手続きの画面へ進む")
    return str(browser.client.post(action, data=data).headers["Location"])


def test_the_page_shows_every_contract_with_term_and_method(hanako: Browser) -> None:
    hanako.open(PAGE)
    assert hanako.title == "ご契約種別・お支払い方法変更"
    for text in ("月払い", "年間一括払い", "銀行振込", DEBIT, CARD):
        assert text in hanako.text


def test_what_is_not_configured_is_shown_with_the_reason_and_no_button(
    sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    site = paying_site(sqlite_url, tmp_path, clock, mailer, plugins={})
    of = add_customer()
    Contract.update(payment_method="credit_card").execute()
    browser = logged_in(site, create_app(site), of)
    browser.open(PAGE)
    assert "お振込先の口座が設定されていないため" in browser.text
    assert "依頼書のご返送先が設定されていないため" in browser.text
    assert "カード決済の設定が完了していないため" in browser.text
    assert not [a for a in browser.page.find_all("a") if "に変更する" in a.get_text()]
    contract = Contract.get()
    for method in ("bank_transfer", "direct_debit", "credit_card", "cash"):
        assert browser.client.get(f"{PAGE}/{contract.id}/{method}").status_code == 404
    site.close()


def test_term_is_changed_on_the_page_of_its_contract(hanako: Browser) -> None:
    """G35: from here straight to the contract's form, not to a list to look for it in."""
    hanako.open(PAGE)
    ways = [
        address(a) for a in hanako.page.find_all("a") if a.get_text() == "ご契約種別（月払い／年間一括払い）を変更する"
    ]
    assert ways == [f"/changes/contracts/{one.id}/term" for one in Contract.select().order_by(Contract.id)]
    for way in ways:
        hanako.open(way)
        assert hanako.title == "ご契約種別の変更"


def test_direct_debit_from_the_page_to_the_form(site: Site, hanako: Browser, mailer: MemoryMailer) -> None:
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    assert hanako.title == "お支払い方法の変更：口座振替"
    hanako.press("確認へ進む", **TYPED)
    assert hanako.title == "お申し込み内容の確認"
    assert LABEL in hanako.text
    assert "2026年5月1日" in hanako.text
    assert NUMBER not in hanako.response.get_data(as_text=True)
    assert Mandate.select().count() == 0  # nothing is kept before the yes
    hanako.press("申し込む")
    number = asked_number(hanako)
    assert "依頼書のご返送待ち" in hanako.text
    pdf = hanako.client.get(f"{PAGE}/requests/{number}/form.pdf")
    assert (pdf.status_code, pdf.mimetype) == (200, "application/pdf")
    assert pdf.data.startswith(b"%PDF-")
    assert pdf.headers["Cache-Control"] == "no-store"
    work(site)
    assert state(site, number) == "awaiting_form"
    held = dump_bytes(site.db)
    assert NUMBER.encode() not in held
    assert HOLDER.encode() not in held
    hanako.act("取り下げる")
    assert "取り下げ" in hanako.one(".state").text
    assert hanako.client.get(f"{PAGE}/requests/{number}/form.pdf").status_code == 404


def test_letters_that_the_form_cannot_print_are_named_beside_it(hanako: Browser) -> None:
    notice = "次の文字は印刷されません。手書きでご記入ください。"
    number = ask_debit(hanako)
    assert notice not in hanako.text
    rare = "𠮷野家𓀀葛\U000e0109"
    Customer.update(company=rare).execute()
    hanako.open(f"{PAGE}/requests/{number}")
    assert notice in hanako.text
    assert "𓀀 (U+13000)" in hanako.text
    assert "葛\U000e0109 (U+845B U+E0109)" in hanako.text
    assert "U+20BB7" not in hanako.text
    for pages in RENDERERS.values():
        (page,) = pages(hanako.client.get(f"{PAGE}/requests/{number}/form.pdf").data)
        assert "𠮷野家" in page.bare()
        assert "𓀀" not in page.bare()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bank": "ない銀行"}, "bank"),
        ({"branch": ""}, "branch"),
        ({"number": "12345678"}, "number"),
        ({"holder": "株式会社"}, "holder"),
    ],
)
def test_what_is_wrong_stands_at_its_field(hanako: Browser, changes: dict[str, str], field: str) -> None:
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    response = hanako.press("確認へ進む", **(TYPED | changes))
    assert response.status_code == 422
    assert set(hanako.errors) == {field}


def test_what_may_be_meant_is_offered_beside_what_was_typed_and_the_rest_of_the_form_stays(hanako: Browser) -> None:
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    response = hanako.press("確認へ進む", **(TYPED | {"bank": "八千代銀行", "branch": "新宿"}))
    assert response.status_code == 422
    assert set(hanako.errors) == {"bank"}
    assert "八千代銀行は2018年5月1日にきらぼし銀行になりました。" in hanako.text
    offered = hanako.page.find_all("input", type="radio")
    assert str(offered[0]["value"]) == "きらぼし銀行（0137）"
    assert not [one for one in offered if one.has_attr("checked")]
    assert all(hanako.page.find("label", attrs={"for": str(one["id"])}) for one in offered)
    assert hanako.value("holder") == TYPED["holder"]
    assert str(hanako.one("option[selected]")["value"]) == TYPED["kind"]
    # Nothing is chosen: the same question again, and no other bank in silence.
    hanako.press("確認へ進む", kind="ordinary")
    assert set(hanako.errors) == {"bank"}
    hanako.press("確認へ進む", **{"kind": "ordinary", "bank.chosen": "きらぼし銀行（0137）"})
    assert hanako.title == "お申し込み内容の確認"
    for text in ("きらぼし銀行 新宿支店 普通 ****567", "0137", "カ）ミホンシヨウジ"):
        assert text in hanako.text
    assert NUMBER not in hanako.response.get_data(as_text=True)


def test_what_is_typed_anew_counts_more_than_a_choice(hanako: Browser) -> None:
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    hanako.press("確認へ進む", **(TYPED | {"bank": "八千代銀行"}))
    hanako.press("確認へ進む", **{"kind": "ordinary", "bank": "みずほ銀行", "bank.chosen": "きらぼし銀行（0137）"})
    assert LABEL in hanako.text


def test_a_choice_stands_in_its_field_while_the_next_question_is_asked(hanako: Browser) -> None:
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    hanako.press("確認へ進む", **(TYPED | {"bank": "三菱東京UFJ銀行", "branch": "新宿中"}))
    hanako.press("確認へ進む", **{"kind": "ordinary", "bank.chosen": "三菱UFJ銀行（0005）"})
    assert set(hanako.errors) == {"branch"}
    assert hanako.value("bank") == "三菱UFJ銀行（0005）"
    hanako.press("確認へ進む", **{"kind": "ordinary", "branch.chosen": "新宿中央支店（469）"})
    assert "三菱UFJ銀行 新宿中央支店" in hanako.text


def test_an_account_at_yucho_has_a_form_of_its_own_from_the_page_to_the_pdf(
    sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    settings = {**CONFIGURED["direct_debit"], "yucho_account": "00100-1-123456", "yucho_payee": "株式会社みほん"}
    site = paying_site(sqlite_url, tmp_path, clock, mailer, plugins={"direct_debit": settings})
    browser = logged_in(site, create_app(site), add_customer())
    browser.open(PAGE)
    follow(browser, DEBIT)
    # Whoever types the branch for transfers is led on, with what is the same on both forms.
    response = browser.press("確認へ進む", **(TYPED | {"bank": "ゆうちょ", "branch": "018", "number": "1234561"}))
    assert response.status_code == 422
    assert "通帳に記載の記号（5桁）と番号（8桁以内）をご入力ください。" in browser.text
    assert browser.value("holder") == TYPED["holder"]
    assert browser.value("yucho_number") == ""  # a 口座番号 that ends in 1 is no 番号, although it looks like one
    assert browser.one(".tabs [aria-current]").text == "ゆうちょ銀行"
    browser.press("確認へ進む", symbol="018", yucho_number="1234567")
    assert set(browser.errors) == {"symbol", "yucho_number"}
    browser.press("確認へ進む", symbol="10180", yucho_number="12345671")
    assert browser.title == "お申し込み内容の確認"
    assert "12345671" not in browser.response.get_data(as_text=True)
    back = address(browser.find("a", string="入力内容を修正する"))
    browser.press("申し込む")
    assert "ゆうちょ銀行 記号10180 番号*****671" in browser.text
    assert browser.client.get(f"{PAGE}/requests/{asked_number(browser)}/form.pdf").data.startswith(b"%PDF-")
    assert browser.client.get(back.replace("yucho", "another")).status_code == 404
    site.close()


def test_a_form_sent_twice_is_one_request(site: Site, hanako: Browser, mailer: MemoryMailer) -> None:
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    hanako.press("確認へ進む", **TYPED)
    action, data = hanako.filled("申し込む")
    answers = [hanako.client.post(action, data=data) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert Mandate.select().count() == 1
    # another one, made meanwhile in another tab, is told that somebody was faster
    hanako.client.post(action + "x", data=data)
    hanako.open(action + "x")
    assert "同じ内容のお申し込みを受け付けています" in hanako.text
    assert Mandate.select().count() == 1


def test_its_confirmation_can_be_asked_for_again_and_says_when_it_was_sent(hanako: Browser) -> None:
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    hanako.press("確認へ進む", **TYPED)
    path, said = hanako.path, hanako.text
    for _time in range(2):
        assert hanako.open(path).status_code == 200
        assert hanako.text == said
    hanako.press("申し込む")
    for junk in ("迷惑メールフォルダ", "aporder@desknets.com", "info@customer.example", EMAIL):  # G31, G43
        assert junk in hanako.text
    result = hanako.path
    for _time in range(2):
        assert hanako.open(path).status_code == 200
        assert "すでに受け付けています" in hanako.text
    hanako.open(address(hanako.one("main a.target")))
    assert hanako.path == result
    assert not [name for name in hanako.cookies if "payment" in name]


def test_account_numbers_that_wait_are_nowhere_on_the_server(hanako: Browser) -> None:
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    hanako.press("確認へ進む", **TYPED)
    assert KeptForm.select().count() == 0
    assert [name for name in hanako.cookies if "payment" in name]


def test_details_that_no_cookie_holds_are_confirmed_all_the_same(
    hanako: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.pages.payment_method_change.ask._LONGEST_COOKIE", 10)
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    hanako.press("確認へ進む", **TYPED)
    hanako.press("申し込む")
    assert Mandate.select().count() == 1


def test_what_waits_for_its_confirmation_is_sealed_for_one_account_contract_and_method(
    site: Site, app: Flask, hanako: Browser, customer: Customer, clock: Clock
) -> None:
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    hanako.press("確認へ進む", **TYPED)
    action, data = hanako.filled("申し込む")
    first, second = Contract.select().order_by(Contract.id)
    taro = logged_in(site, app, customer, email="taro@customer.example")
    taro.open(PAGE)
    token = taro.value("csrf_token")
    tries = [
        (hanako, action.replace(f"/{first.id}/", f"/{second.id}/"), data),
        (hanako, action.replace("direct_debit", "credit_card"), data),
        (hanako, action, data | {"sealed": data["sealed"][:-8] + "AAAAAAA="}),
        (hanako, action, data | {"sealed": "漢字\0"}),
        (hanako, action, data | {"sealed": ""}),
        (taro, action, data | {"csrf_token": token}),
    ]
    for browser, where, what in tries:
        answer = browser.client.post(where, data=what)
        assert answer.status_code == 303
        assert "もう一度ご入力ください" in browser.open(str(answer.location)).text
    clock.forward(minutes=29)
    hanako.client.get(PAGE)
    clock.forward(minutes=2)
    hanako.open(str(hanako.client.post(action, data=data).location))
    assert "時間が経過したか" in hanako.text
    assert Mandate.select().count() == 0


def test_a_date_that_moved_since_is_shown_before_it_is_sent(site: Site, hanako: Browser, clock: Clock) -> None:
    clock.now = site.services.calendar.midnight(date(2026, 5, 1)) - timedelta(minutes=5)
    hanako.log_in()
    hanako.open(PAGE)
    follow(hanako, DEBIT)
    hanako.press("確認へ進む", **TYPED)
    clock.forward(minutes=10)
    hanako.press("申し込む")
    assert "適用日が2026年6月1日に変わりました" in hanako.text
    assert "適用日：2026年5月1日 → 2026年6月1日" in hanako.text
    hanako.press("申し込む")
    assert "経過" in hanako.text


def test_the_way_to_the_card_company_is_shown_anew_once_midnight_of_the_month_has_passed(
    site: Site, hanako: Browser, clock: Clock, stripe: StripeServer
) -> None:
    clock.now = site.services.calendar.midnight(MAY) - timedelta(minutes=5)
    hanako.log_in()
    number = ask_card(hanako)
    assert "最短 2026年5月1日" in hanako.text
    clock.forward(minutes=10)
    assert open_page(hanako).endswith(f"{PAGE}/requests/{request_number(number)}")
    assert stripe.calls == []
    hanako.open(f"{PAGE}/requests/{number}")
    assert "適用日が2026年6月1日に変わりました" in hanako.text
    assert "最短 2026年6月1日" in hanako.text
    assert open_page(hanako).startswith(stripe.url)
    assert ChangeRequest.get(ChangeRequest.instance == number).effective_on == date(2026, 6, 1)


def test_staff_approve_with_the_date_that_they_have_seen(site: Site, app: Flask, hanako: Browser, clock: Clock) -> None:
    number, somebody = ask_debit(hanako), staff()
    for event in ("receive_form", "pass_to_bank"):
        site.engine.fire(number, event, somebody)
    clock.now = site.services.calendar.midnight(MAY) - timedelta(minutes=5)
    clerk = Browser(app)
    enter(clerk, enrol(site)[1], clock)
    clerk.open(f"/staff/requests/{number}")
    option = clerk.page.select_one("#option-approve").find_parent("section")  # type: ignore[union-attr]
    assert option is not None
    assert "2026年5月1日" in option.get_text()
    clock.forward(minutes=10)
    assert clerk.press("金融機関が承認した").status_code == 409
    assert "適用日が2026年6月1日になりました" in clerk.text
    assert state(site, number) == "with_bank"
    clerk.decide("金融機関が承認した")
    assert state(site, number) == "scheduled"
    assert ChangeRequest.get(ChangeRequest.instance == number).effective_on == date(2026, 6, 1)


def test_a_card_is_registered_on_the_providers_page_alone(
    site: Site, app: Flask, hanako: Browser, stripe: StripeServer
) -> None:
    number = ask_card(hanako)
    policy = hanako.response.headers["Content-Security-Policy"]
    assert f"form-action 'self' {stripe.url};" in policy
    where = open_page(hanako)
    assert where.startswith(stripe.url)
    assert open_page(hanako) == where  # no second page
    reference = Mandate.get(Mandate.instance == number).reference
    hanako.open(f"{PAGE}/requests/{number}/return?result=success")
    assert "カード会社からの確認をお待ちしています" in hanako.text
    assert state(site, number) == "awaiting_page"  # a hint settles nothing
    stripe.register_card(reference)
    raw = stripe.event("checkout.session.completed", reference)
    outside = app.test_client()
    answer = outside.post("/webhooks/credit_card", data=raw, headers=stripe.signed(raw))
    assert (answer.status_code, answer.get_data()) == (200, b"applied")
    hanako.open(f"{PAGE}/requests/{number}")
    assert "適用日をお待ちください" in hanako.text
    assert "VISA **** 4242" in hanako.text
    held = dump_bytes(site.db)
    assert b"4242424242424242" not in held
    assert b"sk_test" not in held


def test_a_provider_that_is_down_is_told_and_nothing_begins(site: Site, hanako: Browser, stripe: StripeServer) -> None:
    number = ask_card(hanako)
    stripe.down = True
    hanako.press("お手続きの画面へ進む")
    assert "時間をおいて、もう一度お試しください" in hanako.text
    assert Mandate.get(Mandate.instance == number).reference == ""


def test_webhooks_that_are_forged_are_stored_nowhere_and_what_is_genuine_is(
    site: Site, app: Flask, hanako: Browser, stripe: StripeServer
) -> None:
    number = ask_card(hanako)
    open_page(hanako)
    reference = Mandate.get(Mandate.instance == number).reference
    outside = app.test_client()

    def send(raw: bytes, headers: dict[str, str], method: str = "credit_card") -> tuple[int, bytes]:
        answer = outside.post(f"/webhooks/{method}", data=raw, headers=headers)
        return answer.status_code, answer.get_data()

    raw = stripe.event("checkout.session.completed", reference)
    before = dump(site.db)
    for headers in (
        {},
        {"Stripe-Signature": "t=1,v1=00"},
        stripe.signed(raw, secret="whsec_x"),
        stripe.signed(raw, age=301),
    ):
        assert send(raw, headers)[0] == 400
    for other in (b"", b"\xff\xfe", b"{", b"[" * 60_000, b"null"):
        assert send(other, {"Stripe-Signature": "t=1,v1=00"})[0] == 400
        assert send(other, stripe.signed(other) if other[:1] != b"\xff" else {})[0] == 400
    assert send(b"x" * 270_000, stripe.signed(raw))[0] == 413
    for method in ("bank_transfer", "direct_debit"):
        assert send(raw, stripe.signed(raw), method)[0] == 400
    assert send(raw, stripe.signed(raw), "cash")[0] == 404
    assert outside.get("/webhooks/credit_card").status_code == 405
    assert dump(site.db) == before
    strange = [
        (stripe.event("invoice.paid", reference), b"unrelated"),
        (stripe.event("checkout.session.expired", reference, number=2), b"known"),  # it ends by its own time
        (stripe.event("checkout.session.completed", reference, number=3, client_reference_id="7"), b"received"),
        (stripe.event("checkout.session.completed", reference, number=4, id="cs_of_somebody_else"), b"kept"),
        (stripe.event("checkout.session.completed", reference, number=5, client_reference_id="9" * 19), b"kept"),
    ]
    for event, answer in strange:
        assert send(event, stripe.signed(event)) == (200, answer)
        assert send(event, stripe.signed(event)) == (200, answer)  # as it is sent again
    assert PaymentReport.select().count() == len(strange)
    assert state(site, number) == "awaiting_page"
    stripe.register_card(reference)
    raw = stripe.event("checkout.session.completed", reference, number=7)
    assert send(raw, stripe.signed(raw)) == (200, b"applied")
    assert send(raw, stripe.signed(raw)) == (200, b"applied")  # replayed
    late = stripe.event("checkout.session.expired", reference, number=8)
    assert send(late, stripe.signed(late)) == (200, b"kept")  # out of order: somebody must look
    assert state(site, number) == "scheduled"
    assert PaymentEvent.select().count() == 1


def test_an_event_for_another_customers_request_changes_neither(
    site: Site, app: Flask, hanako: Browser, stripe: StripeServer
) -> None:
    mine = ask_card(hanako)
    open_page(hanako)
    reference = Mandate.get(Mandate.instance == mine).reference
    other = Customer.create(
        number="A09999999", company="別会社", channel="direct", contractor_name="別", contractor_email="b@b.example"
    )
    Contract.create(
        customer=other,
        product="desknets-neo",
        subdomain="betsu",
        term="monthly",
        payment_method="bank_transfer",
        users=5,
        started_on=date(2024, 1, 1),
    )
    jiro = logged_in(site, app, other, email="jiro@b.example")
    theirs = ask_card(jiro)
    open_page(jiro)
    stripe.register_card(reference)
    raw = stripe.event("checkout.session.completed", reference, client_reference_id=str(theirs))
    answer = app.test_client().post("/webhooks/credit_card", data=raw, headers=stripe.signed(raw))
    assert answer.get_data() == b"kept"
    assert [state(site, number) for number in (mine, theirs)] == ["awaiting_page", "awaiting_page"]
    # and no page of the other's request opens
    for path in ("", "/form.pdf", "/return?result=success"):
        assert hanako.client.get(f"{PAGE}/requests/{theirs}{path}").status_code == 404
    hanako.open(f"{PAGE}/requests/{mine}")
    hanako.begin("取り下げる")
    _action, data = hanako.filled("取り下げる")
    for path in ("", "/page"):
        assert hanako.client.post(f"{PAGE}/requests/{theirs}{path}", data=data).status_code == 404
    contract = Contract.get(Contract.customer == other)
    assert hanako.client.get(f"{PAGE}/{contract.id}/credit_card").status_code == 404
    for path in ("", "/confirm/x"):
        assert hanako.client.post(f"{PAGE}/{contract.id}/credit_card{path}", data=data).status_code == 404
    assert hanako.client.get(f"{PAGE}/requests/99999999999999999999").status_code == 404


def test_who_only_looks_may_not_change(site: Site, app: Flask, customer: Customer) -> None:
    viewer = logged_in(site, app, customer, role="viewer")
    assert viewer.client.get(PAGE).status_code == 403
    assert app.test_client().get(PAGE).status_code == 302


def test_the_second_of_two_browsers_is_told(site: Site, app: Flask, hanako: Browser, customer: Customer) -> None:
    number = ask_debit(hanako)
    work(site)
    taro = logged_in(site, app, customer, email="taro@customer.example")
    for browser in (taro, hanako):
        browser.open(f"{PAGE}/requests/{number}")
        browser.begin("取り下げる")
    site.engine.fire(number, "receive_form", staff())
    hanako.press("取り下げる")
    assert "状態が変わったため" in hanako.text
    assert state(site, number) == "received"
    hanako.act("取り下げる")
    assert state(site, number) == "withdrawn"
    taro.press("取り下げる")
    assert "状態が変わったため" in taro.text


@pytest.mark.parametrize("event", ["approve", "lapse", "open_page", "confirmed", "triage", "", "x" * 999])
def test_no_other_event_can_be_pressed(site: Site, hanako: Browser, event: str) -> None:
    number = ask_debit(hanako)
    work(site)
    hanako.open(f"{PAGE}/requests/{number}")
    hanako.begin("取り下げる")
    action, data = hanako.filled("取り下げる")
    assert hanako.client.post(action, data=data | {"event": event}).status_code == 303
    assert state(site, number) == "awaiting_form"


def test_a_reason_of_the_staff_is_shown(site: Site, hanako: Browser) -> None:
    number = ask_debit(hanako)
    work(site)
    clerk = staff()
    site.engine.fire(number, "receive_form", clerk)
    site.engine.fire(number, "return_form", clerk, Decision("印影が<不鮮明>です"))
    hanako.open(f"{PAGE}/requests/{number}")
    assert "印影が<不鮮明>です" in hanako.text
    assert "依頼書（PDF）をダウンロード" in hanako.text


def test_bank_transfer_shows_where_to_transfer(hanako: Browser) -> None:
    Contract.update(payment_method="credit_card").execute()
    hanako.open(PAGE)
    follow(hanako, "銀行振込に変更する")
    for text in ("みほん銀行", "本店", "7654321", "カ）ネオ"):
        assert text in hanako.text


def test_reading_changes_nothing(site: Site, hanako: Browser, clock: Clock) -> None:
    """I4: also where a timer is due that nobody has fired."""
    number = ask_card(hanako)
    work(site)
    clock.forward(minutes=1)
    hanako.open(PAGE)
    before = {name: rows for name, rows in dump(site.db).items() if name != "session"}
    for path in (PAGE, f"{PAGE}/requests/{number}", f"{PAGE}/requests/{number}/return?result=success"):
        hanako.open(path)
    assert {name: rows for name, rows in dump(site.db).items() if name != "session"} == before


class TestDemonstration:
    @pytest.fixture
    def demo(self, sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer) -> Iterator[Site]:
        made = paying_site(sqlite_url, tmp_path, clock, mailer, demo=True)
        yield made
        made.close()

    def test_the_whole_way_of_a_card_can_be_walked(self, demo: Site) -> None:
        browser = logged_in(demo, create_app(demo), add_customer())
        number = ask_card(browser)
        browser.press("お手続きの画面へ進む")
        assert browser.title == "カード会社の画面（デモ）"
        assert "カード番号の入力や課金はありません" in browser.text
        assert not [one for one in browser.page.find_all("input") if one.get("type") != "hidden"]
        browser.press("登録せずに戻る")
        assert "ご登録は完了していません" in browser.text
        assert state(demo, number) == "awaiting_page"
        browser.press("お手続きの画面へ進む")
        browser.press("カードを登録する（成功）")
        assert "適用日をお待ちください" in browser.text
        assert "DEMO **** 4242" in browser.text

    def test_its_events_are_as_little_believed_unsigned(self, demo: Site) -> None:
        app = create_app(demo)
        for headers in ({}, {"Demo-Signature": "00"}, {"Demo-Signature": "é"}):
            assert app.test_client().post("/webhooks/credit_card", data=b"{}", headers=headers).status_code == 400
        assert app.test_client().get("/demo/card/unknown").status_code == 404

    def test_outside_of_a_demo_there_is_no_such_page(self, app: Flask, hanako: Browser) -> None:
        ask_card(hanako)
        open_page(hanako)
        token = Mandate.get().reference
        for path in (f"/demo/card/{token}", "/demo/card/x"):
            assert app.test_client().get(path).status_code == 404


def test_pages_speak_english(hanako: Browser) -> None:
    hanako.open(PAGE)
    hanako.press("English")
    hanako.open(PAGE)
    follow(hanako, "Change to Direct debit")
    assert not re.search(r"[ぁ-ん]", re.sub(r"みずほ|ミホン", "", hanako.find("main").get_text()))
    assert SUBDOMAIN in hanako.text


# What the staff do


def test_direct_debit_goes_through_the_hands_of_the_staff(
    site: Site, hanako: Browser, staffed: Browser, clock: Clock, mailer: MemoryMailer
) -> None:
    """G35: received, passed to the bank, returned once, approved; each step by a button of their page."""
    number = ask_debit(hanako)
    work(site)
    assert state(site, number) == "awaiting_form"
    hanako.open(PAGE)
    assert f"お申し込みの状況を見る（受付番号 {request_number(number)}）" in hanako.find("main").get_text()

    def press(button: str, **typed: str) -> None:
        staffed.open(f"/staff/requests/{number}")
        with_a_mail = button in ("不備のため返送する", "金融機関が承認した")
        (staffed.decide if with_a_mail else staffed.press)(button, **typed)
        assert staffed.response.status_code == 200, staffed.text
        work(site)

    def listed(path: str) -> bool:
        staffed.open(path)
        return f"/staff/requests/{number}" in {a["href"] for a in staffed.page.select("tbody a")}

    # It waits for the customer, so it is nothing that the staff must decide.
    assert [listed(path) for path in ("/staff/", "/staff/requests/waiting", "/staff/requests")] == [False, True, True]
    staffed.open(f"/staff/requests/{number}")
    for text in ("口座振替", LABEL, "銀行振込", "お客様のお手続きの期限"):
        assert text in staffed.text
    assert NUMBER not in staffed.response.text
    assert "料金は表示されていません" not in staffed.text  # there never is a price of this
    press("依頼書を受領した")
    assert state(site, number) == "received"
    assert [listed(path) for path in ("/staff/", "/staff/requests/waiting", "/staff/requests")] == [True, False, True]
    press("金融機関へ送付した")
    staffed.open(f"/staff/requests/{number}")
    staffed.press("不備のため返送する", reason="")
    assert staffed.response.status_code == 422
    press("不備のため返送する", reason="お届け印が相違しています")
    assert state(site, number) == "awaiting_form"
    assert "お届け印が相違しています" in mailer.sent[-1].text
    hanako.open(f"{PAGE}/requests/{number}")
    assert "お届け印が相違しています" in hanako.text
    for button in ("依頼書を受領した", "金融機関へ送付した", "金融機関が承認した"):
        press(button)
    assert state(site, number) == "scheduled"
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert state(site, number) == "applied"
    enter(staffed, enrol(site, "suzuki@office.example")[1], clock, "suzuki@office.example")
    staffed.open(f"/staff/requests/{number}")
    for text in (LABEL, "ご請求の開始日", "2026年5月1日"):
        assert text in staffed.text
    assert NUMBER not in staffed.response.text
    hanako.log_in()
    hanako.open(PAGE)
    assert LABEL in hanako.text


def test_of_two_of_the_staff_who_press_the_second_is_told(site: Site, hanako: Browser, staffed: Browser) -> None:
    number = ask_debit(hanako)
    work(site)
    staffed.open(f"/staff/requests/{number}")
    action, data = staffed.filled("依頼書を受領した")
    site.engine.fire(number, "receive_form", staff())
    assert staffed.client.post(action, data=data).status_code == 409
    assert state(site, number) == "received"


def test_staff_see_the_books_before_they_give_up_what_may_be_in_them(
    sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    books = Books()
    site = paying_site(sqlite_url, tmp_path, clock, mailer, books=books)
    app, of = create_app(site), add_customer()
    Contract.update(payment_method="credit_card").execute()
    hanako = logged_in(site, app, of)
    hanako.open(PAGE)
    follow(hanako, "銀行振込に変更する")
    hanako.press("確認へ進む")
    hanako.press("申し込む")
    number = asked_number(hanako)
    work(site)
    books.answer = OSError("the connection was lost")
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    staffed = Browser(app)
    enter(staffed, enrol(site)[1], clock)
    books.booked = [Booking("B-77", "payment_method", MAY, None), Booking("B-5", "users", MAY, 1234567)]
    staffed.open(f"/staff/requests/{number}")
    for text in ("請求システムの記録", "B-77", "お支払い方法の変更", "1,234,567円", "（料金の記録なし）"):
        assert text in staffed.text
    books.booked = OSError("down")
    staffed.open(f"/staff/requests/{number}")
    assert staffed.response.status_code == 200
    assert "請求システムの記録" not in staffed.text
    staffed.press("中止する", reason="システムが停止しているため", checked="")
    assert staffed.response.status_code == 422  # nobody has said that they looked
    staffed.open(f"/staff/requests/{number}")
    staffed.decide("中止する", reason="システムが停止しているため", checked="yes")
    assert state(site, number) == "failed"
    site.close()


# Plugins that are wrong


@pytest.mark.parametrize("broken", ["is_available", "form", "validate", "begin", "handle_return"])
@pytest.mark.parametrize("wrong", [OSError("down"), None, 7])
def test_a_method_that_raises_or_answers_nonsense_breaks_no_page(
    site: Site, hanako: Browser, monkeypatch: pytest.MonkeyPatch, broken: str, wrong: object
) -> None:
    if broken == "is_available" and wrong is None:
        return  # which says that it is
    number = ask_debit(hanako)
    work(site)
    contract = Mandate.get(Mandate.instance == number).contract_id

    def answer(*args: object, **more: object) -> object:
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    for name in ("direct_debit", "credit_card"):
        monkeypatch.setattr(type(site.services.payment_methods[name]), broken, answer)
    paths = ("", f"/{contract}/direct_debit", f"/requests/{number}", f"/requests/{number}/return?result=success")
    for path in (*paths, f"/requests/{number}/form.pdf"):
        assert hanako.client.get(PAGE + path).status_code in (200, 303, 404, 503), path
    hanako.open(f"{PAGE}/requests/{number}")
    token = hanako.value("csrf_token")
    for path in (f"/{contract}/direct_debit", f"/{contract}/credit_card"):
        answered = hanako.client.post(PAGE + path, data={"csrf_token": token, **TYPED})
        assert answered.status_code in (200, 303, 404, 422, 503), path
    hanako.open(f"{PAGE}/requests/{number}")
    hanako.act("取り下げる")
    assert state(site, number) == "withdrawn"


@pytest.mark.parametrize("signature", ["t=1,v1=é", "\xff\xfe", "t=²,v1=00", "t=" + "9" * 4000 + ",v1=00", ",=,=,"])
def test_signatures_that_are_no_text_are_forged(app: Flask, site: Site, signature: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    for value in (signature, signature.replace("t=1", f"t={now}")):
        answer = app.test_client().post(
            "/webhooks/credit_card", data=b"{}", environ_overrides={"HTTP_STRIPE_SIGNATURE": value}
        )
        assert answer.status_code == 400


@pytest.mark.parametrize(("step", "status"), [("verify_event", 503), ("handle_event", 200)])
@pytest.mark.parametrize("wrong", [OSError("down"), 7])
def test_an_event_that_a_method_cannot_read_is_sent_again_or_stored(
    site: Site,
    app: Flask,
    hanako: Browser,
    stripe: StripeServer,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    step: str,
    status: int,
    wrong: object,
) -> None:
    """A provider repeats what was not answered with 2xx, and the site what was: nothing is lost by a fault of ours."""
    number = ask_card(hanako)
    open_page(hanako)
    reference = Mandate.get(Mandate.instance == number).reference
    stripe.register_card(reference)
    raw = stripe.event("checkout.session.completed", reference)

    def answer(*args: object) -> object:
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    with monkeypatch.context() as patch:
        patch.setattr(type(site.services.payment_methods["credit_card"]), step, answer)
        answered = app.test_client().post("/webhooks/credit_card", data=raw, headers=stripe.signed(raw))
        assert answered.status_code == status
    assert state(site, number) == "awaiting_page"
    if status == 503:
        again = app.test_client().post("/webhooks/credit_card", data=raw, headers=stripe.signed(raw))
        assert again.get_data() == b"applied"
    else:
        assert answered.get_data() == b"received"
        clock.forward(minutes=1)
        reports.apply_due(site.engine, site.services)
    assert state(site, number) == "scheduled"
    assert Mandate.get(Mandate.instance == number).label.startswith("VISA **** 4242")
