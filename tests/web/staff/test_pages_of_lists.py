"""Lists of the staff that have pages: everything is on one of them, and on one only."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from engine.operations.pauses.acts import pause
from engine.runtime.pauses.scopes import OneInstance
from engine.store.opening import open_database
from engine.store.schema import migrate
from tests.kit.browser import Browser, address
from tests.kit.contract_scenes import staff
from tests.kit.databases import close_database
from tests.kit.notices import faq
from tests.kit.parcels import OPERATOR
from web.assembly.site import Site
from web.shown.counts import Count
from web.staff.faq_rows import counted, entries
from workflows.business.records import Account, Customer
from workflows.faq.inputs import FaqInput
from workflows.faq.records import FaqEntry
from workflows.registry import MIGRATIONS

FAQ, PAUSES = "/staff/faq", "/staff/workflows/pauses"


def pages_of(browser: Browser, path: str, links: str) -> list[list[str]]:
    """The links of a list, page by page, as the way to the next page leads."""
    found = []
    while path:
        browser.open(path)
        assert browser.response.status_code == 200
        found.append([address(link) for link in browser.page.select(links)])
        following = browser.page.select("a[rel=next]")
        path = address(following[0]) if following else ""
    return found


def test_every_question_is_on_one_page_and_the_hidden_ones_are_found_among_many(site: Site, staffed: Browser) -> None:
    for number in range(45):
        faq(f"質問{number}", "答え", shown=int(number < 40), category=f"分類{number % 3}")
    found = pages_of(staffed, FAQ, "tbody th a")
    assert [len(page) for page in found] == [20, 20, 5]
    assert len({one for page in found for one in page}) == 45
    assert "全45件中 41〜45件目" in staffed.text
    rows = FaqEntry.select().order_by(FaqEntry.category, FaqEntry.position, FaqEntry.id)
    assert [one for page in found for one in page] == [f"{FAQ}/{row.id}" for row in rows]
    hidden = pages_of(staffed, f"{FAQ}?state=hidden", "tbody th a")
    assert sorted(hidden[0]) == sorted(f"{FAQ}/{row.id}" for row in rows if not row.shown)
    assert "全5件中 1〜5件目" in staffed.text
    assert address(staffed.one("a[href='/staff/faq']")) == FAQ
    staffed.open(f"{FAQ}?state=shown&page=9")
    assert "この条件に当てはまるご質問はありません" in staffed.text
    for query in ("page=0", "page=9999999", "state=removed", "state=%00"):
        assert staffed.client.get(f"{FAQ}?{query}").status_code == 200


def test_a_removed_question_is_in_no_list(any_site: Site) -> None:
    by = staff()
    for number in range(3):
        contents = FaqInput(f"{number}", "操作", "", 1, "問", "答")
        begun = any_site.engine.start("faq_entry", f"faq:{number}", by, contents)
        if number:
            any_site.engine.fire(begun.instance_id, "show" if number == 1 else "remove", by)
    with any_site.engine.store.reading() as unit:
        for state, there in (("", ["0", "1"]), ("hidden", ["0"]), ("shown", ["1"])):
            assert entries(unit, state, 0, 9) == there
            assert counted(unit, state) == Count(len(there))
        assert entries(unit, "", 1, 9) == ["1"]
        assert counted(unit, "", most=1) == Count(1, more=True)


def test_an_upgrade_tells_questions_that_were_removed(empty_url: str, tmp_path: Path) -> None:
    before = []
    for folder in MIGRATIONS:
        copied = tmp_path / folder.parent.name / folder.name
        shutil.copytree(folder, copied, ignore=lambda _folder, names: [name for name in names if name >= "0044"])
        before.append(copied)
    db = open_database(empty_url)
    migrate(db, before)
    for number, state in ((1, "hidden"), (2, "shown"), (3, "removed")):
        db.execute_sql(
            "INSERT INTO instance (id, workflow, version, subject, state, seq, generation, head) "
            f"VALUES ({number}, 'faq_entry', 1, 'faq:{number}', '{state}', 1, 0, {db.param})",
            (b"",),
        )
        db.execute_sql(
            "INSERT INTO faq_entry (id, instance, category, product, position, question_ja, answer_ja, question_en, "
            f"answer_en, shown, updated_at, category_en) VALUES ('{number}', {number}, '', '', 1, '', '', '', '', "
            f"{int(state == 'shown')}, '2026-04-01 00:00:00', '')"
        )
    migrate(db, MIGRATIONS)
    assert db.execute_sql("SELECT instance, shown FROM faq_entry ORDER BY 1").fetchall() == [(1, 0), (2, 1), (3, -1)]
    close_database(db)


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
