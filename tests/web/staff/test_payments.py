"""Payments of bills on the pages: the staff's list, decisions and refunds, and what the customer sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser
from tests.kit.collecting import BillBooks, Collector, beat, begun, billed, collecting_site
from tests.kit.members import add_account, member
from tests.kit.payments import PROVIDER
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.payment_method_change import reports
from workflows.ports.payments import Report

LIST = "/staff/payments"
BROKE = Report("failed", failure="insufficient_funds", detail="51")


@pytest.fixture
def provider() -> Collector:
    return Collector()


@pytest.fixture
def books() -> BillBooks:
    return BillBooks()


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {}


@pytest.fixture
def site(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, provider: Collector, books: BillBooks
) -> Iterator[Site]:
    yield from collecting_site(database_url, tmp_path, clock, mailer, provider, books)


def test_staff_see_what_is_unpaid_and_record_that_it_was_paid_otherwise(
    site: Site, staffed: Browser, provider: Collector, books: BillBooks
) -> None:
    staffed.open(LIST)
    assert "該当するお支払いはありません" in staffed.text
    provider.says, provider.retries = BROKE, 0
    contract, payment = begun(site, books)
    staffed.open(LIST)
    row = staffed.one("tbody tr").text
    for said in (payment.bill, contract.customer.company, "11,000円", "未払い", "みほん払い", "2026年4月1日"):
        assert said in row
    staffed.follow(payment.bill)
    assert staffed.path == f"/staff/requests/{payment.instance}"
    for said in ("1回目の請求", "失敗（残高または利用可能額の不足） 11,000円", "51", "みほん **** 42", "入金額"):
        assert said in staffed.text
    form = staffed.page.find("h3", string="別の方法で入金されたと記録する")
    assert form is not None
    staffed.press("別の方法で入金されたと記録する", reason="銀行振込を確認")
    assert "銀行振込を確認" in staffed.text  # the mail, before it goes out
    staffed.press("別の方法で入金されたと記録する")
    assert state(site, payment.instance) == "settled"
    staffed.open(LIST)
    assert "該当するお支払いはありません" in staffed.text
    staffed.open(f"{LIST}?of=settled")
    assert "別の方法で入金済み" in staffed.one("tbody tr").text


def test_what_is_unpaid_waits_in_the_list_of_payments_and_in_no_other(
    site: Site, staffed: Browser, provider: Collector, books: BillBooks
) -> None:
    provider.says = BROKE
    _contract, payment = begun(site, books)
    for elsewhere in ("/staff/requests", "/staff/requests/waiting", "/staff/requests/all"):
        staffed.open(elsewhere)
        assert f"/staff/requests/{payment.instance}" not in str(staffed.page)
    staffed.open(LIST)
    assert "2026年4月4日に、もう一度ご請求します" in staffed.one("tbody tr").text
    provider.says = Report("pending")
    staffed.follow(payment.bill)
    staffed.press("もう一度請求する")
    beat(site)
    staffed.open(f"{LIST}?of=under_way")
    assert "請求中" in staffed.one("tbody tr").text


def test_staff_refund_with_a_reason_after_they_saw_what_follows(
    site: Site, staffed: Browser, provider: Collector, books: BillBooks, mailer: MemoryMailer
) -> None:
    contract, payment = begun(site, books)
    staffed.open(f"/staff/customers/{contract.customer_id}")
    staffed.follow(payment.bill)
    staffed.press("返金する", reason=" ")
    assert "理由をご入力ください" in staffed.text
    assert "11,000円をみほん払いへ返金します。取り消しはできません。" in staffed.text
    staffed.press("返金する", reason="二重のご請求のため", checked="")
    assert state(site, payment.instance) == "paid"
    staffed.press("返金する", reason="二重のご請求のため", checked="yes")
    beat(site)
    assert [amount for amount, _key in provider.paid_back] == [11_000]
    assert state(site, payment.instance) == "refunded"
    assert "二重のご請求のため" in mailer.sent[-1].text


def test_a_report_about_a_payment_leads_to_it(
    site: Site, staffed: Browser, provider: Collector, books: BillBooks
) -> None:
    contract, payment = begun(site, books)
    raw, headers = provider.event("paid", payment.instance, "another")
    assert reports.receive(site.engine, site.services, PROVIDER, raw, headers) == reports.KEPT
    staffed.open("/staff/payment-reports")
    row = staffed.one("tbody tr")
    assert contract.customer.company in row.text
    assert f"/staff/requests/{payment.instance}" in str(row)
    staffed.open(f"/staff/requests/{payment.instance}")
    assert "支払い済み（担当者の確認待ち）" in staffed.text


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        (Report("paid"), "入金済み"),
        (Report("pending"), "請求中"),
        (BROKE, "未払い（再請求予定） 2026年4月4日に、もう一度ご請求します。"),
    ],
)
def test_the_customer_sees_the_payments_of_their_contract(
    site: Site, app: Flask, provider: Collector, books: BillBooks, says: Report, shown: str
) -> None:
    provider.says = says
    contract, payment = begun(site, books)
    billed(books, "A00000002")
    beat(site)
    add_account(site, contract.customer)
    hanako = member(app, subdomain=contract.subdomain)
    hanako.open("/contracts")
    (row,) = hanako.page.select("table.rows tbody tr")
    said = " ".join(row.get_text(" ", strip=True).split())
    assert said == f"2026年4月1日 {payment.bill} 11,000円 みほん払い {shown}"
