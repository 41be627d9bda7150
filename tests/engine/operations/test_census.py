"""What runs, as people who look after it see it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from engine.operations.census import (
    Population,
    Standing,
    census,
    censuses,
    occupied,
    standing,
    standing_about,
)
from engine.runtime.deadlines import SINCE, SKIP_EVENT
from engine.store.base import Row, to_db
from engine.store.sqlite_unit import SqliteUnit
from engine.testing import Clock
from tests.kit.dumps import dump
from tests.kit.reviews import AUTHOR, REVIEWER, Office, Submission, Verdict, open_office


def _by_state(office: Office, version: int = 1) -> dict[str, Population]:
    return {one.state: one for one in census(office.engine, "review") if one.version == version}


def test_census_counts_every_state_and_tells_ages_of_what_is_open(office: Office) -> None:
    begun = office.clock.now
    for hours in range(4):
        office.invited(f"Paper {hours}")
        office.clock.forward(hours=1)
    done = office.invited("Done")
    office.engine.fire(done, "decide", REVIEWER, Verdict(1))
    found = _by_state(office)
    assert list(found) == [state.name for state in office.engine.workflows["review", 1].states]
    review = found["in_review"]
    assert (review.count, review.oldest, review.median) == (4, begun, begun + timedelta(hours=1))
    assert found["rejected"] == Population(1, "rejected", 1)
    assert found["submitted"] == Population(1, "submitted", 0)
    assert {one.version for one in census(office.engine, "review")} == {1, 2}
    assert census(office.engine, "nothing") == []


def test_census_stops_counting_where_it_is_told_to(office: Office) -> None:
    begun = office.clock.now
    numbers = []
    for hours in range(5):
        numbers.append(office.invited(f"Paper {hours}"))
        office.clock.forward(hours=1)
    for number in numbers[3:]:
        office.engine.fire(number, "decide", REVIEWER, Verdict(1))
    found = {one.state: one for one in census(office.engine, "review", most=2) if one.version == 1}
    assert found["in_review"] == Population(1, "in_review", 2, begun, begun, more=True)
    assert found["rejected"] == Population(1, "rejected", 2)
    found = {one.state: one for one in census(office.engine, "review", most=1) if one.version == 1}
    assert found["rejected"] == Population(1, "rejected", 1, more=True)


def test_occupied_states_are_found_one_after_another(office: Office) -> None:
    with office.engine.store.reading() as unit:
        assert occupied(unit) == []
    office.invited()
    office.submit()
    office.submit()
    office.sql("UPDATE instance SET version = 7, state = 'limbo' WHERE id = ?", office.submit())
    with office.engine.store.reading() as unit:
        assert occupied(unit) == [("review", 1, "in_review"), ("review", 1, "submitted"), ("review", 7, "limbo")]


def test_census_counts_what_no_definition_knows(office: Office) -> None:
    number = office.submit()
    office.sql("UPDATE instance SET version = 7, state = 'limbo' WHERE id = ?", number)
    (lost,) = [one for one in census(office.engine, "review") if one.version == 7]
    assert (lost.state, lost.count) == ("limbo", 1)


def test_standing_tells_since_when_and_until_when(office: Office) -> None:
    begun = office.clock.now
    number = office.invited("On locks")
    (found,) = standing(office.engine, [number]).values()
    assert (found.instance_id, found.about, found.state) == (number, "paper:On locks", "in_review")
    assert (found.since, found.due) == (begun, begun + timedelta(hours=72))
    assert standing(office.engine, ()) == {}
    assert standing(office.engine, (number, 999)) == {number: found}
    office.clock.forward(hours=5)
    office.engine.fire(number, "resend", AUTHOR)
    assert standing(office.engine, [number])[number].since == begun + timedelta(hours=5)


def test_reminder_does_not_move_what_was_due(database_url: str, clock: Clock) -> None:
    """A state that reminds of itself was due when it first did."""
    from dataclasses import replace

    from engine.definition import SYSTEM, State, Timer, Transition
    from tests.kit.reviews import REVIEW, REVIEW_2

    day = timedelta(hours=24)
    nagging = replace(
        REVIEW,
        states=(State("submitted", timers=(Timer("remind", day),)), *REVIEW.states[1:]),
        transitions=(
            *(t for t in REVIEW.transitions if t.event != "remind"),
            Transition("remind", ("submitted",), "submitted", allow=SYSTEM),
        ),
    )
    office = open_office(database_url, clock, nagging, REVIEW_2)
    begun = clock.now
    number = office.engine.start("review", "paper:x", AUTHOR, Submission("x")).instance_id
    clock.forward(hours=60)
    office.engine.run_due()
    found = standing(office.engine, [number])[number]
    assert (found.since, found.due) == (begun, begun + day)
    office.close()


def test_looking_writes_nothing(office: Office) -> None:
    number = office.submit()
    before = dump(office.db)
    census(office.engine, "review")
    standing(office.engine, [number])
    standing_about(office.engine, ["paper:x"])
    assert dump(office.db) == before


def test_finding_occupied_states_takes_no_more_steps_among_many_instances(sqlite_url: str, clock: Clock) -> None:
    office = open_office(sqlite_url, clock)
    office.invited()
    office.submit()
    steps = []
    for first in (1000, 20_000):
        office.sql(
            "WITH RECURSIVE c(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM c WHERE n < 2 * ?) INSERT INTO instance "
            "(id, workflow, version, subject, state, seq, generation, head) "
            "SELECT n, 'review', 1, 'x:' || n, CASE n % 2 WHEN 0 THEN 'rejected' ELSE 'submitted' END, 1, 0, x'00' "
            "FROM c",
            first,
            first,
        )
        count = [0]

        def step(count: list[int] = count) -> None:
            count[0] += 1

        with office.engine.store.reading() as unit:
            unit.connection.set_progress_handler(step, 10)
            assert len(occupied(unit)) == 3
            unit.connection.set_progress_handler(None, 10)
        steps.append(count[0])
    office.close()
    assert steps[1] <= 2 * steps[0] + 20


# -- whole records -----------------------------------------------------------------------------------------------------


def test_where_instances_stand_is_told_whole(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    hour = timedelta(hours=1)
    first, second = office.submit("One"), office.invited("Two")
    office.clock.forward(hours=24)
    office.engine.run_due()
    third = office.submit("Three", version=2)
    office.engine.fire(second, "withdraw", AUTHOR)
    told = {
        first: Standing(first, "review", 1, "paper:One", "in_review", 2, begun, begun + 72 * hour),
        second: Standing(second, "review", 1, "paper:Two", "withdrawn", 3, begun + 24 * hour, None),
        third: Standing(third, "review", 2, "paper:Three", "submitted", 1, begun + 24 * hour, begun + 48 * hour),
    }
    assert standing(office.engine, [third, first, second, second, 99]) == told
    office.sql("DELETE FROM history WHERE instance_id = ?", second)
    assert standing(office.engine, [second])[second].since is None


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_median_of_an_even_number_is_the_older_of_the_two_in_the_middle(sqlite_office: Office, count: int) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    for hours in range(count):
        office.submit(f"Paper {hours}")
        office.clock.forward(hours=1)
    found = census(office.engine, "review")
    assert [one.version for one in found] == [2] * 8 + [1] * 7
    assert found[8:] == [
        Population(1, "submitted", count, begun, begun + timedelta(hours=(count - 1) // 2)),
        *(Population(1, state.name, 0) for state in office.engine.workflows["review", 1].states[1:]),
    ]


@pytest.mark.parametrize(("count", "more"), [(1, False), (2, False), (3, True)])
def test_a_count_that_stops_says_that_there_are_more(sqlite_office: Office, count: int, *, more: bool) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    for state in ("submitted", "rejected"):
        for n in range(count):
            office.sql("UPDATE instance SET state = ? WHERE id = ?", state, office.submit(f"Paper {state} {n}"))
    found = {one.state: one for one in census(office.engine, "review", most=2) if one.version == 1}
    shown = min(count, 2)
    assert found["submitted"] == Population(1, "submitted", shown, begun, begun, more)
    assert found["rejected"] == Population(1, "rejected", shown, more=more)


def test_what_stands_where_no_definition_knows_it_is_told_last_and_in_order(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    for place in ((7, "limbo"), (1, "limbo"), (7, "abyss")):
        office.sql("UPDATE instance SET version = ?, state = ? WHERE id = ?", *place, office.submit())
    office.sql("DELETE FROM history WHERE instance_id = 3")
    found = censuses(office.engine, ["review", "nothing"])
    assert found["nothing"] == []
    assert len(found["review"]) == 18
    assert found["review"][-3:] == [
        Population(1, "limbo", 1, begun, begun),
        Population(7, "abyss", 1),
        Population(7, "limbo", 1, begun, begun),
    ]
    office.sql("UPDATE instance SET workflow = 'other'")
    assert len(census(office.engine, "review")) == 15
    assert [one.state for one in census(office.engine, "other")] == ["limbo", "abyss", "limbo"]
    with office.engine.store.reading() as unit:
        assert occupied(unit) == [("other", 1, "limbo"), ("other", 7, "abyss"), ("other", 7, "limbo")]


def test_a_time_that_was_skipped_is_what_was_due(sqlite_office: Office) -> None:
    """The reminder that nobody sent while nothing ran stands for the first of the times that passed."""
    office, begun = sqlite_office, sqlite_office.clock.now
    number = office.submit()
    entry = (
        "INSERT INTO history SELECT instance_id, 2, ?, 'submitted', 'submitted', actor, at, ?, ?, mac, '' FROM history"
    )
    for event, due, data, shown in (
        ("timer.skipped", None, {"since": to_db(begun - timedelta(hours=3))}, timedelta(hours=-3)),
        ("timer.skipped", to_db(begun + timedelta(hours=2)), {}, timedelta(hours=2)),
        ("noted", None, {"since": to_db(begun)}, timedelta(hours=24)),
    ):
        name = SKIP_EVENT if event == "timer.skipped" else event
        said = {SINCE if key == "since" else key: value for key, value in data.items()}
        office.sql(entry, name, due, json.dumps(said))
        assert standing(office.engine, [number])[number].due == begun + shown
        office.sql("DELETE FROM history WHERE seq = 2")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_about_somebody_is_found_by_that_and_not_by_its_workflow(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has no statistics here, as on most sites: the index of workflows looks as good to it."""
    asked: list[tuple[str, Sequence[Any]]] = []
    rows = SqliteUnit.rows

    def recorded(unit: SqliteUnit, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        asked.append((sql, params))
        return rows(unit, sql, params)

    monkeypatch.setattr(SqliteUnit, "rows", recorded)
    standing_about(office.engine, ["paper:a", "paper:b", "paper:c"], ["review", "other", "third"], 100)
    office.engine.find("review", "paper:a")
    monkeypatch.undo()
    about = [(sql, params) for sql, params in asked if "subject" in sql]
    assert len(about) == 2
    for sql, params in about:
        plan = " ".join(str(row[-1]) for row in office.sql(f"EXPLAIN QUERY PLAN {sql}", *params))
        assert "instance_subject" in plan
        assert "instance_place" not in plan
