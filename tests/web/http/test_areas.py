"""What the pages declare of themselves, and how the app collects it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from flask import Flask

from engine.text import Text
from web import pages, staff
from web.http.application import Pages
from web.http.areas import (
    CUSTOMER_DETAILS_MENU,
    MAIN_MENU,
    STAFF_MENU,
    Area,
    Entry,
    Fact,
    StaffDecision,
    areas_in,
    declared_in,
)
from workflows.registry import WORKFLOWS


def app_with(*areas: Area) -> Flask:
    app = Pages("areas")
    for area in areas:
        app.register_blueprint(area)
    return app


@pytest.fixture(scope="module")
def site_app() -> Flask:
    return app_with(*areas_in(pages), *areas_in(staff))


def among(menu: Sequence[Entry], expected: Sequence[str]) -> bool:
    """Whether a menu has these entries in this order."""
    there = [entry.endpoint for entry in menu if entry.endpoint in expected]
    return there == list(expected)


def test_each_menu_has_its_entries_in_their_order(site_app: Flask) -> None:
    """Each where it was put: another procedure may have its own between them."""
    menus = declared_in(site_app).menus
    assert among(
        menus[MAIN_MENU],
        [
            "contracts.show",
            "changes.show",
            "notices.show",
            "contact.show",
        ],
    )
    assert among(
        menus[CUSTOMER_DETAILS_MENU],
        [
            "registration.show",
            "registration.change",
            "contractor_email.show",
            "payment.show",
            "password.change",
            "accounts.show",
        ],
    )
    assert among(
        menus[STAFF_MENU],
        [
            "staff.requests",
            "staff.customers",
            "staff.incidents",
            "staff_notices.show",
            "staff.workflows",
        ],
    )


def test_what_is_declared_is_there(site_app: Flask) -> None:
    found = declared_in(site_app)
    endpoints = {entry.endpoint for entries in found.menus.values() for entry in entries}
    endpoints |= {*found.change_request_pages.values(), *found.change_pages.values(), *found.same_for_all}
    assert endpoints <= set(site_app.view_functions)
    states = {(one.name, state.name) for one in WORKFLOWS for state in one.states}
    events = {(one.name, way.event) for one in WORKFLOWS for way in one.transitions}
    assert {(name, state) for name, tones in found.tones.items() for state in tones} <= states
    assert set(found.decisions) <= events
    assert {*found.facts, *found.with_own_pages} <= {one.name for one in WORKFLOWS}


def test_an_app_collects_what_an_area_declares_in_whatever_order() -> None:
    first, second = Area("first", __name__), Area("second", __name__, url_prefix="/second")

    @first.get("/")
    @first.in_menu("main", 20, Text("b"), alone=True)
    @first.begins("move")
    @first.same_for_all
    def start() -> str:
        return "start"

    @second.get("/<int:instance_id>")
    @second.in_menu("main", 10, Text("a"), good_for=Text("why"))
    @second.shows_change_requests("move")
    def show(instance_id: int) -> str:
        return str(instance_id)

    decision = StaffDecision(lambda asked, reason, checked: reason)
    second.tones("moving", moved="done")
    second.decides("moving", "stop", decision)
    second.tells_staff("moving", lambda instance: (Fact(Text("number"), str(instance)),))
    second.staff_works_here("moving")
    second.shown_in_templates(answer=42)

    app = app_with(first, second)
    found = declared_in(app)
    assert [(one.endpoint, one.area, one.alone) for one in found.menus["main"]] == [
        ("second.show", "second", False),
        ("first.start", "first", True),
    ]
    assert found.change_pages == {"move": "first.start"}
    assert found.same_for_all == {"first.start"}
    assert found.change_request_pages == {"move": "second.show"}
    assert found.tones == {"moving": {"moved": "done"}}
    assert found.decisions == {("moving", "stop"): decision}
    assert found.facts["moving"](7) == (Fact(Text("number"), "7"),)
    assert found.with_own_pages == {"moving"}
    assert app.jinja_env.globals["answer"] == 42
    assert declared_in(app_with(first)).change_request_pages == {}, "an app knows the areas that it has, and no others"
