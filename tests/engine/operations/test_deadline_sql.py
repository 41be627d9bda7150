"""The deadlines that a database works out are those that `standing` tells, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.definition import SYSTEM, State, Timer, Transition
from engine.operations.census import standing
from engine.operations.deadline_sql import deadline_anywhere, deadline_events, deadline_in_state
from engine.runtime.due_timers import SKIP_EVENT
from engine.runtime.recording import OCCURRENCES, SINCE
from engine.store.base import from_db, to_db
from engine.testing import Clock
from tests.kit.reviews import AUTHOR, REVIEW, REVIEW_2, Office, open_office

DAY = timedelta(days=1)
NAGGING = replace(
    REVIEW,
    states=(
        State("submitted", timers=(Timer("remind", DAY, deadline=True), Timer("note", timedelta(hours=1)))),
        State("reminded"),
        State("in_review", timers=(Timer("lapse", 3 * DAY, deadline=True),)),
        *REVIEW.states[3:],
    ),
    transitions=(
        *(way for way in REVIEW.transitions if way.event != "remind"),
        Transition("remind", ("submitted",), "submitted", allow=SYSTEM),
        Transition("note", ("submitted",), "submitted", allow=SYSTEM),
    ),
)
PLACE = ("review", 1, "submitted")


@pytest.fixture
def office(database_url: str, clock: Clock) -> Iterator[Office]:
    opened = open_office(database_url, clock, NAGGING, REVIEW_2)
    yield opened
    opened.close()


def told_alike(office: Office) -> list[timedelta | None]:
    """The deadlines of all instances from the clock's beginning on, by each of the three ways."""
    numbers = [number for (number,) in office.sql("SELECT id FROM instance ORDER BY id")]
    events = deadline_events(tuple(office.engine.workflows.values()))
    there = standing(office.engine, numbers)
    with office.engine.store.reading() as unit:
        sql, values = deadline_anywhere(unit, events)
        rows = unit.rows(f"SELECT i.id, {sql} FROM instance i ORDER BY i.id", values)
        for number, due in rows:
            place = (there[number].workflow, there[number].version, there[number].state)
            if place in events:
                sql, values = deadline_in_state(unit, events[place])
                assert unit.rows(f"SELECT {sql} FROM instance i WHERE i.id = ?", [*values, number]) == [(due,)]
    found = {number: from_db(due) if due is not None else None for number, due in rows}
    assert found == {number: one.deadline for number, one in there.items()}
    begun = Clock().now
    return [due - begun if due is not None else None for due in found.values()]


def test_deadlines_are_those_that_pages_show(office: Office) -> None:
    office.invited()
    for _one in range(2):
        office.submit()
    office.engine.fire(office.submit(), "withdraw", AUTHOR)
    assert told_alike(office) == [3 * DAY, DAY, DAY, None]
    office.clock.forward(hours=60)  # two reminders, of which the first was due, and many notes, which are none
    office.engine.run_due()
    office.submit()
    assert told_alike(office) == [3 * DAY, DAY, DAY, None, 3.5 * DAY]


@pytest.mark.parametrize(
    ("event", "due", "said", "shown"),
    [
        (SKIP_EVENT, None, {"timer": "remind", "since": -3}, -3),
        (SKIP_EVENT, 2, {"timer": "remind"}, 2),
        (SKIP_EVENT, 2, {"timer": "remind", "since": 1}, 1),
        (SKIP_EVENT, 1, {"timer": "note"}, 24),
        ("remind", 6, {"since": 5}, 5),
        ("remind", 5, {"since": 6}, 5),
        ("remind", 5, None, 5),
        ("note", 5, None, 24),
        ("noted", None, {"since": 0}, 24),
    ],
)
def test_what_was_skipped_or_stood_for_several_times_counts_as_the_first_of_them(
    office: Office, event: str, due: int | None, said: dict[str, str | int] | None, shown: int
) -> None:
    begun = office.clock.now
    office.submit()
    if said is not None and "since" in said:
        said = {**said, SINCE: to_db(begun + timedelta(hours=int(said["since"]))), OCCURRENCES: 2}
    office.sql(
        "INSERT INTO history SELECT instance_id, 2, ?, 'submitted', 'submitted', actor, at, "
        f"{'NULL' if due is None else '?'}, ?, mac, '' FROM history",
        *(event, *(() if due is None else (to_db(begun + timedelta(hours=due)),)), json.dumps(said) if said else ""),
    )
    assert told_alike(office) == [timedelta(hours=shown)]


def test_without_definitions_there_are_no_deadlines(office: Office) -> None:
    office.submit()
    with office.engine.store.reading() as unit:
        sql, values = deadline_anywhere(unit, {})
        assert unit.rows(f"SELECT {sql} FROM instance i", values) == [(None,)]
