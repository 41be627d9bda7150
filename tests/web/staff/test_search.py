"""The one search box: what is found by what somebody on the phone can tell, and by what a mail or a log names."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from engine.definition import Actor
from engine.operations.incidents import incidents
from tests.kit.browser import COMPANY, NUMBER, Browser, address, first
from tests.kit.notices import begin
from tests.kit.raw_sql import sql
from web.assembly.site import Site
from workflows.business.records import Account, Customer, StaffMember
from workflows.business.request_number import request_number
from workflows.notice.records import Notice, NoticeRevision


def found(browser: Browser, what: str) -> dict[str, list[str]]:
    """What a search finds, by the heading: addresses."""
    browser.open("/staff/")
    box = browser.one("form[role=search]")
    assert (box["method"], first(box, "input")["name"]) == ("get", "q")
    browser.open(f"{box['action']}?q={quote(what)}")
    assert browser.response.status_code == 200
    sections = browser.page.select("main section.panel")
    return {
        str(section["aria-labelledby"]).removeprefix("found-"): [address(link) for link in section.select("a")]
        for section in sections
    }


def test_one_box_finds_customers_accounts_requests_incidents_and_notices(
    site: Site, staffed: Browser, customer: Customer, asked: int
) -> None:
    Customer.update(contractor_phone="03-1234-9876").where(Customer.id == customer.id).execute()
    sql(site.db, "UPDATE outbox SET state = 'incident' WHERE instance_id = ?", asked)
    (incident, *_more) = incidents(site.engine)
    begin(site, Actor("staff", str(StaffMember.get().id)))
    page, account = f"/staff/customers/{customer.id}", Account.get()
    for what in (COMPANY, NUMBER[:-1], "03-1234-987", "0312349"):
        assert found(staffed, what)["customers"] == [page], what
    assert found(staffed, account.email)["accounts"] == [page]
    assert found(staffed, account.user_name)["accounts"] == [page]
    by_number = found(staffed, str(asked))
    assert by_number["requests"] == [f"/staff/requests/{asked}"]
    assert f"/staff/incidents/{incident.ref}" in by_number["incidents"]
    assert found(staffed, incident.ref)["incidents"] == [f"/staff/incidents/{incident.ref}"]
    title = NoticeRevision.get().title_ja
    assert found(staffed, title[1:4])["notices"] == [f"/staff/notices/{Notice.get().id}"]
    assert found(staffed, Notice.get().id)["notices"] == [f"/staff/notices/{Notice.get().id}"]


def test_a_request_number_leads_to_its_request_at_once(staffed: Browser, asked: int) -> None:
    found(staffed, f" {request_number(asked).lower()} ")
    assert staffed.path == f"/staff/requests/{asked}"
    typo = request_number(asked)[:-1] + str((int(request_number(asked)[-1]) + 1) % 10)
    assert found(staffed, typo) == {}
    assert "受付番号に誤りがあります" in staffed.text


@pytest.mark.parametrize("what", [NUMBER, NUMBER.lower(), "０３－１２３４－９８７６", "0312349876", "+81-3-1234-9876"])
def test_a_whole_number_of_one_customer_leads_to_them_at_once(
    staffed: Browser, customer: Customer, asked: int, what: str
) -> None:
    Customer.update(contractor_phone="03-1234-9876").where(Customer.id == customer.id).execute()
    found(staffed, what)
    assert staffed.path == f"/staff/customers/{customer.id}"
    Customer.create(
        number="A07654321",
        company="株式会社よそ",
        channel="direct",
        contractor_name="よそ 太郎",
        contractor_email="yoso@other.example",
        contractor_phone="03-1234-9876",
    )
    found(staffed, what)
    both = what.upper() != NUMBER
    assert (staffed.path == "/staff/search") is both  # two customers with one telephone: who is meant is asked


@pytest.mark.parametrize("what", ["", " ", "%", "_", "\0", "'", "x" * 5000, "42.1.0", "9" * 40, "R-", "é😀"])
def test_what_is_not_there_is_said_and_is_no_fault(staffed: Browser, asked: int, what: str) -> None:
    assert staffed.client.get("/staff/search", query_string={"q": what}).status_code == 200
