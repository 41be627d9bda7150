"""お知らせ管理: every notice can be reached, by pages and filters, and a page of many costs what one of few does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine.definition import Actor
from tests.kit.browser import Browser, address
from tests.kit.contract_scenes import staff
from tests.kit.notices import begin, draft
from tests.kit.raw_sql import sql
from web.assembly.site import Site
from web.shown.counts import Count
from web.staff.notice_rows import Chosen, counted, notices, titled
from workflows.business.records import StaffMember
from workflows.notice.inputs import PublishInput, Wording
from workflows.notice.records import Notice, NoticeRevision

LIST = "/staff/notices"


@pytest.fixture
def writer(site: Site, staffed: Browser) -> Actor:
    return Actor("staff", str(StaffMember.get().id))


def many(site: Site, like: int, count: int, state: str, since: int = 1000) -> None:
    """Further notices like that of an instance, in another state; each changed a second before the one before."""
    further = (
        f"WITH RECURSIVE n(i) AS (SELECT {since} UNION ALL SELECT i + 1 FROM n WHERE i < {since + count - 1})"
        " INSERT INTO"
    )
    earlier = "updated_at - n.i * INTERVAL '1 second'"
    if not site.db.is_shared:
        earlier = "datetime(updated_at, '-' || n.i || ' seconds')"
    for table, new, old in (
        ("instance", "id, subject, state", f"n.i, 'notice:' || n.i, '{state}'"),
        ("notice", "id, instance, updated_at", f"'n' || n.i, n.i, {earlier}"),
        ("notice_revision", "notice_id", "'n' || n.i"),
    ):
        given = {name.strip() for name in new.split(",")} | ({"id"} if table == "notice_revision" else set())
        rest = ", ".join(column.name for column in site.db.get_columns(table) if column.name not in given)
        number = {"instance": "id", "notice": "instance"}.get(table)
        where = f"{number} = {like}" if number else f"notice_id = (SELECT id FROM notice WHERE instance = {like})"
        sql(site.db, f"{further} {table} ({new}, {rest}) SELECT {old}, {rest} FROM {table}, n WHERE {where}")


def listed(browser: Browser, path: str) -> list[str]:
    browser.open(path)
    assert browser.response.status_code == 200
    return [address(link).rpartition("/")[2] for link in browser.page.select("tbody th a")]


def test_every_notice_is_on_a_page_and_what_is_live_is_found_among_many(
    site: Site, staffed: Browser, writer: Actor
) -> None:
    first = begin(site, writer)
    many(site, first, 120, "closed")
    live = begin(site, writer, draft(notice="bbbbbbbbbbbb"))
    site.engine.fire(live, "publish", writer, PublishInput(notify=False))
    Notice.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC)).where(Notice.instance == live).execute()
    seen = [listed(staffed, f"{LIST}?page={page}") for page in range(1, 8)]
    assert [len(page) for page in seen] == [20] * 6 + [2]
    assert len({one for page in seen for one in page}) == 122
    assert "全122件中 121〜122件目" in staffed.text
    ids = {number: Notice.get(Notice.instance == number).id for number in (first, live)}
    assert listed(staffed, f"{LIST}?state=published") == [ids[live]]
    assert set(listed(staffed, f"{LIST}?state=open")) == set(ids.values())
    assert "2件" in staffed.text
    assert len(listed(staffed, f"{LIST}?state=closed&kind={Notice.get().kind}")) == 20
    assert address(staffed.one("a[rel=next]")) == f"{LIST}?page=2&kind={Notice.get().kind}&state=closed"
    assert listed(staffed, f"{LIST}?state=withdrawn") == []
    assert "この条件に当てはまるお知らせはありません" in staffed.text
    for query in ("page=0", "page=9999999", "state=x", "kind=%00", "state=" + "x" * 3000):
        assert staffed.client.get(f"{LIST}?{query}").status_code == 200


def test_notices_are_found_by_a_part_of_their_present_titles(any_site: Site) -> None:
    titles = ("100%_完了", "All Done"), ("100 完了", ""), ("障害!", "all ends"), ("停止", "Al")
    for number, (ja, en) in enumerate(titles):
        wording = Wording(ja, "本文", en, "Text" if en else "")
        begin(any_site, staff(), replace(draft(notice=f"n{number:011d}"), wording=wording))
    ids = [one.id for one in Notice.select().order_by(Notice.id)]
    with any_site.engine.store.reading() as unit:
        found = {
            asked: [ids.index(one) for one, _title in titled(unit, asked, 9)]
            for asked in ("ALL", "0%", "_", "!", "了", "停止", ids[1], ids[1][:-1])
        }
        assert titled(unit, "了", 1) == [(ids[0], "100%_完了")]
        assert titled(unit, ids[1], 9) == [(ids[1], "100 完了")]
        assert titled(unit, "All", 9) == [(ids[0], "100%_完了"), (ids[2], "障害!")]
    NoticeRevision.update(number=2).where(NoticeRevision.notice == ids[0]).execute()  # not the present one
    with any_site.engine.store.reading() as unit:
        assert titled(unit, "All", 9) == [(ids[2], "障害!")]
    assert found == {
        "ALL": [0, 2], "0%": [0], "_": [0], "!": [2], "了": [0, 1], "停止": [3], ids[1]: [1],
        ids[1][:-1]: [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "chosen", [Chosen(), Chosen("outage"), Chosen(states=("draft",)), Chosen("outage", ("closed",))]
)
def test_what_is_near_the_end_is_read_from_there(any_site: Site, chosen: Chosen) -> None:
    like = begin(any_site, staff())
    many(any_site, like, 7, "closed")
    many(any_site, like, 7, "draft", since=2000)
    there = [
        one.id
        for one in Notice.select().order_by(Notice.updated_at.desc(), Notice.id.desc())
        if any_site.engine.look(one.instance).state.name in (chosen.states or ("closed", "draft"))
    ]
    with any_site.engine.store.reading() as unit:
        count = counted(unit, chosen)
        assert count == Count(len(there))
        for first in range(len(there) + 2):
            for most in (1, 4, 99):
                assert notices(unit, chosen, first, most, count) == there[first : first + most]
                assert notices(unit, chosen, first, most, Count(3, more=True)) == there[first : first + most]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # which alone counts its steps
@pytest.mark.parametrize("chosen", [Chosen(), Chosen(states=("closed",)), Chosen(states=("draft", "published"))])
def test_a_page_of_many_notices_takes_no_more_steps_than_that_of_a_few(
    site: Site, writer: Actor, chosen: Chosen
) -> None:
    first = begin(site, writer)
    many(site, first, 60, "draft", since=1000)
    steps = []
    for since, count in ((2_000, 60), (3_000, 10_000)):
        many(site, first, count, "closed", since)
        taken = [0]

        def step(taken: list[int] = taken) -> None:
            taken[0] += 1

        with site.engine.store.reading() as unit:
            unit.connection.set_progress_handler(step, 10)
            assert len(notices(unit, chosen, 0, 51, Count(61))) == 51
            unit.connection.set_progress_handler(None, 10)
            assert counted(unit, chosen, most=20).more
        steps.append(taken[0])
    assert steps[1] <= 1.1 * steps[0] + 5
