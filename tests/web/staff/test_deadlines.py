"""期限 and 期限超過: a time by which a person should have acted, and no step that the site takes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from engine.definition import SYSTEM, State, Workflow
from engine.testing import Clock
from tests.kit.browser import Browser
from tests.kit.contract_scenes import changed, do_all_due, request, row
from tests.kit.staff import enrol, enter
from web.assembly.site import Site
from workflows.business.records import Account, Contract
from workflows.business.request_number import request_number
from workflows.registry import WORKFLOWS

WITH_TIMERS = [(workflow, state) for workflow in WORKFLOWS for state in workflow.states if state.timers]


def deadline_of(browser: Browser) -> str:
    (term,) = [one for one in browser.page.find_all("dt") if one.get_text() == "期限"]
    found = term.find_next("dd")
    assert found is not None
    return str(found.get_text(" ", strip=True))


def test_a_review_is_due_and_overdue_and_what_follows_it_is_neither(
    site: Site, app: Flask, asked: int, clock: Clock
) -> None:
    page, secret, staffed = f"/staff/requests/{asked}", enrol(site)[1], Browser(app)
    enter(staffed, secret, clock)
    staffed.open(page)
    assert "期限超過" not in deadline_of(staffed)
    clock.forward(days=10)
    do_all_due(site)
    enter(staffed, secret, clock)
    assert "期限超過" in staffed.text
    staffed.open(page)
    assert "期限超過" in deadline_of(staffed)
    staffed.decide("承認する")
    for _worked in ("by nobody yet", "by a worker"):
        assert deadline_of(staffed) == "期限なし"
        assert "期限超過" not in staffed.text
        clock.forward(minutes=5)
        staffed.open(page)
        assert deadline_of(staffed) == "期限なし"
        do_all_due(site)
        staffed.open(page)


def test_a_request_whose_date_has_come_names_the_one_for_which_it_waits(
    site: Site, app: Flask, asked: int, clock: Clock
) -> None:
    on = Contract.get_by_id(row(asked).contract_id)
    second = request(site, on.customer, on, Account.get(), changed(on, users=25))
    do_all_due(site)
    secret, staffed = enrol(site)[1], Browser(app)
    enter(staffed, secret, clock)
    staffed.open(f"/staff/requests/{second}")
    assert "先に適用されるお申し込み" not in staffed.text
    clock.now = site.services.calendar.midnight(row(second).effective_on) + timedelta(days=20)
    do_all_due(site)
    enter(staffed, secret, clock)
    staffed.open(f"/staff/requests/{second}")
    (term,) = [one for one in staffed.page.find_all("dt") if one.get_text() == "先に適用されるお申し込み"]
    link = term.find_next("a")
    assert link is not None
    assert link.get_text() == f"{request_number(asked)} サービス／オプションの変更"
    staffed.open(str(link["href"]))
    assert "承認する" in staffed.text
    assert "先に適用されるお申し込み" not in staffed.text


def times(workflow: Workflow, state: State) -> Iterator[tuple[str, bool]]:
    for timer in state.timers:
        yield timer.at.__name__ if timer.at is not None else "", timer.deadline


@pytest.mark.parametrize(("workflow", "state"), WITH_TIMERS, ids=lambda one: getattr(one, "name", str(one)))
def test_no_deadline_is_the_sites_own(workflow: Workflow, state: State) -> None:
    """A step of no length is nobody's to keep, and neither is one in a state in which nobody can act."""
    assert ("at_once", True) not in times(workflow, state)
    people = [way for way in workflow.transitions if state.name in way.sources and way.allow != SYSTEM]
    assert people or not any(timer.deadline for timer in state.timers)
