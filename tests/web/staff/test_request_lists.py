"""The lists of requests: what is in which, in what order, and how much is read for a page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from engine.operations.awaited import waiting_states
from engine.operations.census import standing
from engine.operations.deadline_rows import bring_in
from engine.operations.deadline_sql import deadline_events
from engine.store.base import to_db
from engine.testing import Clock
from tests.kit.browser import NUMBER, Browser, address, first
from tests.kit.contract_scenes import account, changed, contract, do_all_due, request
from tests.kit.raw_sql import sql
from tests.kit.staff import NAME, enrol, enter
from web.assembly.site import Site
from web.shown.counts import Count
from web.staff.request_rows import Order, Wanted, counted, counted_before, key_of, keys
from workflows.business.records import Assignment, ChangeRequest, Customer, InternalNote, StaffMember
from workflows.business.request_number import request_number
from workflows.contract_change import CONTRACT_CHANGE
from workflows.registry import WORKFLOWS

REVIEW, WAITING, EVERY = "/staff/", "/staff/requests/waiting", "/staff/requests"
PLACE = ("contract_change", CONTRACT_CHANGE.version, "in_review")


def listed(browser: Browser, path: str = "") -> list[int]:
    """The numbers of the requests on a page, in its order."""
    if path:
        browser.open(path)
        assert browser.response.status_code == 200, browser.text
    links = [address(first(row, "a")) for row in browser.page.select("tbody tr")]
    return [int(link.rpartition("/")[2].partition("?")[0]) for link in links]


def many(site: Site, like: int, count: int, since: int = 1000) -> list[int]:
    """Further requests like one that there is."""
    numbers = range(since, since + count)
    columns = {
        "instance": "id, workflow, version, subject, state, seq, generation, head, nonce",
        "history": "instance_id, seq, event, source, target, actor, at, due_at, data, mac, timers",
        "timer": "instance_id, event, due_at, wake_at, failures, error",
    }
    for table, names in columns.items():
        key, rest = names.split(", ", 1)
        sql(
            site.db,
            f"WITH RECURSIVE n(i) AS (SELECT {since} UNION ALL SELECT i + 1 FROM n WHERE i < {numbers[-1]}) "
            f"INSERT INTO {table} ({names}) SELECT n.i, {rest} FROM {table}, n WHERE {key} = {like}",
        )
    return list(numbers)


# What is where


def test_what_the_staff_must_decide_is_known_from_the_definitions() -> None:
    found = {one.place: one.awaits for one in waiting_states(WORKFLOWS)}
    for state in ("awaiting_payment", "payment_due_soon"):
        assert found["payment_method_change", 5, state] == {"account_editor"}
    for version in (1, 2, 3, 4, 5):
        for state in ("awaiting_form", "awaiting_page"):
            assert found["payment_method_change", version, state] == {"account_editor"}
        for state in ("in_review", "received", "with_bank"):
            assert "staff" in found["payment_method_change", version, state]
    assert not found["contract_change", CONTRACT_CHANGE.version, "scheduled"]  # although the staff may take it back
    assert "staff" in found["account_confirmation", 1, "waiting"]
    assert found["account_creation", 1, "emailed"] == {"link_holder"}


def test_what_waits_for_somebody_says_for_whom(site: Site, staffed: Browser, asked: int) -> None:
    sql(site.db, "UPDATE instance SET workflow = 'payment_method_change', state = 'awaiting_form' WHERE id = ?", asked)
    assert listed(staffed, REVIEW) == []
    assert listed(staffed, WAITING) == [asked]
    assert "手続きができるアカウント" in first(staffed.page, "tbody").get_text()
    assert listed(staffed, EVERY) == [asked]


def test_what_goes_on_by_itself_is_for_the_staff_once_an_incident_stopped_it(
    site: Site, staffed: Browser, asked: int
) -> None:
    sql(site.db, "UPDATE instance SET state = 'applying' WHERE id = ?", asked)
    assert listed(staffed, REVIEW) == []
    sql(site.db, "UPDATE outbox SET state = 'incident' WHERE instance_id = ?", asked)
    assert listed(staffed, REVIEW) == [asked]


def test_requests_in_every_state_are_listed_and_found_by_their_number(site: Site, staffed: Browser, asked: int) -> None:
    staffed.open(f"/staff/requests/{asked}")
    staffed.press("お断りする", reason="在庫がないため")
    staffed.press("お断りする")
    (later,) = many(site, asked, 1)
    assert listed(staffed, EVERY) == [later, asked]
    assert "お受けできませんでした" in staffed.text
    assert "すべてのお申し込み 2件" in " ".join(staffed.find("nav", class_="lists").get_text().split())
    assert listed(staffed, f"{EVERY}?sort=oldest") == [asked, later]
    staffed.open(f"{EVERY}?number={request_number(asked).replace('-', '')}")
    assert staffed.path == f"/staff/requests/{asked}"
    typo = request_number(asked)[:-1] + str((int(request_number(asked)[-1]) + 1) % 10)
    for typed, said in (
        (typo, "受付番号に誤りがあります"),
        ("99999", "この受付番号のお申し込みはありません"),
        ("x", "ありません"),
    ):
        staffed.open(f"{EVERY}?number={typed}")
        assert staffed.response.status_code == 200
        assert said in staffed.find(id="number-error").get_text()


# Filters, order and pages


def test_filters_narrow_a_list_and_say_how_many_are_left(
    site: Site, app: Flask, clock: Clock, staffed: Browser, asked: int
) -> None:
    other = Customer.create(
        number="A07654321", company="よそ", channel="direct", contractor_name="よそ", contractor_email="y@yoso.example"
    )
    on = contract(other)
    by = account(other, email="yoso@yoso.example")
    theirs = request(site, other, on, by, changed(on, term="annual"))
    do_all_due(site)
    assert site.engine.look(theirs).state.name == "in_review"
    for query, found in (
        ("", [asked, theirs]),
        (f"customer={NUMBER}", [asked]),
        ("customer=ａ07654321", [theirs]),
        ("customer=A00000000", []),
        ("kind=options", [asked]),
        ("kind=term", [theirs]),
        ("kind=customer_details_change", []),
        ("kind=nothing", []),
        ("assigned=me", []),
        ("assigned=nobody", [asked, theirs]),
        ("due=overdue", []),
        ("due=week", [asked, theirs]),
        ("due=none", []),
        ("sort=newest", [theirs, asked]),
        (f"kind=options&customer={NUMBER}&assigned=nobody&due=week&sort=oldest", [asked]),
    ):
        assert listed(staffed, f"{REVIEW}?{query}") == found, query
        assert f"{len(found)}件" in staffed.text or not found, query
        assert bool(found) or "当てはまるお申し込みはありません" in staffed.text, query
    staffed.open(f"/staff/requests/{asked}")
    staffed.press("自分が担当する")
    assert listed(staffed, f"{REVIEW}?assigned=me") == [asked]
    assert listed(staffed, f"{REVIEW}?assigned=nobody") == [theirs]
    assert listed(staffed, f"{EVERY}?assigned={StaffMember.get().id}") == [asked]
    clock.forward(days=10)
    enter(staffed, enrol(site, "kato@office.example")[1], clock, "kato@office.example")
    assert listed(staffed, f"{REVIEW}?due=overdue") == [asked, theirs]


@pytest.mark.parametrize(
    "query",
    [
        "page=99999999999",
        "page=-1",
        "page=0",
        "assigned=x",
        "assigned=" + "9" * 40,
        "due=x",
        "sort=x",
        "kind=%00",
        "kind=" + "x" * 5000,
        "customer=" + "x" * 5000,
    ],
)
def test_what_is_no_filter_is_no_fault(staffed: Browser, asked: int, query: str) -> None:
    for path in (REVIEW, WAITING, EVERY, "/staff/requests/next"):
        assert staffed.client.get(f"{path}?{query}").status_code in (200, 302)


def test_a_list_has_pages_which_keep_the_filters(site: Site, staffed: Browser, asked: int) -> None:
    everything = [asked, *many(site, asked, 30)]
    seen = listed(staffed, f"{REVIEW}?sort=oldest&assigned=nobody")
    assert "全31件中 1〜20件目（受付の古い順）" in staffed.text
    staffed.open(address(staffed.one("a[rel=next]")))
    assert "21〜31件目" in staffed.text
    assert [*seen, *listed(staffed)] == everything
    assert staffed.page.select_one("a[rel=next]") is None
    staffed.open(address(staffed.one("a[rel=prev]")))
    assert listed(staffed) == seen


def scattered(site: Site, asked: int, count: int, *, held: int = 2) -> list[int]:
    """Very many requests, due at few times or at none, of which some were reminded of; in the order of their deadlines,
    as a look at each of them tells. Of `held` thirds of them the rows hold their deadlines."""
    numbers = [asked, *many(site, asked, count)]
    begun = site.clock()
    for hours in range(5):
        sql(
            site.db,
            f"UPDATE timer SET due_at = ? WHERE instance_id % 5 = {(hours * 3) % 5}",
            to_db(begun + timedelta(hours=hours)),
        )
    sql(site.db, "DELETE FROM timer WHERE instance_id % 11 = 0")
    sql(
        site.db,
        "INSERT INTO history SELECT instance_id, seq + 1, 'remind', target, target, actor, at, ?, '', mac, timers "
        "FROM history WHERE instance_id % 13 = 0 AND target = 'in_review'",
        to_db(begun - timedelta(hours=1)),
    )
    sql(site.db, "UPDATE instance SET deadline_seq = 0")
    assert bring_in(site.engine) == count + 1
    sql(site.db, "UPDATE instance SET deadline_seq = 0, deadline_at = ? WHERE id % 3 >= ?", to_db(begun), held)
    there = standing(site.engine, numbers)
    never = begun + timedelta(days=9999)
    return sorted(numbers, key=lambda one: (there[one].deadline or never, one))


def wanted_in_review(site: Site, **more: Any) -> Wanted:
    return Wanted(places=(PLACE,), deadlines=deadline_events(tuple(site.engine.workflows.values())), **more)


@pytest.mark.parametrize("held", [0, 2, 3])
def test_the_order_by_due_date_is_exact_over_very_many(site: Site, staffed: Browser, asked: int, held: int) -> None:
    expected = scattered(site, asked, 1200, held=held)
    assert expected != sorted(expected)
    assert listed(staffed, REVIEW) == expected[:20]
    assert "全1,201件中 1〜20件目（期限の近い順）" in staffed.text
    staffed.open(address(staffed.one("a[rel=next]")))
    assert listed(staffed) == expected[20:40]
    staffed.open(address(staffed.one("a[rel=prev]")))
    assert listed(staffed) == expected[:20]
    every = wanted_in_review(site)
    for wanted in (every, replace(every, places=(), all_but=("notice", "faq_entry"))):
        with site.engine.store.reading() as unit:
            found = keys(unit, wanted, "due", 5000)
            assert [one.number for one in found] == expected
            assert key_of(unit, wanted, "due", expected[700]) == found[700]
            for place in (0, 700, 1195):  # with a deadline, and without one
                assert counted_before(unit, wanted, "due", found[place]) == Count(place)
                assert keys(unit, wanted, "due", 7, found[place]) == found[place + 1 : place + 8]
                before = keys(unit, wanted, "due", 7, found[place], backwards=True)
                assert before == found[max(place - 7, 0) : place]


@pytest.mark.parametrize("held", [0, 2, 3])
def test_filters_by_due_date_choose_among_very_many(site: Site, staffed: Browser, asked: int, held: int) -> None:
    expected = scattered(site, asked, 1200, held=held)
    there, now = standing(site.engine, expected), site.clock()
    for query, chosen in (
        ("overdue", [one for one in expected if (due := there[one].deadline) is not None and due <= now]),
        ("none", [one for one in expected if there[one].deadline is None]),
    ):
        assert len(chosen) > 50
        for sort, order in (("due", chosen), ("oldest", sorted(chosen)), ("newest", sorted(chosen, reverse=True))):
            assert listed(staffed, f"{REVIEW}?due={query}&sort={sort}") == order[:20], (query, sort)
            assert f"全{len(chosen)}件中 1〜20件目" in staffed.text
            staffed.open(address(staffed.one("a[rel=next]")))
            assert listed(staffed) == order[20:40], (query, sort)


@pytest.mark.parametrize("order", ["due", "oldest", "newest"])
def test_pages_skip_nothing_and_repeat_nothing_while_others_decide(site: Site, asked: int, order: Order) -> None:
    everything, wanted = scattered(site, asked, 1200), wanted_in_review(site)
    if order != "due":
        everything = sorted(everything, reverse=order == "newest")
    seen, decided, beside = list[int](), set[int](), None
    while True:
        with site.engine.store.reading() as unit:
            found = keys(unit, wanted, order, 100, beside)
        if not found:
            break
        seen += [one.number for one in found]
        beside = found[-1]
        left = everything[len(seen) + len(decided - set(seen)) :]
        shown = [found[0].number, *([found[-1].number] if len(seen) % 200 else [])]  # the last one every other time
        for number in (*shown, *left[:1], *left[150:151]):  # those shown, and those to come
            decided.add(number)
            sql(site.db, "UPDATE instance SET state = 'rejected' WHERE id = ?", number)
    assert len(seen) == len(set(seen))
    assert set(everything) - set(seen) <= decided
    assert seen == [one for one in everything if one in set(seen)]


def test_a_page_whose_requests_were_all_decided_leads_back(site: Site, staffed: Browser, asked: int) -> None:
    numbers = [asked, *many(site, asked, 30)]
    listed(staffed, f"{REVIEW}?sort=oldest")
    following = address(staffed.one("a[rel=next]"))
    for number in numbers[20:]:
        sql(site.db, "UPDATE instance SET state = 'rejected' WHERE id = ?", number)
    assert listed(staffed, following) == numbers[:20]
    for wrong in ("after=x", "before=99999999999999999999", "after=-1", "after=1.x", "before=1.9999-99-99"):
        assert listed(staffed, f"{REVIEW}?{wrong}"), wrong


@pytest.mark.parametrize("order", ["due", "oldest", "newest"])
def test_behind_the_last_request_is_the_last_page_and_nothing_is_left_out(
    site: Site, staffed: Browser, asked: int, order: Order
) -> None:
    many(site, asked, 30)
    first = listed(staffed, f"{REVIEW}?sort={order}")
    last = listed(staffed, address(staffed.one("a[rel=next]")))
    following = f"{REVIEW}?sort={order}&after={last[-1]}"
    shown = listed(staffed, following)
    assert shown == (first + last)[-20:]
    assert not staffed.page.select("a[rel=next]")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # which alone counts its steps
@pytest.mark.parametrize("order", ["due", "oldest", "newest"])
def test_a_page_of_a_long_list_takes_no_more_steps_than_that_of_a_short_one(
    site: Site, asked: int, order: Order
) -> None:
    events = deadline_events(tuple(site.engine.workflows.values()))
    wanted = (
        Wanted(places=(PLACE, ("contract_change", 2, "in_review")), deadlines=events),
        Wanted(all_but=("notice", "faq_entry"), deadlines=events),
        Wanted(stopped=(PLACE,)),
    )
    sql(site.db, "UPDATE outbox SET state = 'incident' WHERE instance_id = ?", asked)
    steps = []
    for since, count in ((1_000, 40), (2_000, 10_000)):
        many(site, asked, count, since)
        assert bring_in(site.engine) == count
        sql(site.db, "UPDATE instance SET incidents = 1 WHERE id >= ? AND id < ?", since, since + 40)
        taken = [0]

        def step(taken: list[int] = taken) -> None:
            taken[0] += 1

        with site.engine.store.reading() as unit:
            unit.connection.set_progress_handler(step, 10)
            for one in wanted:
                assert len(keys(unit, one, order, 26)) == 26
            unit.connection.set_progress_handler(None, 10)
            assert counted(unit, wanted[0], most=30).more
        steps.append(taken[0])
    assert steps[1] <= 1.1 * steps[0] + 5


def test_counts_stop_where_they_are_told_to(site: Site, asked: int) -> None:
    many(site, asked, 5)
    with site.engine.store.reading() as unit:
        told = [counted(unit, Wanted(places=(PLACE,)), most=most) for most in (5, 6)]
    assert [(one.number, one.more) for one in told] == [(5, True), (6, False)]


def test_what_filters_leave_behind_a_thousand_is_not_numbered(site: Site, staffed: Browser, asked: int) -> None:
    last = many(site, asked, 1_200)[-20:]
    assert listed(staffed, f"{REVIEW}?sort=oldest&before=99999") == last
    assert "全1,201件中 1,182〜1,201件目" in staffed.text
    assert listed(staffed, f"{REVIEW}?sort=oldest&before=99999&assigned=nobody") == last
    assert "1,000件以上のうち 1,000件目より後の20件" in staffed.text


# The next one


def test_after_a_decision_the_next_request_is_one_press_away(site: Site, staffed: Browser, asked: int) -> None:
    second, third = many(site, asked, 2)
    staffed.open(f"/staff/requests/{second}?sort=oldest")
    staffed.follow("次の審査待ちへ")
    assert (staffed.path, staffed.response.request.query_string) == (f"/staff/requests/{third}", b"sort=oldest")
    staffed.open(f"/staff/requests/next?after={third}&sort=oldest")  # from the last to the first
    assert staffed.path == f"/staff/requests/{asked}"
    staffed.open(f"/staff/requests/{asked}?assigned=nobody")
    staffed.press("お断りする", reason="在庫がないため")
    staffed.press("お断りする")
    assert "処理しました。" in staffed.text
    assert staffed.response.request.query_string == b"assigned=nobody"  # the filters of the list are kept
    staffed.open(f"/staff/requests/next?after={asked}")
    assert staffed.path == f"/staff/requests/{second}"
    staffed.open(f"/staff/requests/next?after={second}&customer=A00000000")
    assert staffed.path == REVIEW
    assert "ほかに審査待ちのお申し込みはありません" in staffed.text


# Who looks after it, and what they note


def test_a_request_is_taken_and_given_and_of_two_who_take_it_the_second_is_told(
    site: Site, app: Flask, clock: Clock, staffed: Browser, asked: int
) -> None:
    colleague, (kato, secret) = Browser(app), enrol(site, "kato@office.example", "加藤 愛")
    enter(colleague, secret, clock, "kato@office.example")
    for browser in (staffed, colleague):
        browser.open(f"/staff/requests/{asked}")
    staffed.press("自分が担当する")
    assert "担当者を変更しました。" in staffed.text
    colleague.press("自分が担当する")
    assert "担当者が変わりました" in colleague.text
    assert Assignment.get_by_id(asked).member.name == NAME
    colleague.press("自分が担当する")  # the page shows by now who has it
    assert Assignment.get_by_id(asked).member_id == int(kato.id)
    assert "加藤 愛" in first(colleague.page, "option", selected=True).get_text()
    assert listed(colleague, REVIEW) == [asked]
    assert "加藤 愛" in first(colleague.page, "tbody").get_text()
    colleague.open(f"/staff/requests/{asked}")
    colleague.press("担当者を変更する", member="")
    assert not Assignment.select().exists()
    for typed in ("999", "x", "-1", "9" * 30):
        form = {"csrf_token": colleague.value("csrf_token"), "member": typed, "seen_member": ""}
        answer = colleague.client.post(f"/staff/requests/{asked}/assignment", data=form, follow_redirects=True)
        assert "担当者をお選びください" in answer.text
    assert not Assignment.select().exists()


def test_notes_are_for_the_staff_alone_and_a_form_that_is_sent_twice_notes_once(
    site: Site, app: Flask, staffed: Browser, asked: int
) -> None:
    path = f"/staff/requests/{asked}"
    staffed.open(path)
    staffed.press("メモを保存する", note=" \r\n")
    assert staffed.response.status_code == 422
    assert "メモをご入力ください" in staffed.find(id="note-error").get_text()
    staffed.press("メモを保存する", note="あ" * 2001)
    assert staffed.response.status_code == 422
    assert staffed.find(id="note").get_text().strip() == "あ" * 2001  # what was typed is still there
    staffed.open(path)
    address_of_form, form = staffed.filled("メモを保存する", note="お電話で確認済み\r\n<b>折り返し</b>\0")
    for _twice in range(2):
        assert staffed.client.post(address_of_form, data=form).status_code == 303
    staffed.open(path)
    (line,) = staffed.page.select("#notes-title ~ ol li")
    assert first(line, "p").get_text() == "お電話で確認済み\n<b>折り返し</b>"
    assert NAME in line.get_text()
    (kept,) = InternalNote.select()
    assert kept.customer_id == ChangeRequest.get_by_id(asked).customer_id
    assert site.engine.verify(asked) == []


def test_what_is_not_there_is_assigned_to_nobody_and_noted_nowhere(staffed: Browser, asked: int) -> None:
    staffed.open(f"/staff/requests/{asked}")
    form = {"csrf_token": staffed.value("csrf_token"), "note": "x", "member": ""}
    for what in ("assignment", "notes"):
        assert staffed.client.post(f"/staff/requests/99999/{what}", data=form).status_code == 404
