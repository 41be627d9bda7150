"""The page of an order that is paid later (G45): its number, the extension, and what staff see of the payment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser
from tests.kit.members import Member, add_stranger, member, without_chat
from tests.kit.payments import Books, paying_site, work
from tests.kit.sites import state
from tests.kit.slips import Slips
from tests.kit.staff import enrol, enter
from web.assembly.site import Site
from workflows.business.records import AwaitedPayment, ChangeRequest, Customer
from workflows.business.request_number import request_number
from workflows.contract_change import CONTRACT_CHANGE_4

ORDER = "/changes/order/chatluck"
EXTEND = "お支払い期限を延長する"


@pytest.fixture
def slips(clock: Clock) -> Slips:
    return Slips(clock)


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, slips: Slips) -> Iterator[Site]:
    with closing(paying_site(database_url, tmp_path, clock, mailer, books=Books(), methods={"counter": slips})) as made:
        yield made


@pytest.fixture
def hanako(site: Site, app: Flask, customer: Customer) -> Member:
    return without_chat(site, app, customer)


def sent(site: Site, browser: Member) -> int:
    """An order by the pages, with its number."""
    browser.open(ORDER)
    browser.press("確認画面へ進む", subdomain="mihon-talk", users="12", term="monthly", payment_method="counter")
    assert "お支払いに必要な番号をお送りします" in browser.main
    assert "お支払い方法のご登録" not in browser.main
    browser.press("申し込む")
    work(site)
    number: int = ChangeRequest.get(ChangeRequest.kind == "order").instance
    browser.open(page(number))
    return number


def page(number: int) -> str:
    return f"/changes/orders/{request_number(number)}"


def test_the_page_of_the_order_shows_what_its_customer_pays_with(site: Site, hanako: Member) -> None:
    number = sent(site, hanako)
    assert hanako.one(".pay-number .number").get_text(strip=True) == f"1234-{number:06}"
    for text in ("窓口払いのお支払い方法", "払込番号", "2026年4月15日 12:00", "40001", "現金でお支払いください。"):
        assert text in hanako.main
    assert hanako.one("img.pay-code")["alt"] == "払込番号のバーコード"
    assert "no-print" not in (hanako.one("section[aria-labelledby=pay]").get("class") or ())
    assert "お支払い待ち" in hanako.one(".state").text
    assert "に変えて登録する" not in hanako.main  # it may be paid at any moment
    for word in ("カード", "口座", "これまでのお支払い方法"):
        assert word not in hanako.main
    hanako.client.post("/language", data=hanako.filled("English")[1])
    hanako.open(page(number))
    for text in ("15 April 2026, 12:00 JST", "Due", "What to do", "Waiting for the payment", "Extend the due time"):
        assert text in hanako.main


def test_an_order_of_the_version_before_offers_no_method_that_is_paid_later(site: Site, hanako: Member) -> None:
    hanako.open(ORDER)
    hanako.press("確認画面へ進む", subdomain="mihon-talk", users="12", term="monthly", payment_method="direct_debit")
    hanako.press("申し込む")
    work(site)
    number = ChangeRequest.get(ChangeRequest.kind == "order").instance
    hanako.open(page(number))
    form = hanako.page.select_one("a[href$='/method/counter']")
    assert form is not None
    site.db.execute_sql(f"UPDATE instance SET version = {CONTRACT_CHANGE_4.version} WHERE id = {number}")
    hanako.open(page(number))
    assert "このお支払い方法は、現在お選びいただけません。" in hanako.main
    assert hanako.page.select_one("a[href$='/method/counter']") is None
    assert hanako.open(str(form["href"])).status_code == 404


def test_the_due_time_is_put_off_by_a_press_and_once_for_each_page(site: Site, hanako: Member) -> None:
    number = sent(site, hanako)
    action, data = hanako.filled(EXTEND)
    hanako.press(EXTEND)
    assert hanako.path == page(number)
    assert "2026年4月29日 12:00" in hanako.main
    assert EXTEND not in hanako.main  # one extension, as the method declares
    hanako.client.post(action, data=data)  # the same page once more
    assert AwaitedPayment.get().extended == 1


def test_it_is_paid_and_its_number_is_gone_from_the_page(site: Site, hanako: Member) -> None:
    number = sent(site, hanako)
    answer = hanako.client.post("/webhooks/counter", data=f"paid {number}".encode())
    assert (answer.status_code, answer.text) == (200, "applied")
    hanako.open(page(number))
    assert f"1234-{number:06}" not in hanako.main
    assert "担当者が確認中" in hanako.one(".state").text


def test_who_takes_the_order_back_sees_no_number_any_more(site: Site, hanako: Member, slips: Slips) -> None:
    number = sent(site, hanako)
    hanako.open(f"/contracts/requests/{request_number(number)}/withdraw")
    hanako.press("取り下げる")
    work(site)
    assert (state(site, number), slips.revoked) == ("withdrawn", [f"slip-{number}"])
    hanako.open(page(number))
    assert f"1234-{number:06}" not in hanako.main


def test_nobody_else_sees_the_number_or_puts_it_off(site: Site, app: Flask, hanako: Member) -> None:
    number = sent(site, hanako)
    action, data = hanako.filled(EXTEND)
    _stranger, contract = add_stranger(site)
    yoso = member(app, "yoso@other.example", contract.subdomain)
    for path in (page(number), f"/registration/payment/requests/{request_number(number)}"):
        assert yoso.open(path).status_code == 404
    yoso.open("/top")
    own = yoso.find("input", attrs={"name": "csrf_token"})["value"]
    assert yoso.client.post(action, data={**data, "csrf_token": own}).status_code == 404
    assert AwaitedPayment.get().extended == 0


def test_staff_see_whether_it_is_paid_before_they_accept(site: Site, app: Flask, hanako: Member, clock: Clock) -> None:
    number = sent(site, hanako)
    staff = Browser(app)
    enter(staff, enrol(site)[1], clock)
    staff.open(f"/staff/requests/{number}")
    for text in ("お支払い待ち", f"1234-{number:06}", "2026年4月15日 12:00", "未完了です。"):
        assert text in staff.text
    assert "承認する" not in staff.text
    hanako.client.post("/webhooks/counter", data=f"paid {number}".encode())
    staff.open(f"/staff/requests/{number}")
    for text in ("完了（2026年4月1日 12:00", "決済の通知", "承認する"):
        assert text in staff.text
