"""Lists of the staff that have pages: everything is on one of them, and on one only."""

from __future__ import annotations

import re

import pytest

from engine.operations.pauses.acts import pause
from engine.runtime.pauses.scopes import OneInstance
from plugins.faq.inputs import FaqInput
from tests.kit.browser import Browser, address, pages_of
from tests.kit.contract_scenes import staff
from tests.kit.parcels import OPERATOR
from web.assembly.site import Site
from workflows.business.records import Account, Customer

PAUSES = "/staff/workflows/pauses"


def pages_before(browser: Browser, links: str) -> list[list[str]]:
    """The links of the pages before the one that is open, the first page first, as the way back leads."""
    found: list[list[str]] = []
    while before := browser.page.select("a[rel=prev]"):
        browser.open(address(before[0]))
        found.insert(0, [address(link) for link in browser.page.select(links)])
    return found


@pytest.mark.parametrize("asked", ["", "?q=取引先"])
def test_every_customer_is_on_one_page_while_others_change_them(
    site: Site, staffed: Browser, customer: Customer, asked: str
) -> None:
    # The order of the numbers is not that of the ids.
    made = [
        Customer.create(
            number=f"Q{(n * 7) % 60:02d}", company=f"取引先{n}", channel="direct", contractor_name="名",
            contractor_email="a@b.example",
        )
        for n in range(60)
    ]  # fmt: skip
    if not asked:
        made = [customer, *sorted(made, key=lambda one: str(one.number))]
    there = [f"/staff/customers/{one.id}" for one in made]
    found = pages_of(staffed, f"/staff/customers{asked}", "tbody th a")
    assert found == [there[:25], there[25:50], there[50:]]
    assert pages_before(staffed, "tbody th a") == found[:2]
    assert staffed.page.select("a[rel=prev]") == []
    following = address(staffed.one("a[rel=next]"))
    for gone in (made[3], made[24]):  # one of the first page, and the one that the second begins after
        gone.delete_instance()
    staffed.open(following)
    assert [address(link) for link in staffed.page.select("tbody th a")] == found[1]
    last = address(staffed.one("a[rel=next]"))
    Customer.delete().where(Customer.id.in_([one.id for one in made[50:]])).execute()
    staffed.open(last)  # which is empty now: what is left stands on the last page
    assert address(staffed.page.select("tbody th a")[-1]) == there[49]
    assert staffed.page.select("a[rel=next]") == []
    for wrong in ("after=x", "after=", "before=%00", "after=" + "9" * 200, "before=-1", "page=7", "before=9&after=3"):
        ending = f"{asked}&{wrong}" if asked else f"?{wrong}"
        assert staffed.client.get(f"/staff/customers{ending}").status_code == 200


def test_every_account_of_a_customer_is_on_one_page(site: Site, staffed: Browser, customer: Customer) -> None:
    Account.delete().execute()
    for number in range(45):
        Account.create(
            customer=customer, email=f"u{number:02d}@customer.example", user_name="名", password_hash="h",
            role="viewer", created_at=site.clock(),
        )  # fmt: skip
    said: list[str] = []
    for page, most in ((1, 20), (2, 20), (3, 5)):
        staffed.open(f"/staff/customers/{customer.id}?page={page}")
        here = re.findall(r"u\d\d@customer\.example", staffed.one("section[aria-labelledby=accounts-title]").text)
        assert len(here) == most
        assert (len(staffed.page.select("a[rel=next]")), len(staffed.page.select("a[rel=prev]"))) == (
            int(page < 3),
            int(page > 1),
        )
        said += here
    assert said == [f"u{number:02d}@customer.example" for number in range(45)]


def test_every_pause_is_on_one_page_and_opens(site: Site, staffed: Browser, asked: int) -> None:
    first = pause(site.engine, OneInstance(asked), OPERATOR, "x").number
    site.db.execute_sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1010) "
        "INSERT INTO pause (scope, target, instance_id, workflow, version, kind, recipient, since, actor, reason, "
        "ended_by, ended_reason) SELECT scope, 'instance ' || (9000 + n.i), 9000 + n.i, workflow, version, kind, "
        f"recipient, since, actor, reason, '', '' FROM pause, n WHERE number = {first}"
    )
    staffed.open(f"{PAUSES}?page=51")
    assert len(staffed.page.select("tbody th a")) == 11
    assert staffed.page.select("a[rel=next]") == []
    found = pages_of(staffed, f"{PAUSES}?page=49", "tbody th a")
    assert [len(page) for page in found] == [20, 20, 11]
    staffed.open(f"{PAUSES}/{first}")
    assert "再開する" in staffed.text


@pytest.mark.parametrize("entries_there", [50, 120])
def test_every_entry_of_a_long_history_is_on_one_page(
    site: Site, staffed: Browser, asked: int, entries_there: int
) -> None:
    more = entries_there - len(site.engine.history(asked))
    last = site.engine.history(asked)[-1].seq
    site.db.execute_sql(
        f"WITH RECURSIVE n(i) AS (SELECT {last + 1} UNION ALL SELECT i + 1 FROM n WHERE i < {last + more}) "
        "INSERT INTO history (instance_id, seq, event, source, target, actor, at, due_at, data, mac) "
        "SELECT instance_id, n.i, 'pause.begin', target, target, 'system', at, NULL, "
        "'{\"reason\": \"because of ' || n.i || '\"}', mac FROM history, n "
        f"WHERE instance_id = {asked} AND seq = {last}"
    )
    path, pages = f"/staff/requests/{asked}", 0
    said: list[int] = []
    while path:
        staffed.open(path)
        pages += 1
        timeline = staffed.one("section[aria-labelledby=history-title]")
        assert len(timeline.select(".timeline li")) <= 50
        said = [int(one) for one in re.findall(r"because of (\d+)", timeline.text)] + said
        earlier = timeline.select("a[rel=prev]")
        path = address(earlier[0]) if earlier else ""
    assert said == list(range(last + 1, last + more + 1))
    assert pages == (1 if entries_there == 50 else 3)
    assert ("最新の履歴" in staffed.text) is (pages > 1)
    for wrong in ("x", "0", "1", "99999999999999999999", "-1"):
        assert staffed.client.get(f"/staff/requests/{asked}?before={wrong}").status_code == 200


def test_the_last_entries_of_a_history_are_read_alone(any_site: Site) -> None:
    by = staff()
    number = any_site.engine.start("faq_entry", "faq:1", by, FaqInput("1", "操作", "", 1, "問", "答")).instance_id
    for event in ("show", "hide", "show"):
        any_site.engine.fire(number, event, by)
    whole = any_site.engine.history(number)
    assert any_site.engine.last_history(number, 9) == whole
    assert any_site.engine.last_history(number, 2) == whole[-2:]
    assert any_site.engine.last_history(number, 2, before=whole[-2].seq) == whole[:2]
    assert any_site.engine.last_history(number + 1, 9) == ()
