"""The page of a request that is paid later: its number, due time and picture, the extension, and what it never says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, USER_NAME, Browser, address
from tests.kit.payments import APRIL, Books, paying_site, work
from tests.kit.sites import state
from tests.kit.slips import Slips
from tests.kit.staff import enrol, enter
from web.assembly.site import Site
from workflows.business.records import Account, AwaitedPayment, Contract, Customer
from workflows.business.request_number import read_request_number
from workflows.ports.payments import Pending, Rejected

PAGE = "/registration/payment"
EXTEND = "お支払い期限を延長する"


@pytest.fixture
def slips(clock: Clock) -> Slips:
    return Slips(clock)


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, slips: Slips) -> Iterator[Site]:
    made = paying_site(sqlite_url, tmp_path, clock, mailer, books=Books(), methods={"counter": slips})
    yield made
    made.close()


@pytest.fixture
def hanako(site: Site, app: Flask, customer: Customer) -> Browser:
    Account.create(
        customer=customer,
        email=EMAIL,
        user_name=USER_NAME,
        password_hash=site.hasher.hash(PASSWORD),
        role="editor",
        created_at=APRIL,
    )
    browser = Browser(app)
    browser.log_in(email=EMAIL, subdomain=SUBDOMAIN)
    return browser


def asked(browser: Browser, site: Site) -> int:
    """A request to pay at a counter, by the pages; the number is there."""
    browser.open(f"{PAGE}/{Contract.select().order_by(Contract.id).first().id}/counter")
    browser.press("確認へ進む")
    assert "お支払いの確認後" in browser.text
    browser.press("申し込む")
    number = read_request_number(browser.path.rsplit("/", 1)[1])
    assert isinstance(number, int)
    work(site)
    browser.open(f"{PAGE}/requests/{number}")
    return number


def test_the_page_shows_number_due_time_steps_and_picture(site: Site, hanako: Browser) -> None:
    number = asked(hanako, site)
    assert hanako.one(".pay-number .number").get_text(strip=True) == f"1234-{number:06}"
    for text in (
        "窓口払いのお支払い方法",
        "払込番号",
        "2026年4月15日 12:00",
        "窓口番号",
        "40001",
        "現金でお支払いください。",
    ):
        assert text in hanako.text
    picture = hanako.one("img.pay-code")
    assert (str(picture["src"])[:26], picture["alt"]) == ("data:image/svg+xml;base64,", "払込番号のバーコード")
    assert "data:" in hanako.response.headers["Content-Security-Policy"].partition("img-src")[2].partition(";")[0]
    assert "no-print" not in (hanako.one("section[aria-labelledby=pay]").get("class") or ())
    assert "お支払い待ち" in hanako.one(".state").text


def test_no_page_speaks_of_another_method(site: Site, hanako: Browser) -> None:
    number = asked(hanako, site)
    for path in (f"{PAGE}/requests/{number}", "/contracts", f"/contracts/requests/{number}", "/contracts/history"):
        hanako.open(path)
        for word in ("カード", "口座", "金融機関"):
            assert word not in hanako.one("main").get_text(), path


def test_english_readers_read_it_in_english_and_their_time_names_its_zone(site: Site, hanako: Browser) -> None:
    number = asked(hanako, site)
    hanako.client.post("/language", data=hanako.filled("English")[1])
    hanako.open(f"{PAGE}/requests/{number}")
    for text in ("15 April 2026, 12:00 JST", "Due", "What to do", "Waiting for the payment", "Extend the due time"):
        assert text in hanako.text


def test_the_due_time_is_put_off_by_a_press_and_once_for_each_page(
    site: Site, hanako: Browser, slips: Slips, clock: Clock
) -> None:
    number = asked(hanako, site)
    action, data = hanako.filled(EXTEND)
    hanako.press(EXTEND)
    assert "2026年4月29日 12:00" in hanako.text
    assert "お支払い期限を延長しました" in hanako.text
    assert EXTEND not in hanako.text  # one extension, as the method declares
    hanako.client.post(action, data=data)  # the same page once more
    assert AwaitedPayment.get().extended == 1
    clock.forward(days=20)
    work(site)
    assert state(site, number) == "awaiting_payment"


@pytest.mark.parametrize("answer", [Rejected("closed"), Pending(timedelta(hours=1)), "later", None])
def test_an_extension_that_the_provider_does_not_grant_changes_nothing(
    site: Site, hanako: Browser, slips: Slips, answer: object
) -> None:
    asked(hanako, site)

    def refuses(*_given: object) -> object:
        if answer is None:
            raise OSError("the provider is down")
        return answer

    slips.extend = refuses  # type: ignore[method-assign, assignment]
    hanako.press(EXTEND)
    assert "延長できませんでした" in hanako.text
    assert "2026年4月15日 12:00" in hanako.text
    assert AwaitedPayment.get().extended == 0


def test_an_extension_to_an_earlier_time_is_none(site: Site, hanako: Browser, slips: Slips) -> None:
    asked(hanako, site)
    slips.life = timedelta(days=3)
    hanako.press(EXTEND)
    assert "延長できませんでした" in hanako.text


def test_the_number_is_gone_once_it_is_paid_or_withdrawn(
    site: Site, hanako: Browser, slips: Slips, clock: Clock
) -> None:
    number = asked(hanako, site)
    slips.paid.add(f"slip-{number}")
    clock.forward(hours=2)
    work(site)
    hanako.log_in(email=EMAIL, subdomain=SUBDOMAIN)
    hanako.open(f"{PAGE}/requests/{number}")
    assert "適用日をお待ちください" in hanako.one(".state").text
    assert f"1234-{number:06}" not in hanako.text
    hanako.act("取り下げる")
    assert "取り下げ済み" in hanako.one(".state").text
    assert f"1234-{number:06}" not in hanako.text


def test_nobody_else_sees_the_number_or_puts_it_off(site: Site, hanako: Browser, app: Flask) -> None:
    number = asked(hanako, site)
    action, data = hanako.filled(EXTEND)
    visitor = Browser(app)
    assert visitor.client.get(f"{PAGE}/requests/{number}").status_code in (302, 303)
    visitor.client.post(action, data=data)
    assert AwaitedPayment.get().extended == 0


def test_the_list_leads_to_the_request(site: Site, hanako: Browser) -> None:
    number = asked(hanako, site)
    hanako.open(PAGE)
    assert "窓口払いへの変更：お支払い待ち" in hanako.text
    (link,) = [a for a in hanako.page.find_all("a") if "お申し込みの状況を見る" in a.get_text()]
    hanako.open(address(link))
    assert f"1234-{number:06}" in hanako.text


def test_staff_see_the_number_and_until_when_it_can_be_paid(
    site: Site, hanako: Browser, app: Flask, clock: Clock
) -> None:
    number = asked(hanako, site)
    clerk = Browser(app)
    enter(clerk, enrol(site)[1], clock)
    clerk.open(f"/staff/requests/{number}")
    for text in ("お支払い番号", f"1234-{number:06}", "2026年4月15日 12:00", "窓口払い"):
        assert text in clerk.text
