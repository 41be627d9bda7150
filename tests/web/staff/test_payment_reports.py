"""The staff's pages of reports of payment providers, and the same by command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser
from tests.kit.payments import PROVIDER, Provider, account, ask, contract, reporting_site
from tests.kit.sites import state
from tests.kit.staff import NAME
from web.assembly.site import Site
from workflows.business.records import Contract, PaymentReport, StaffMember
from workflows.business.request_number import request_number
from workflows.payment_method_change import reports
from workflows.payment_method_change.inputs import PageOpened

LIST = "/staff/payment-reports"


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {}


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, provider: Provider) -> Iterator[Site]:
    yield from reporting_site(database_url, tmp_path, clock, mailer, provider)


@pytest.fixture
def of(site: Site) -> Contract:
    return contract()


@pytest.fixture
def over(site: Site, of: Contract) -> int:
    """A request that its customer has withdrawn."""
    actor = account(of)
    number = ask(site, of, actor, PROVIDER)
    site.engine.fire(number, "open_page", actor, PageOpened(f"ref-{number}"))
    site.engine.fire(number, "withdraw", actor)
    return number


def sent(site: Site, provider: Provider, kind: str, number: int, **said: Any) -> PaymentReport:
    raw, headers = provider.event(kind, number, f"ref-{number}", **said)
    reports.receive(site.engine, site.services, PROVIDER, raw, headers)
    report: PaymentReport = PaymentReport.select().order_by(PaymentReport.id.desc()).get()
    return report


def test_staff_see_what_was_said_of_which_request_and_settle_it(
    site: Site, staffed: Browser, provider: Provider, of: Contract, over: int
) -> None:
    staffed.open(LIST)
    assert "該当する通知はありません" in staffed.text
    report = sent(site, provider, "paid", over, amount=1200, occurred_at="2026-04-01T10:00:00+09:00")
    staffed.open(LIST)
    row = staffed.one("tbody tr").text
    for said in ("支払い済み 1,200円", "みほん払い", request_number(over), of.customer.company, "すでに終了しています"):
        assert said in row
    staffed.follow("支払い済み 1,200円")
    assert staffed.path == f"{LIST}/{report.id}"
    for said in ("2026年4月1日 10:00", f"ref-{over}", "e1", "担当者の確認待ち"):
        assert said in staffed.text
    staffed.follow(request_number(over))
    staffed.follow("支払い済み 1,200円（担当者の確認待ち）")
    staffed.press("手作業で対応済みにする", reason=" ")
    assert staffed.response.status_code == 422
    assert "理由をご入力ください" in staffed.text
    staffed.press("手作業で対応済みにする", reason="x" * 1001)
    assert staffed.response.status_code == 422
    staffed.press("手作業で対応済みにする", reason="返金を済ませた")
    assert "手作業で対応済みとして記録しました" in staffed.text
    done = staffed.one(".timeline li").text
    assert NAME in done
    assert "返金を済ませた" in done
    assert staffed.page.find("button", attrs={"value": "settle"}) is None
    staffed.open(LIST)
    assert "該当する通知はありません" in staffed.text
    staffed.open(f"{LIST}?of=decided")
    assert "手作業で対応済み" in staffed.one("tbody tr").text


def test_staff_try_again_what_was_in_the_way(
    site: Site, staffed: Browser, provider: Provider, of: Contract, clock: Clock
) -> None:
    actor = account(of)
    number = ask(site, of, actor, PROVIDER)
    provider.trouble = OSError("down")
    report = sent(site, provider, "processed", number)
    staffed.open(f"{LIST}?of=received")
    assert "応答しません" in staffed.one("tbody tr").text
    staffed.open(f"{LIST}/{report.id}")
    assert "次に試す予定" in staffed.text
    provider.trouble = None
    staffed.press("もう一度試す")
    assert "反映できませんでした：お申し込みの手続きが、まだそこまで進んでいません" in staffed.text
    site.engine.fire(number, "open_page", actor, PageOpened(f"ref-{number}"))
    staffed.press("もう一度試す")
    assert "結果：反映済み" in staffed.text
    assert state(site, number) == "scheduled"
    assert [one.actor for one in reports.acts_of(report)] == [f"staff:{StaffMember.get().id}"] * 2
    assert staffed.page.find("button", attrs={"value": "again"}) is None


def test_of_two_who_settle_the_second_is_told(site: Site, staffed: Browser, provider: Provider, over: int) -> None:
    report = sent(site, provider, "refunded", over, amount=5)
    staffed.open(f"{LIST}/{report.id}")
    reports.settle(site.services, report.id, account(contract("A00000009"), email="x@y.example"), "first")
    staffed.press("手作業で対応済みにする", reason="second")
    assert "すでに処理されています" in staffed.text
    assert [one.reason for one in reports.acts_of(report)] == ["first"]


def test_strangers_and_what_is_not_there(site: Site, staffed: Browser, provider: Provider, over: int) -> None:
    report = sent(site, provider, "refunded", over, amount=5)
    assert staffed.client.get(f"{LIST}/{report.id + 1}").status_code == 404
    assert staffed.client.get(f"{LIST}/99999999999999999999").status_code == 404
    assert staffed.client.get(f"{LIST}?of=x&page=x").status_code == 200
    staffed.open(f"{LIST}/{report.id}")
    _action, data = staffed.filled("もう一度試す")
    assert staffed.client.post(f"{LIST}/{report.id}", data={**data, "act": "delete"}).status_code == 400
    visitor = staffed.client.application.test_client()
    assert visitor.get(LIST).status_code in (302, 303, 403)


def test_a_long_list_has_pages_and_a_report_of_no_request_is_shown(
    site: Site, staffed: Browser, provider: Provider, clock: Clock
) -> None:
    for number in range(21):
        sent(site, provider, "refunded", 0, id=f"e{number}", amount=number + 1)
    staffed.open(LIST)
    assert len(staffed.page.select("tbody tr")) == 20
    assert "（21件）" in staffed.text
    staffed.follow("次のページ")
    assert "返金 21円" in staffed.one("tbody tr").text
    assert "なし" in staffed.one("tbody tr").text


def test_it_speaks_english(site: Site, staffed: Browser, provider: Provider, over: int) -> None:
    report = sent(site, provider, "charged_back", over, amount=1200)
    staffed.open(f"{LIST}/{report.id}?en")
    assert "Payment report: Charged back" in staffed.text
    assert "The request is over." in staffed.text
