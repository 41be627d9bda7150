"""A change within a year that is paid for shows two figures, each with its own date: the year is due at the renewal.

desknet's NEO, 10 users at 400 yen, 11 months a year, since 15 July 2025, with 10 %: 44,000 yen a year. AppSuite is 320
yen a user: 35,200 yen a year more, a twelfth of it 2,933 yen. From 1 May there are two whole months until the renewal.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from flask import Flask

from engine.testing import Clock, MemoryMailer
from tests.kit.browser import SUBDOMAIN, add_customer
from tests.kit.contract_scenes import LEDGER, at, contract, do_all_due
from tests.kit.members import Member, add_account, member
from tests.kit.staff import enrol, enter
from web.assembly.site import Site
from workflows.business.records import ChangeRequest, Contract

YEAR = "次回更新日（2026年7月15日）からの年額"
ONCE = "今回のみのご請求（2026年5月1日から2026年7月14日まで）"


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    at(clock, 2026, 4, 30, 12)
    return clock


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": {"ledger": LEDGER}}


@pytest.fixture
def neo(site: Site) -> Contract:
    of = add_customer()
    Contract.delete().execute()
    add_account(site, of)
    return contract(of, term="annual", subdomain=SUBDOMAIN)


@pytest.fixture
def hanako(neo: Contract, app: Flask) -> Member:
    return member(app)


def confirm_appsuite(hanako: Member, neo: Contract) -> None:
    hanako.open(f"/changes/contracts/{neo.id}/options")
    typed: dict[str, Any] = {"options": ["appsuite"]}
    hanako.press("確認画面へ進む", **typed)


def captions(member: Member, selector: str = "table.price") -> dict[str, str]:
    """The total of each amount of a page, by its caption."""
    found = {}
    for table in member.page.select(selector):
        rows = table.select("tr")
        caption = table.find("caption")
        assert caption is not None
        found[caption.get_text(strip=True)] = rows[-1].find_all("td")[-1].get_text(strip=True)
    return found


def test_every_place_shows_the_year_from_the_renewal_and_what_is_due_now(
    site: Site, app: Flask, clock: Clock, mailer: MemoryMailer, hanako: Member, neo: Contract
) -> None:
    confirm_appsuite(hanako, neo)
    assert captions(hanako) == {YEAR: "87,120円", ONCE: "6,452円"}
    hanako.press("申し込む")
    number = ChangeRequest.get().instance
    do_all_due(site)
    hanako.open(f"/contracts/requests/{number}")
    assert captions(hanako) == {YEAR: "87,120円", ONCE: "6,452円"}
    hanako.open("/contracts/history")
    assert f"料金：{YEAR} 87,120円（税込）、今回のみ 6,452円（税込）" in hanako.main
    for mail in mailer.sent:  # the receipt, and that staff are to review it
        assert YEAR in mail.text, mail.subject
        assert ONCE in mail.text, mail.subject
        assert YEAR in mail.html, mail.subject
        assert "87,120円" in mail.text, mail.subject
        assert "6,452円" in mail.text, mail.subject
    staff = Member(app)
    enter(staff, enrol(site)[1], clock)
    staff.open(f"/staff/requests/{number}")
    assert captions(staff, "#quote-title ~ table") == {
        f"変更後の料金：{YEAR}": "87,120円",
        f"差額：{ONCE}": "6,452円",
    }


def test_the_file_of_the_history_says_from_when_the_price_is_billed_once_that_is_known(
    site: Site, hanako: Member, neo: Contract
) -> None:
    hanako.open(f"/changes/contracts/{neo.id}/users")
    hanako.press("確認画面へ進む", users="20")
    hanako.press("申し込む")
    do_all_due(site)
    text = hanako.client.get("/contracts/history.csv").data.decode("utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(text))
    assert (line["適用日"], line["適用後の料金のご請求開始日"]) == ("2026-05-01", "2026-07-15")


def test_a_change_of_the_renewal_has_one_figure(hanako: Member, neo: Contract) -> None:
    hanako.open(f"/changes/contracts/{neo.id}/users")
    hanako.press("確認画面へ進む", users="5")
    assert captions(hanako) == {"適用日からの料金（年額）": "24,200円"}
    assert "2026年7月15日" in hanako.main


def test_a_contract_that_becomes_annual_pays_the_year_from_its_renewal(
    site: Site, app: Flask, hanako: Member, neo: Contract
) -> None:
    Contract.update(term="monthly").execute()
    hanako.open(f"/changes/contracts/{neo.id}/term")
    hanako.press("確認画面へ進む", term="annual")
    assert captions(hanako) == {YEAR: "48,400円", ONCE: "8,065円"}  # two twelfths of 44,000 yen, 3,666 yen each


def test_a_year_that_the_contract_does_not_see_is_not_announced(hanako: Member, neo: Contract) -> None:
    Contract.update(ended_on=date(2026, 6, 30)).execute()
    confirm_appsuite(hanako, neo)
    assert next(iter(captions(hanako))) == "年額（ご契約の終了日までにご請求はありません）"
    assert "今回のみのご請求（2026年5月1日から2026年6月30日まで）" in captions(hanako)


def test_what_was_not_applied_has_no_price(site: Site, hanako: Member, neo: Contract) -> None:
    confirm_appsuite(hanako, neo)
    hanako.press("申し込む")
    hanako.act("取り下げる")
    assert "お申し込み時の料金です。このお申し込みは適用されていません。" in hanako.main
    hanako.open("/contracts/history")
    assert "料金：" not in hanako.main
    assert "87120" not in hanako.client.get("/contracts/history.csv").text
