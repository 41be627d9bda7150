"""ご契約内容変更お申し込み (G6, G31, G35, G45): the pages from the choice to the receipt, without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Actor
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, add_customer
from tests.kit.members import DEARER, Member, add_account, add_stranger, member, with_prices
from tests.kit.sites import SiteMaker
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import Account, ChangeRequest, Contract, Customer
from workflows.business.request_number import request_number

NEXT = "確認画面へ進む"
SEND = "申し込む"


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return with_prices()


@pytest.fixture
def neo(customer: Customer, account: Account) -> Contract:
    """By the month."""
    found: Contract = Contract.get(Contract.customer == customer, Contract.product == "desknets-neo")
    return found


@pytest.fixture
def chat(customer: Customer, account: Account) -> Contract:
    """By the year."""
    found: Contract = Contract.get(Contract.customer == customer, Contract.product == "chatluck")
    return found


def page_of(contract: Contract, kind: str = "users") -> str:
    return f"/changes/contracts/{contract.id}/{kind}"


def confirm(browser: Member, path: str, **typed: Any) -> None:
    browser.open(path)
    browser.press(NEXT, **typed)
    assert browser.title == "お申し込み内容の確認", browser.text


def requests() -> list[ChangeRequest]:
    return list(ChangeRequest.select().order_by(ChangeRequest.instance))


# Choosing and filling in


def test_choice_offers_every_change_of_every_contract_that_runs(hanako: Member, neo: Contract, chat: Contract) -> None:
    hanako.open("/changes")
    assert hanako.title == "ご契約内容変更お申し込み"
    for contract in (neo, chat):
        for kind in ("users", "options", "term"):
            assert page_of(contract, kind) in hanako.links
    for said in (
        "ユーザー契約数のお手続き",
        "サービス／オプションのお手続き",
        "ご契約種別",
        "desknet's NEO",
        "ChatLuck",
    ):
        assert said in hanako.main
    assert not [link for link in hanako.links if "/order/" in link]  # both products are held (G45)


def test_contract_that_is_over_is_not_offered_and_its_product_can_be_ordered(hanako: Member, chat: Contract) -> None:
    Contract.update(ended_on=date(2026, 3, 31)).where(Contract.id == chat.id).execute()
    hanako.open("/changes")
    assert page_of(chat) not in hanako.links
    assert "/changes/order/chatluck" in hanako.links
    assert hanako.open(page_of(chat)).status_code == 404


def test_forms_are_filled_in_with_the_contract_as_it_is(hanako: Member, neo: Contract) -> None:
    """G4."""
    Contract.update(options="appsuite disk-100gb").where(Contract.id == neo.id).execute()
    hanako.open(page_of(neo))
    assert hanako.find(id="users")["value"] == "30"
    hanako.open(page_of(neo, "options"))
    ticked = [box["value"] for box in hanako.page.select("input[type=checkbox]") if box.has_attr("checked")]
    assert ticked == ["appsuite", "disk-100gb"]  # the second is no longer sold, and stays unless it is given up
    hanako.open(page_of(neo, "term"))
    assert [radio["value"] for radio in hanako.page.select("input[checked]")] == ["monthly"]


@pytest.mark.parametrize("typed", ["５０", " 50 ", "50", "０５０"])
def test_users_may_be_typed_in_full_width(hanako: Member, neo: Contract, typed: str) -> None:
    confirm(hanako, page_of(neo), users=typed)
    assert "50" in hanako.one("td.after").get_text()


@pytest.mark.parametrize(
    ("kind", "typed", "said"),
    [
        ("users", {"users": "30"}, "変更する項目がありません"),
        ("users", {"users": ""}, "ユーザー契約数をご入力ください"),
        ("users", {"users": "たくさん"}, "数字でご入力ください"),
        ("users", {"users": "-5"}, "数字でご入力ください"),
        ("users", {"users": "3.5"}, "数字でご入力ください"),
        ("users", {"users": "0"}, "ご確認"),
        ("users", {"users": "4"}, "5～99999"),
        ("users", {"users": "100000"}, "5～99999"),
        ("users", {"users": "9" * 400}, "ユーザー契約数を確認のうえ"),
        ("options", {"options": ["no-such"]}, "選択できない"),
        ("term", {"term": []}, "ご契約種別をお選びください"),
        ("term", {"term": "weekly"}, "ご契約種別をお選びください"),
        ("term", {"term": "monthly"}, "変更する項目がありません"),
    ],
)
def test_what_cannot_be_is_refused_in_the_form(
    hanako: Member, neo: Contract, kind: str, typed: dict[str, Any], said: str
) -> None:
    hanako.open(page_of(neo, kind))
    assert hanako.press(NEXT, **typed).status_code == 422
    assert said in hanako.one("[data-mistakes]").get_text()
    assert requests() == []


# Comparing


def test_confirmation_compares_and_names_date_price_and_addresses(hanako: Member, neo: Contract) -> None:
    """The net price is 50 users at 400 yen; the tax is a tenth of it, once."""
    confirm(hanako, page_of(neo), users="50")
    cells = [cell.get_text(" ", strip=True) for cell in hanako.page.select("table.changes tbody td")]
    assert [cell.split()[-1] for cell in cells] == ["30ユーザー", "50ユーザー"]
    for said in ("2026年5月1日", "翌月1日", "20,000円", "10%", "2,000円", "22,000円", "月額"):
        assert said in hanako.main
    for said in ("info@customer.example", EMAIL):  # G31
        assert said in hanako.main
    assert requests() == []


def test_reduction_of_an_annual_contract_waits_for_its_renewal(hanako: Member, chat: Contract) -> None:
    confirm(hanako, page_of(chat), users="20")
    for said in ("2027年4月1日", "次回更新日", "年額", "48,000円", "52,800円"):
        assert said in hanako.main


def test_increase_of_an_annual_contract_is_due_once_as_well(hanako: Member, chat: Contract) -> None:
    confirm(hanako, page_of(chat), users="40")
    captions = [caption.get_text(strip=True) for caption in hanako.page.select("table.price caption")]
    assert captions == [
        "次回更新日（2027年4月1日）からの年額",
        "今回のみのご請求（2026年5月1日から2027年3月31日まで）",
    ]
    assert "2026年5月1日" in hanako.main


def test_one_can_go_back_and_finds_what_was_typed(hanako: Member, neo: Contract) -> None:
    confirm(hanako, page_of(neo, "options"), options=["appsuite", "safety-check"])
    hanako.follow("入力内容を修正する")
    assert hanako.title == "サービス／オプションのお手続き"
    ticked = [box["value"] for box in hanako.page.select("input[checked]")]
    assert ticked == ["appsuite", "safety-check"]
    assert requests() == []


def test_without_a_price_the_request_says_so_and_can_be_sent(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    site = make_site(sqlite_url, clock=clock, mailer=mailer)
    customer = add_customer()
    add_account(site, customer)
    hanako = member(create_app(site))
    confirm(hanako, page_of(Contract.get(Contract.product == "desknets-neo")), users="50")
    assert "料金を表示できません" in hanako.main
    assert not hanako.page.select("table.price")
    hanako.press(SEND)
    assert "お申し込みを受け付けました" in hanako.text
    (made,) = requests()
    assert made.quote == ""


# Sending


@pytest.mark.parametrize(
    ("kind", "typed", "before", "after"),
    [
        ("users", {"users": "50"}, "30ユーザー", "50ユーザー"),
        ("options", {"options": ["appsuite"]}, "なし", "AppSuite"),
        ("term", {"term": "annual"}, "月払い", "年間一括払い"),
    ],
)
def test_request_is_made_as_it_was_confirmed(
    site: Site,
    mailer: MemoryMailer,
    hanako: Member,
    neo: Contract,
    kind: str,
    typed: dict[str, Any],
    before: str,
    after: str,
) -> None:
    confirm(hanako, page_of(neo, kind), **typed)
    shown = [cell.get_text(" ", strip=True) for cell in hanako.page.select("table.price tr.total td")]
    hanako.press(SEND)
    (made,) = requests()
    assert hanako.path == f"/contracts/requests/{request_number(made.instance)}"
    for said in ("迷惑メールフォルダ", "aporder@desknets.com", "info@customer.example", EMAIL):  # G31, G43
        assert said in hanako.main
    cells = [cell.get_text(" ", strip=True) for cell in hanako.page.select("table.changes tbody td")]
    assert [cell.split(" ", 1)[-1] for cell in cells] == [before, after]
    assert [cell.get_text(" ", strip=True) for cell in hanako.page.select("table.price tr.total td")] == shown
    assert (made.kind, made.contract_id, made.asked_by_name) == (kind, neo.id, "見本 花子")
    site.dispatcher.drain()
    receipt = mailer.sent[0]
    assert (receipt.to, receipt.cc) == (("info@customer.example",), (EMAIL,))
    for total in shown:
        assert total in receipt.text


def test_product_that_is_not_held_can_be_ordered(hanako: Member, chat: Contract) -> None:
    """G45."""
    chat.delete_instance()
    hanako.open("/changes/order/chatluck")
    assert hanako.find(id="users")["value"] == "30"
    assert [radio["value"] for radio in hanako.page.select("input[checked]")] == ["monthly", "bank_transfer"]
    hanako.press(NEXT, subdomain="ｍｉｈｏｎ-talk", users="１２", options="secure-browser", term="annual")
    for said in ("mihon-talk", "12", "セキュアブラウザ", "年間一括払い", "2026年5月1日", "―"):
        assert said in hanako.main
    hanako.press(SEND)
    (made,) = requests()
    assert (made.kind, made.contract_id) == ("order", None)
    hanako.open("/changes")
    assert "/changes/order/chatluck" not in hanako.links
    assert f"/contracts/requests/{request_number(made.instance)}" in hanako.links


@pytest.mark.parametrize("wish", ["yoso", "https://mihon.dn-cloud.com/cgi-bin/dneo/dneo.cgi", "a b", "\0", "-x", ""])
def test_subdomain_that_cannot_be_had_is_refused(site: Site, hanako: Member, chat: Contract, wish: str) -> None:
    stranger, _contract = add_stranger(site)
    Contract.update(customer=stranger, subdomain="yoso").where(Contract.id == chat.id).execute()
    hanako.open("/changes/order/chatluck")
    assert hanako.press(NEXT, subdomain=wish).status_code == 422
    assert "subdomain" in hanako.errors


def test_form_that_is_sent_twice_makes_one_request(hanako: Member, neo: Contract) -> None:
    """I10: the second answer is the first one's, though the first one's request now stands in its way."""
    confirm(hanako, page_of(neo), users="50")
    action, data = hanako.filled(SEND)
    first, second = (hanako.client.post(action, data=data) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.location == second.location
    assert len(requests()) == 1


def test_order_that_is_sent_twice_is_one(hanako: Member, chat: Contract) -> None:
    chat.delete_instance()
    confirm(hanako, "/changes/order/chatluck", subdomain="https://mihon-talk.chatluck.net/", users="10")
    action, data = hanako.filled(SEND)
    first, second = (hanako.client.post(action, data=data) for _ in range(2))
    assert first.location == second.location == f"/contracts/requests/{request_number(requests()[0].instance)}"
    assert len(requests()) == 1


def test_ticket_of_one_confirmation_is_worth_nothing_to_another(hanako: Member, neo: Contract, chat: Contract) -> None:
    confirm(hanako, page_of(neo), users="50")
    _action, data = hanako.filled(SEND)
    confirm(hanako, page_of(chat), users="50")
    hanako.press(SEND, shown=data["shown"])
    assert hanako.title == "お申し込み内容の確認"
    assert requests() == []
    hanako.press(SEND)
    assert [made.contract_id for made in requests()] == [chat.id]


def test_second_of_two_browsers_is_told(
    site: Site, app: Flask, customer: Customer, hanako: Member, neo: Contract
) -> None:
    add_account(site, customer, email="taro@customer.example")
    taro = member(app, "taro@customer.example")
    confirm(hanako, page_of(neo), users="50")
    confirm(taro, page_of(neo), users="50")
    hanako.press(SEND)
    taro.press(SEND)
    assert "同じ内容のお申し込みを受け付けています" in taro.main
    (made,) = requests()
    assert taro.links == [f"/contracts/requests/{request_number(made.instance)}"]


def test_what_changed_since_it_was_shown_is_shown_again(hanako: Member, neo: Contract) -> None:
    confirm(hanako, page_of(neo), users="50")
    Contract.update(users=40).where(Contract.id == neo.id).execute()
    hanako.press(SEND)
    assert "もう一度ご確認ください" in hanako.main
    assert "変更前のユーザー契約数：30ユーザー → 40ユーザー" in hanako.one("[data-mistakes]").get_text()
    assert "40" in hanako.one("table.changes tbody td").get_text()
    assert requests() == []
    hanako.press(SEND)
    assert len(requests()) == 1


def test_price_that_changed_since_it_was_shown_is_shown_again(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, hanako: Member, neo: Contract
) -> None:
    """The site is started again with another price list while the confirmation is open."""
    confirm(hanako, page_of(neo), users="50")
    action, data = hanako.filled(SEND)
    dearer = make_site(sqlite_url, clock=clock, mailer=MemoryMailer(), **with_prices(DEARER))
    answer = create_app(dearer).test_client(use_cookies=False)
    cookie = hanako.client.get_cookie("session")
    assert cookie is not None
    again = answer.post(action, data=data, headers={"Cookie": f"session={cookie.value}"})
    assert again.status_code == 303
    shown = answer.get(again.location, headers={"Cookie": f"session={cookie.value}"})
    assert "料金・適用日またはご契約内容が変わりました" in shown.text
    assert "料金（月額、税込）：22,000円 → 49,500円" in shown.text
    assert "消費税 10%（月額）：2,000円 → 4,500円" in shown.text
    assert requests() == []


def test_month_that_ended_since_it_was_shown_is_shown_again(app: Flask, neo: Contract, clock: Clock) -> None:
    """Midnight in Tokyo, not in Greenwich."""
    clock.now = datetime(2026, 4, 30, 14, 59, tzinfo=UTC)
    hanako = member(app)
    confirm(hanako, page_of(neo), users="50")
    assert "2026年5月1日" in hanako.main
    clock.now = datetime(2026, 4, 30, 15, 0, tzinfo=UTC)
    hanako.press(SEND)
    assert "適用日：2026年5月1日 → 2026年6月1日" in hanako.one("[data-mistakes]").get_text()
    assert requests() == []


@pytest.mark.parametrize("forged", ["", "x", "0" * 64, "あ", "A" * 70_000])
def test_forged_confirmation_is_shown_again(hanako: Member, neo: Contract, forged: str) -> None:
    confirm(hanako, page_of(neo), users="50")
    hanako.press(SEND, shown=forged)
    assert hanako.title in ("お申し込み内容の確認", "送信された内容が大きすぎます")
    assert requests() == []


# One open request


def test_open_request_stands_in_place_of_its_form_and_can_be_withdrawn(
    site: Site, hanako: Member, neo: Contract
) -> None:
    confirm(hanako, page_of(neo), users="50")
    hanako.press(SEND)
    (made,) = requests()
    hanako.open("/changes")
    assert page_of(neo) not in hanako.links
    assert page_of(neo, "options") in hanako.links
    assert "適用待ち" in hanako.main
    assert hanako.open(page_of(neo)).request.path == f"/contracts/requests/{request_number(made.instance)}"
    hanako.open("/changes")
    hanako.act("取り下げる")
    assert "取り下げ済み" in hanako.main
    hanako.open("/changes")
    assert page_of(neo) in hanako.links
    confirm(hanako, page_of(neo), users="60")
    hanako.press(SEND)
    assert len(requests()) == 2


def test_two_kinds_of_one_contract_may_be_open_at_once(hanako: Member, neo: Contract) -> None:
    confirm(hanako, page_of(neo), users="50")
    hanako.press(SEND)
    confirm(hanako, page_of(neo, "term"), term="annual")
    hanako.press(SEND)
    assert [made.kind for made in requests()] == ["users", "term"]


# Whose


def test_pages_are_of_the_customer_and_of_who_may_ask(
    site: Site, app: Flask, customer: Customer, hanako: Member
) -> None:
    _stranger, theirs = add_stranger(site)
    add_account(site, customer, "viewer", "viewer@customer.example")
    viewer = member(app, "viewer@customer.example")
    hanako.open("/changes")
    token = hanako.value("csrf_token")
    for path in (page_of(theirs), page_of(theirs, "options"), "/changes/contracts/999999/users"):
        assert hanako.client.get(path).status_code == 404
        assert hanako.client.post(path, data={"csrf_token": token, "users": "50"}).status_code == 404
    own = Contract.get(Contract.customer == customer)
    for path in (page_of(own, "nothing"), page_of(own, "payment_method"), "/changes/order/no-such"):
        assert hanako.client.get(path).status_code == 404
    assert hanako.client.get(f"/changes/contracts/{2**63}/users").status_code == 404
    for path in ("/changes", page_of(own), "/changes/order/chatluck"):
        assert viewer.client.get(path).status_code == 403
    assert requests() == []


def test_role_that_was_taken_away_meanwhile_asks_for_nothing(hanako: Member, neo: Contract) -> None:
    confirm(hanako, page_of(neo), users="50")
    Account.update(role="viewer").execute()
    assert hanako.press(SEND).status_code == 403
    assert requests() == []


def test_pages_speak_english(hanako: Member, neo: Contract) -> None:
    hanako.press("English")
    hanako.open("/changes")
    hanako.open(page_of(neo))
    hanako.press("Continue to confirmation", users="50")
    for said in ("Please check your request", "1 May 2026", "¥22,000", "Consumption tax"):
        assert said in hanako.text
    hanako.press("Submit request")
    assert "We have received your request" in hanako.text


# Anything


ODD = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["", "0", "５０", "9" * 50, "\0", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")]),
    st.sampled_from(["appsuite", "annual", "monthly", "bank_transfer", "mihon-talk", "50", "yes", "no"]),
)
FIELDS = ("users", "options", "term", "payment_method", "subdomain", "typed", "request_key", "shown")


@settings(max_examples=60)
@given(
    place=st.sampled_from(["users", "options", "term", "order"]),
    sent=st.dictionaries(st.sampled_from(FIELDS), st.lists(ODD, max_size=3)),
)
def test_whatever_is_sent_is_answered_and_only_a_confirmation_asks_for_anything(
    any_app: tuple[Flask, Member], place: str, sent: dict[str, list[str]]
) -> None:
    _app, browser = any_app
    path = "/changes/order/chatluck"
    if place != "order":
        path = page_of(Contract.get(Contract.product == "desknets-neo"), place)
    browser.open("/changes")
    token = browser.value("csrf_token")
    answer = browser.client.post(path, data={**sent, "csrf_token": token})
    assert answer.status_code in (303, 422)
    if answer.status_code == 303:
        assert browser.client.post(answer.location, data={**sent, "csrf_token": token}).status_code == 303
    assert requests() == []


@pytest.fixture
def any_app(make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer) -> tuple[Flask, Member]:
    """On each kind of database: they take different texts."""
    site = make_site(database_url, clock=clock, mailer=mailer, **with_prices())
    customer = add_customer()
    Contract.delete().where(Contract.product == "chatluck").execute()
    add_account(site, customer)
    app = create_app(site)
    return app, member(app)


def test_engine_is_asked_in_the_name_of_the_account(site: Site, hanako: Member, neo: Contract) -> None:
    confirm(hanako, page_of(neo), users="50")
    hanako.press(SEND)
    (made,) = requests()
    assert site.engine.history(made.instance)[0].actor == str(Actor("account", str(made.asked_by)))


# Numbers that may be mistyped


def test_an_unusual_number_of_users_is_asked_about_once_more_in_words_and_with_the_sum(
    hanako: Member, neo: Contract
) -> None:
    confirm(hanako, page_of(neo), users="99999")
    for said in (
        "ユーザー契約数が、現在の30ユーザーから99,999ユーザーへ、99,969ユーザー増えます。",
        "一度に300ユーザー以上の変更は、通常より大きな変更です。",
        "適用後の料金は、月額 ",
    ):
        assert said in hanako.main
    assert hanako.find("input", attrs={"name": "sure_of_users"}).has_attr("required")
    path = hanako.path
    action, data = hanako.filled(SEND)  # the box is not ticked
    for answer in ({}, {"sure_of_users": "9999"}):
        refused = hanako.client.post(action, data=data | answer)
        assert (refused.status_code, refused.headers["Location"]) == (303, path)
        hanako.open(path)
        assert "まだ送信していません。" in hanako.main
    assert requests() == []
    hanako.press(SEND, sure_of_users="99999")
    assert [row.kind for row in requests()] == ["users"]


@pytest.mark.parametrize(("users", "asks"), [("329", False), ("330", True), ("5", False)])
def test_a_change_below_the_threshold_is_asked_about_once(
    hanako: Member, neo: Contract, users: str, asks: bool
) -> None:
    confirm(hanako, page_of(neo), users=users)
    assert (hanako.page.find("input", attrs={"name": "sure_of_users"}) is not None) == asks


def test_a_large_cut_and_a_large_order_are_unusual_too(hanako: Member, neo: Contract, chat: Contract) -> None:
    Contract.update(users=5000).where(Contract.id == neo.id).execute()
    confirm(hanako, page_of(neo), users="50")
    assert "4,950ユーザー減ります。" in hanako.main
    Contract.delete().where(Contract.id == chat.id).execute()
    confirm(hanako, "/changes/order/chatluck", subdomain="mihon-talk", users="4000", term="monthly")
    assert "4,000ユーザーの新規お申し込みです。" in hanako.main
