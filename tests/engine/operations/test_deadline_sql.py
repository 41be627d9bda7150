"""The deadlines that a database works out are those that `standing` tells, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.authoring.release import release
from engine.definition import ANYONE, SYSTEM, State, Timer, Transition
from engine.operations.deadline_rows import bring_in
from engine.operations.pauses.acts import pause, resume
from engine.runtime.deadlines import OCCURRENCES, SINCE, SKIP_EVENT
from engine.runtime.pauses.scopes import OneVersion
from engine.store.base import to_db
from engine.testing import Clock
from tests.kit.deadlines import held_deadlines, unknown_deadlines
from tests.kit.reviews import AUTHOR, OPERATOR, REVIEW, REVIEW_2, Office, open_office

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
    begun = Clock().now
    found = held_deadlines(office.engine)
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
    office.sql("UPDATE instance SET deadline_seq = 0")
    assert unknown_deadlines(office.engine) == {1}  # what was worked out agrees with what pages show
    assert bring_in(office.engine) == 1
    assert told_alike(office) == [timedelta(hours=shown)]


def test_what_a_process_of_the_version_before_wrote_is_worked_out_until_it_is_brought_in(office: Office) -> None:
    kept, moved, new = (office.submit() for _one in range(3))
    office.sql("UPDATE instance SET deadline_seq = 0, deadline_at = NULL WHERE id = ?", new)  # as it inserts one
    office.sql("UPDATE instance SET seq = seq + 1 WHERE id = ?", moved)  # as it moves one: the deadline is another's
    office.sql("UPDATE instance SET deadline_at = ? WHERE id = ?", to_db(office.clock.now), moved)
    office.sql("INSERT INTO history SELECT instance_id, 2, 'x', source, target, actor, at, due_at, data, mac, timers "
               "FROM history WHERE instance_id = ?", moved)  # fmt: skip
    assert unknown_deadlines(office.engine) == {moved, new}
    office.clock.forward(hours=1.5)
    office.engine.run_due()  # a note leads back, and leaves a deadline as unknown as it was
    assert unknown_deadlines(office.engine) == {moved, new}
    assert bring_in(office.engine, most=1) == 1
    assert len(unknown_deadlines(office.engine)) == 1
    assert bring_in(office.engine) == 1
    assert bring_in(office.engine) == 0
    assert told_alike(office) == [DAY, DAY, DAY]
    assert kept not in unknown_deadlines(office.engine)


def test_resuming_a_version_moves_the_deadlines_that_stood(database_url: str, clock: Clock) -> None:
    stands = replace(
        NAGGING,
        states=(
            State("submitted", timers=(Timer("remind", DAY, deadline=True, while_paused="stands"),)),
            *NAGGING.states[1:],
        ),
        transitions=tuple(way for way in NAGGING.transitions if way.event != "note"),
    )
    office = open_office(database_url, clock, stands)
    reminded = office.submit()
    clock.forward(hours=25)
    office.engine.run_due()
    office.submit()
    pause(office.engine, OneVersion("review", 1), OPERATOR, "x")
    clock.forward(hours=5)
    resume(office.engine, OneVersion("review", 1), OPERATOR, "x")
    assert told_alike(office) == [DAY, DAY + timedelta(hours=30)]
    assert office.sql("SELECT due_at FROM timer WHERE instance_id = ?", reminded) != []
    office.close()


def test_a_definition_that_calls_other_timers_deadlines_has_them_worked_out_anew(office: Office) -> None:
    office.submit()
    assert told_alike(office) == [DAY]
    other = replace(
        NAGGING,
        states=(
            State("submitted", timers=(Timer("remind", DAY), Timer("note", timedelta(hours=1), deadline=True))),
            *NAGGING.states[1:],
        ),
    )
    release(office.engine.db, (NAGGING, REVIEW_2))  # as at each start: nothing has changed
    assert told_alike(office) == [DAY]
    release(office.engine.db, (other, REVIEW_2))
    again = office.engine
    again.workflows[("review", 1)] = other
    assert unknown_deadlines(again) == {1}
    assert bring_in(again) == 1
    assert told_alike(office) == [timedelta(hours=1)]


def test_a_restarted_deadline_moves_until_one_has_passed(database_url: str, clock: Clock) -> None:
    extend = Transition("extend", ("submitted",), "submitted", allow=ANYONE, restarts=("remind",))
    office = open_office(database_url, clock, replace(NAGGING, transitions=(*NAGGING.transitions, extend)))
    number = office.submit()
    clock.forward(hours=5)
    office.engine.fire(number, "extend", AUTHOR)
    assert told_alike(office) == [timedelta(hours=29)]
    clock.forward(hours=25)
    office.engine.run_due()
    assert told_alike(office) == [timedelta(hours=29)]
    clock.forward(hours=2)
    office.engine.fire(number, "extend", AUTHOR)
    assert told_alike(office) == [timedelta(hours=29)]
    office.close()
