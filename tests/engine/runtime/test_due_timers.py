"""What is due is fired, or walked through by who only looks, to the same end (engine.runtime.due_timers, I3, I4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.attempt import Actor, Attempt, Refusal
from engine.definition import ANYONE, SYSTEM, Effect, Resend, Start, State, Timer, Transition, Workflow
from engine.errors import DatabaseAway, TimerBroken
from engine.operations.pauses import pause
from engine.outcomes import Committed, Explanation
from engine.runtime import due_timers
from engine.runtime.catching_up import CaughtUp
from engine.runtime.engine import Engine
from engine.runtime.held import Held
from engine.runtime.machine import NO_PERMISSION
from engine.runtime.pauses.scopes import OneInstance
from engine.store.base import Due, SiteDatabase
from engine.testing import Clock
from engine.text import Text, _
from tests.kit.databases import opened_database

SECRET = b"a secret of the tests, long enough for everybody"
VISITOR = Actor("visitor")
HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 4, 1, 9, tzinfo=UTC)


class Rules:
    """Writes that break for some events, and a guard that refuses them."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.refused: set[str] = set()
        self.error: Exception = ZeroDivisionError("broken")

    def hurt(self, attempt: Attempt) -> None:
        if attempt.event in self.broken:
            raise self.error

    def holds(self, attempt: Attempt) -> Refusal | None:
        return Refusal("no", _("期限切れ")) if attempt.event in self.refused else None

    def workflow(self, *timers: Timer, restarts: tuple[str, ...] = ()) -> Workflow:
        """A state with a reminder, a nudge and an end; behind it one that ends by itself."""
        rules: dict[str, Any] = {"guards": (self.holds,), "writes": (self.hurt,)}
        written = timers or (Timer("remind", HOUR), Timer("nudge", 3 * HOUR, missed="skip"), Timer("end", 10 * HOUR))
        return Workflow(
            "paper",
            1,
            Start("open"),
            (
                State("open", timers=written),
                State("ended", timers=(Timer("forget", 2 * HOUR), Timer("end", 5 * HOUR))),
                State("gone", final=True),
            ),
            (
                Transition("remind", ("open",), "open", SYSTEM, restarts=restarts, **rules),
                Transition("nudge", ("open",), "open", SYSTEM, **rules),
                Transition("end", ("open", "ended"), "ended", SYSTEM, effects=(Effect("post", "p"),), **rules),
                Transition("forget", ("ended",), "gone", SYSTEM, **rules),
                Transition("leave", ("open", "ended"), "gone", ANYONE, title=_("申込")),
            ),
        )


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def db(sqlite_db: SiteDatabase) -> SiteDatabase:
    return sqlite_db


Begun = Callable[..., tuple[Engine, int]]


@pytest.fixture
def begun(db: SiteDatabase, clock: Clock) -> Begun:
    """An engine with one instance of a definition."""

    def make(workflow: Workflow) -> tuple[Engine, int]:
        engine = Engine(db, [workflow], secret=SECRET, clock=clock)
        return engine, engine.start(workflow.name, "s", VISITOR).instance_id

    return make


def after(hours: float) -> datetime:
    return BEGIN + hours * HOUR


def walked(engine: Engine, number: int) -> tuple[str, dict[str, float], str]:
    """The state and the hours of its timers to which a look comes, and which timer it calls broken."""
    with engine.store.reading() as unit:
        instance, timers, now = engine.store.read(unit, number)
        broken = engine.due_timers.walk(Held(unit, instance, timers, now, Committed()))
    return instance.state, {timer.event: (timer.due_at - BEGIN) / HOUR for timer in timers}, broken


def stands(engine: Engine, number: int) -> tuple[str, dict[str, float]]:
    with engine.store.reading() as unit:
        instance, timers, _now = engine.store.read(unit, number)
    return instance.state, {timer.event: (timer.due_at - BEGIN) / HOUR for timer in timers}


def test_a_look_walks_where_firing_leads_and_finds_the_same_timers_there(
    begun: Begun, rules: Rules, clock: Clock
) -> None:
    engine, number = begun(rules.workflow())
    expected: dict[float, tuple[str, dict[str, float]]] = {
        0.9: ("open", {"remind": 1, "nudge": 3, "end": 10}),
        1: ("open", {"remind": 2, "nudge": 3, "end": 10}),
        3.5: ("open", {"remind": 4, "nudge": 6, "end": 10}),
        9.5: ("open", {"remind": 10, "nudge": 12, "end": 10}),  # two nudges were missed, and skipped
        10: ("ended", {"forget": 12, "end": 15}),
        12: ("gone", {}),
    }
    for hours, there in expected.items():
        clock.now = after(hours)
        assert walked(engine, number) == (*there, "")
    clock.now = after(9.5)
    engine.catch_up.of(number, counts=False)
    assert stands(engine, number) == expected[9.5]
    clock.now = after(11)
    engine.catch_up.of(number, counts=False)
    assert stands(engine, number) == expected[10]
    assert [(entry.event, entry.due_at) for entry in engine.history(number)[1:]] == [
        ("timer.skip", None),
        ("remind", after(9)),
        ("remind", after(10)),
        ("end", after(10)),
    ]
    assert engine.verify(number) == []


def test_who_looks_at_many_at_once_sees_what_a_look_at_each_shows(
    database_url: str, rules: Rules, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_database(database_url) as db:
        engine = Engine(db, [rules.workflow()], secret=SECRET, clock=clock)
        numbers = []
        for _ in range(6):  # which come to different ends
            numbers.append(engine.start("paper", "s", VISITOR).instance_id)
            if len(numbers) == 3:
                pause(engine, OneInstance(numbers[2]), Actor("operator"), "for a while")
            clock.forward(hours=2.2)
        engine.fire(numbers[5], "leave", VISITOR)
        alone = {number: engine.look(number) for number in numbers}
        assert {(sight.state.name, sight.overdue, sight.paused) for sight in alone.values()} == {
            ("gone", True, False),
            ("open", False, True),
            ("ended", True, False),
            ("open", True, False),
            ("gone", False, False),
        }
        asked = [*reversed(numbers), numbers[2], 99]
        monkeypatch.setattr(engine.store, "read", None)  # one by one
        assert engine.look_at_each(asked) == alone
        with engine.store.reading() as unit:
            assert {number: sight for number, (sight, _instance) in engine.sights(unit, asked).items()} == alone
        db.execute_sql(f"UPDATE instance SET version = 7 WHERE id = {numbers[0]}")
        assert sorted(engine.look_at_each(asked)) == numbers[1:]
        assert engine.look_at_each([]) == engine.look_at_each([99]) == {}


def test_what_is_skipped_is_an_entry_and_the_timer_wakes_at_its_next_time(
    begun: Begun, rules: Rules, db: SiteDatabase, clock: Clock
) -> None:
    engine, number = begun(rules.workflow(Timer("nudge", 3 * HOUR, missed="skip"), Timer("end", 20 * HOUR)))
    db.execute_sql("UPDATE timer SET failures = 2, error = 'broken' WHERE event = 'nudge'")
    commits: list[Committed] = []
    engine.on_commit = commits.append
    clock.now = after(10)
    assert engine.catch_up.of(number, counts=False).moved == 1
    entry = engine.history(number)[-1]
    assert (entry.seq, entry.event, entry.source, entry.target, entry.actor, entry.at, entry.due_at) == (
        *(2, "timer.skip", "open", "open", "system", after(10), None),
    )
    assert json.loads(entry.data) == {"timer": "nudge", "occurrences": 3, "since": "2026-04-01 12:00:00.000000"}
    assert json.loads(entry.timers or "") == {
        "nudge": "2026-04-01 21:00:00.000000",
        "end": "2026-04-02 05:00:00.000000",
    }
    rows = db.execute_sql("SELECT event, due_at, wake_at, failures, error FROM timer ORDER BY due_at").fetchall()
    nudge, end = "2026-04-01 21:00:00.000000", "2026-04-02 05:00:00.000000"
    assert list(rows) == [("nudge", nudge, nudge, 0, ""), ("end", end, end, 0, "")]
    assert [(commit.effects, commit.next_due) for commit in commits] == [(0, after(12))]
    assert engine.verify(number) == []


def test_several_times_are_one_entry_that_says_how_many_and_since_when(
    begun: Begun, rules: Rules, clock: Clock
) -> None:
    engine, number = begun(rules.workflow())
    clock.now = after(2.5)
    engine.catch_up.of(number, counts=False)
    entry = engine.history(number)[-1]
    assert (entry.event, entry.at, entry.due_at) == ("remind", after(2.5), after(2))
    assert json.loads(entry.data) == {"occurrences": 2, "since": "2026-04-01 10:00:00.000000"}
    clock.now = after(3)
    engine.catch_up.of(number, counts=False)
    assert [(entry.event, entry.data) for entry in engine.history(number)[2:]] == [("remind", "{}"), ("nudge", "{}")]


def test_a_reminder_that_is_broken_is_named_until_its_state_is_left(begun: Begun, rules: Rules, clock: Clock) -> None:
    engine, number = begun(rules.workflow())
    rules.refused = {"remind"}
    clock.now = after(4)
    assert walked(engine, number) == ("open", {"remind": 1, "nudge": 6, "end": 10}, "remind")
    clock.now = after(9.5)
    rules.refused.add("nudge")
    assert walked(engine, number) == ("open", {"remind": 1, "nudge": 12, "end": 10}, "remind")
    clock.now = after(10)
    assert walked(engine, number) == ("ended", {"forget": 12, "end": 15}, "")


def test_where_the_way_out_is_broken_or_a_restart_hangs_on_it_a_look_goes_no_further(
    begun: Begun, rules: Rules, clock: Clock
) -> None:
    engine, number = begun(rules.workflow())
    rules.refused = {"end"}
    clock.now = after(15)
    assert walked(engine, number) == ("open", {"remind": 11, "nudge": 12, "end": 10}, "end")


def test_a_broken_reminder_that_restarts_another_timer_holds_up_all(begun: Begun, rules: Rules, clock: Clock) -> None:
    engine, number = begun(rules.workflow(restarts=("end",)))
    rules.refused = {"remind"}
    clock.now = after(15)
    assert walked(engine, number) == ("open", {"remind": 1, "nudge": 12, "end": 10}, "remind")


def test_a_timer_that_could_not_fire_counts_as_broken_until_it_is_tried_again(
    begun: Begun, rules: Rules, db: SiteDatabase, clock: Clock
) -> None:
    engine, number = begun(rules.workflow())
    db.execute_sql("UPDATE timer SET failures = 1 WHERE event = 'remind'")
    clock.now = after(3)
    assert walked(engine, number) == ("open", {"remind": 1, "nudge": 6, "end": 10}, "remind")
    assert engine.look(number).broken == "remind"


def test_a_look_passes_on_that_the_database_is_away(begun: Begun, rules: Rules, clock: Clock) -> None:
    def away(attempt: Attempt) -> datetime:
        if attempt.event == "start":
            return after(1)
        raise DatabaseAway

    engine, number = begun(rules.workflow(Timer("remind", at=away)))
    clock.now = after(2)
    with pytest.raises(DatabaseAway):
        engine.look(number)
    with pytest.raises(DatabaseAway):
        engine.catch_up.of(number, counts=False)


def test_a_circle_leaves_a_look_where_it_began_and_names_its_first_timer(begun: Begun, clock: Clock) -> None:
    def at_once(attempt: Attempt) -> datetime:
        return attempt.at

    swing = Workflow(
        "swing",
        1,
        Start("begin"),
        (
            State("begin", timers=(Timer("tick", 1.5 * HOUR), Timer("enter", 2 * HOUR))),
            State("left", timers=(Timer("go", at=at_once),)),
            State("right", timers=(Timer("back", at=at_once),)),
        ),
        (
            Transition("tick", ("begin",), "begin", SYSTEM),
            Transition("enter", ("begin",), "left", SYSTEM),
            Transition("go", ("left",), "right", SYSTEM),
            Transition("back", ("right",), "left", SYSTEM),
        ),
    )
    engine, number = begun(swing)
    clock.now = after(2)
    assert walked(engine, number) == ("begin", {"tick": 3, "enter": 2}, "enter")
    with engine.store.begin() as unit:
        instance, timers, now = engine.store.read(unit, number)
        with pytest.raises(TimerBroken) as raised:
            engine.due_timers.apply(Held(unit, instance, timers, now, Committed()))
    assert (raised.value.event, raised.value.kept, raised.value.instance_id) == ("enter", 1, number)
    assert raised.value.why.startswith('TimerStandsStill: timer "enter" of state "begin" of workflow "swing" version 1')


def test_as_many_fire_as_are_asked_for_and_those_that_are_left_out_do_not(
    begun: Begun, rules: Rules, clock: Clock
) -> None:
    engine, number = begun(rules.workflow(Timer("remind", HOUR, missed="each"), Timer("end", 3 * HOUR)))
    clock.now = after(5)

    def apply_due_timers(most: int, without: tuple[str, ...] = ()) -> tuple[int, str, dict[str, float]]:
        with engine.store.begin() as unit:
            instance, timers, now = engine.store.read(unit, number)
            fired = engine.due_timers.apply(Held(unit, instance, timers, now, Committed()), most, without)
            assert instance.seq == 1 + fired
            return fired, instance.state, {timer.event: (timer.due_at - BEGIN) / HOUR for timer in timers}

    assert apply_due_timers(1) == (1, "open", {"remind": 2, "end": 3})
    assert apply_due_timers(2) == (2, "open", {"remind": 3, "end": 3})
    assert apply_due_timers(3) == (3, "open", {"remind": 4, "end": 3})
    assert apply_due_timers(4) == (4, "ended", {"forget": 5, "end": 8})
    assert apply_due_timers(0) == apply_due_timers(9) == (5, "gone", {})
    assert apply_due_timers(1, ("remind",)) == (1, "ended", {"forget": 5, "end": 8})
    assert apply_due_timers(9, ("end",)) == (5, "open", {"remind": 6, "end": 3})
    assert apply_due_timers(9, ("forget",)) == (5, "gone", {})  # which is of a state that was not yet entered
    assert apply_due_timers(0, ("remind", "end")) == (0, "open", {"remind": 1, "end": 3})
    engine.due_timers.piece = 2
    assert apply_due_timers(0) == (2, "open", {"remind": 3, "end": 3})
    engine.due_timers.piece = 3  # the fourth is of the same moment as the third, and kept with it
    assert apply_due_timers(0) == (4, "ended", {"forget": 5, "end": 8})


def test_a_timer_that_breaks_says_how_many_fired_before_it_and_why(begun: Begun, rules: Rules, clock: Clock) -> None:
    engine, number = begun(rules.workflow())

    def broken() -> TimerBroken:
        with engine.store.begin() as unit:
            instance, timers, now = engine.store.read(unit, number)
            with pytest.raises(TimerBroken) as raised:
                engine.due_timers.apply(Held(unit, instance, timers, now, Committed()))
        return raised.value

    clock.now = after(11)
    rules.broken = {"end"}
    error = broken()
    assert (error.instance_id, error.event, error.kept, error.why) == (number, "end", 2, "ZeroDivisionError: broken")
    assert str(error) == f"instance {number}: the timer 'end' cannot fire: ZeroDivisionError: broken"
    assert error.__cause__ is rules.error
    rules.broken, rules.refused = set(), {"nudge", "end"}
    assert (broken().event, broken().kept) == ("end", 2)  # the nudge was skipped, and its guard was not asked
    assert broken().why == "no: 期限切れ"
    rules.refused = set()
    rules.error = DatabaseAway()
    rules.broken = {"end"}
    with engine.store.begin() as unit:
        instance, timers, now = engine.store.read(unit, number)
        with pytest.raises(DatabaseAway):
            engine.due_timers.apply(Held(unit, instance, timers, now, Committed()))


def test_a_rule_of_later_times_that_breaks_is_its_own_timers_fault(begun: Begun, rules: Rules, clock: Clock) -> None:
    def breaks_later(attempt: Attempt) -> datetime:
        if attempt.event == "start":
            return after(1)
        raise ZeroDivisionError("no next time")

    engine, number = begun(rules.workflow(Timer("remind", at=breaks_later), Timer("nudge", 4 * HOUR)))
    clock.now = after(2)
    with engine.store.begin() as unit:
        instance, timers, now = engine.store.read(unit, number)
        with pytest.raises(TimerBroken) as raised:
            engine.due_timers.apply(Held(unit, instance, timers, now, Committed()))
    assert (raised.value.event, raised.value.kept) == ("remind", 0)
    assert raised.value.why == "ZeroDivisionError: no next time"
    clock.now = after(5)
    assert walked(engine, number) == ("open", {"remind": 1, "nudge": 8}, "remind")


def test_a_broken_reminder_is_news_only_while_its_state_lasts(begun: Begun, rules: Rules, clock: Clock) -> None:
    engine, number = begun(rules.workflow())
    rules.broken = {"remind"}
    clock.now = after(9.5)
    found = engine.catch_up.of(number, None)
    assert (found.moved, found.broken is not None and found.broken.event) == (True, "remind")
    clock.now = after(10.5)
    assert engine.catch_up.of(number, None) == CaughtUp(moved=True)
    assert [entry.event for entry in engine.history(number)] == ["start", "timer.skip", "end"]


@pytest.mark.parametrize("link", ["reuse", "extend"])
def test_a_timer_that_sends_once_more_lets_deadlines_run_on_in_a_look_as_in_firing(
    begun: Begun, clock: Clock, link: str
) -> None:
    sent = (Effect("letter", "offer"),)
    resend = Resend(link)  # type: ignore[arg-type]
    workflow = Workflow(
        "offer",
        1,
        Start("open", effects=sent),
        (
            State("open", timers=(Timer("again", 2 * HOUR), Timer("end", 9 * HOUR))),
            State("reminded", timers=(Timer("last", 5 * HOUR), Timer("end", 20 * HOUR), Timer("again", 3 * HOUR))),
            State("over", final=True),
        ),
        (
            Transition("again", ("open",), "reminded", SYSTEM, effects=sent, resend=resend),
            Transition("again", ("reminded",), "reminded", SYSTEM, effects=sent, resend=resend),
            Transition("last", ("reminded",), "over", SYSTEM),
            Transition("end", ("open", "reminded"), "over", SYSTEM),
        ),
    )
    engine, number = begun(workflow)
    reuses = link == "reuse"
    for hours, expected in (
        (2, {"last": 7, "end": 9 if reuses else 22, "again": 2 if reuses else 5}),
        (5.5, {"last": 7, "end": 9, "again": 8} if reuses else {"last": 10, "end": 25, "again": 8}),
    ):
        clock.now = after(hours)
        seen = walked(engine, number)
        engine.catch_up.of(number, counts=False)
        assert (*stands(engine, number), "") == seen
        if reuses and hours == 2:
            expected = {**expected, "again": 5}  # due at once, and again after it
        assert seen == ("reminded", expected, "")


def test_a_way_is_closed_by_a_broken_timer_to_who_has_the_permission() -> None:
    no = Refusal("no", Text("no"))
    way = Explanation("go", Text("Go"), "over", Text("All"), ())
    assert due_timers.closed(way) == replace(way, reasons=(due_timers.TIMER_BROKEN,))
    assert due_timers.closed(replace(way, reasons=(no,))).reasons == (no, due_timers.TIMER_BROKEN)
    forbidden = replace(way, reasons=(NO_PERMISSION,))
    assert due_timers.closed(forbidden) is forbidden


def test_a_timer_of_another_version_fires_as_an_event_that_is_not_possible(
    begun: Begun, rules: Rules, db: SiteDatabase, clock: Clock
) -> None:
    engine, number = begun(rules.workflow())
    db.execute_sql("UPDATE timer SET event = 'unknown' WHERE event = 'remind'")
    clock.now = after(1)
    assert walked(engine, number) == ("open", {"unknown": 1, "nudge": 3, "end": 10}, "unknown")
    with engine.store.begin() as unit:
        instance, timers, now = engine.store.read(unit, number)
        assert Due("unknown", after(1)) in timers
        with pytest.raises(TimerBroken) as raised:
            engine.due_timers.apply(Held(unit, instance, timers, now, Committed()))
    assert (raised.value.event, raised.value.kept) == ("unknown", 0)
    assert raised.value.why.startswith("EventNotPossible: ")
