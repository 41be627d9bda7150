"""A procedure whose row or history is gone or spoilt takes no list and no census with it (I8)."""

from __future__ import annotations

import pytest

from engine.operations.census import census
from tests.kit.members import member
from tests.kit.world import World

LISTS = (
    "/top",
    "/contracts",
    "/contracts/history",
    "/contracts/history.csv",
    "/registration/accounts",
    "/registration/payment",
    "/registration",
)
STAFF_LISTS = (
    "/staff/",
    "/staff/workflows",
    "/staff/workflows/pauses",
    "/staff/notices",
    "/staff/faq",
    "/staff/incidents",
    "/staff/customers",
)


@pytest.mark.parametrize("table", ["instance", "history"])
def test_lists_go_on_behind_what_is_gone(world: World, table: str) -> None:
    browser, staff = member(world.app, world.accounts["admin"].email), world.staff_browser()
    before = {path: browser.open(path).status_code for path in LISTS}
    assert set(before.values()) == {200}, before
    world.site.db.execute_sql(f"DELETE FROM {table}")
    assert {path: browser.open(path).status_code for path in LISTS} == before
    for path in (*STAFF_LISTS, f"/staff/customers/{world.customer.id}", "/staff/workflows/contract_change"):
        assert staff.open(path).status_code == 200, path


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE history SET at = 'yesterday'",
        "UPDATE timer SET due_at = 'yesterday'",
        "UPDATE instance SET state = 'nowhere'",
        "UPDATE instance SET version = 99",
        "UPDATE instance SET workflow = 'unknown'",
        "UPDATE history SET data = 'unreadable'",
    ],
)
def test_lists_go_on_behind_what_somebody_has_spoilt(world: World, spoil: str) -> None:
    browser, staff = member(world.app, world.accounts["admin"].email), world.staff_browser()
    world.site.db.execute_sql(spoil)
    for path in LISTS:
        assert browser.open(path).status_code == 200, path
    for path in (*STAFF_LISTS, f"/staff/customers/{world.customer.id}", "/staff/workflows/contract_change"):
        assert staff.open(path).status_code == 200, path


def test_no_page_fails_for_want_of_an_instance_or_its_history(world: World) -> None:
    browser, staff = member(world.app, world.accounts["admin"].email), world.staff_browser()
    for table in ("history", "instance"):
        world.site.db.execute_sql(f"DELETE FROM {table}")
        for rule in world.app.url_map.iter_rules():
            if "GET" in (rule.methods or ()) and rule.endpoint != "static" and not rule.endpoint.endswith(".static"):
                for path in world.paths(rule):
                    who = staff if path.startswith("/staff/") else browser
                    assert who.client.get(path).status_code < 500, (table, path)


def test_the_census_counts_those_whose_history_is_gone(world: World) -> None:
    before = {(one.state, one.count) for one in census(world.site.engine, "contract_change")}
    world.site.db.execute_sql("DELETE FROM history")
    after = census(world.site.engine, "contract_change")
    assert {(one.state, one.count) for one in after} == before
    assert all(one.oldest is None and one.median is None for one in after)
