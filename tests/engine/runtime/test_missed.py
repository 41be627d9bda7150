"""Times of a timer that went by while nothing ran: fired once, each, or skipped; never for ever
(engine.runtime.timetable)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Attempt, Refusal
from engine.definition import ALL_TIMERS, ANYONE, SYSTEM, Effect, Missed, Start, State, Timer, Transition, Workflow
from engine.errors import CatchingUp, EventNotPossible, Refused, StaleForm
from engine.operations.census import standing
from engine.operations.incidents import incidents
from engine.operations.pauses.acts import pause
from engine.outcomes import Committed
from engine.runtime import due_timers, timetable
from engine.runtime.deadlines import SKIP_EVENT
from engine.runtime.engine import Engine
from engine.runtime.held import Held
from engine.runtime.pauses.scopes import OneInstance
from engine.store.base import Due, SiteDatabase
from engine.testing import Clock
from engine.text import _
from tests.kit.scale import trials
from tests.kit.timers import HOUR, OPERATOR, SECRET, VISITOR, EngineOf, begin, data, due_in, hours, reminding

# -- once, each, skip --------------------------------------------------------------------------------------------------


def test_48_hours_off_send_one_reminder_and_the_grid_stays(engine_of: EngineOf, clock: Clock) -> None:
    engine = engine_of(reminding())
    number = begin(engine)
    clock.forward(hours=48, minutes=20)
    assert engine.run_due() == 1
    assert hours(engine, number) == [48]
    assert data(engine.history(number)[-1]) == {"occurrences": 48, "since": "2026-04-01 10:00:00.000000"}
    assert due_in(engine, number) == {"remind": 49}
    assert engine.run_due() == 0
    assert engine.verify(number) == []


def test_each_fires_for_every_time(engine_of: EngineOf, clock: Clock) -> None:
    engine = engine_of(reminding(missed="each"))
    number = begin(engine)
    clock.forward(hours=48, minutes=20)
    assert engine.run_due() == 1
    assert hours(engine, number) == list(range(1, 49))
    assert due_in(engine, number) == {"remind": 49}


def test_skip_fires_none_of_several_and_says_so_once_under_the_seal(
    engine_of: EngineOf, db: SiteDatabase, clock: Clock
) -> None:
    engine = engine_of(reminding(missed="skip"))
    number = begin(engine)
    clock.forward(hours=48, minutes=20)
    assert engine.run_due() == 1
    assert hours(engine, number) == []
    entry = engine.history(number)[-1]
    assert (entry.event, entry.source, entry.target) == (SKIP_EVENT, "open", "open")
    assert data(entry) == {"timer": "remind", "occurrences": 48, "since": "2026-04-01 10:00:00.000000"}
    assert due_in(engine, number) == {"remind": 49}
    assert engine.run_due() == 0
    assert engine.verify(number) == []
    db.execute_sql("UPDATE timer SET due_at = '2026-05-01 00:00:00.000000'")
    assert "the timer 'remind' is due at 2026-05-01" in engine.verify(number)[0]


@pytest.mark.parametrize("missed", ["once", "each", "skip"])
def test_what_was_due_first_is_known_after_several_were_one(engine_of: EngineOf, clock: Clock, missed: Missed) -> None:
    """Staff see since when something is overdue, not when they were told."""
    engine = engine_of(reminding(missed=missed))
    number = begin(engine)
    begun = clock.now
    for _again in range(2):
        clock.forward(hours=48)
        engine.run_due()
    assert standing(engine, [number])[number].due == begun + HOUR


@pytest.mark.parametrize("missed", ["once", "each", "skip"])
def test_one_that_is_merely_late_fires(engine_of: EngineOf, clock: Clock, missed: Missed) -> None:
    engine = engine_of(reminding(missed=missed))
    number = begin(engine)
    clock.forward(hours=1, minutes=59)
    assert engine.run_due() == 1
    assert hours(engine, number) == [1]
    assert data(engine.history(number)[-1]) == {}
    assert due_in(engine, number) == {"remind": 2}


def test_the_attempt_knows_for_how_many_it_stands(engine_of: EngineOf, clock: Clock) -> None:
    seen: list[tuple[int, datetime]] = []
    workflow = reminding()
    noting = replace(workflow.transitions[0], writes=(lambda attempt: seen.append((attempt.occurrences, attempt.at)),))
    engine = engine_of(replace(workflow, transitions=(noting, *workflow.transitions[1:])))
    begin(engine)
    clock.forward(hours=3)
    engine.run_due()
    assert seen == [(3, clock.now)]


def test_no_time_is_missed_at_which_the_state_was_left(engine_of: EngineOf, clock: Clock) -> None:
    """Reminders at 12 and 24 hours; it expires at 30; looked at after 48."""
    for missed, reminded in (("once", [24]), ("each", [12, 24]), ("skip", [])):
        engine = engine_of(reminding(Timer("expire", 30 * HOUR), every=12 * HOUR, missed=missed))  # type: ignore[arg-type]
        number = begin(engine)
        clock.forward(hours=48)
        assert engine.look(number).state.name == "left"
        assert engine.run_due() == 1
        assert hours(engine, number) == reminded
        assert hours(engine, number, "expire") == [30]


def test_one_time_before_the_state_was_left_was_late_and_not_missed(engine_of: EngineOf, clock: Clock) -> None:
    """Its next time would have come after the end, so `skip` fires it."""
    engine = engine_of(reminding(Timer("expire", 30 * HOUR), every=20 * HOUR, missed="skip"))
    number = begin(engine)
    clock.forward(hours=48)
    engine.run_due()
    assert (hours(engine, number), hours(engine, number, "expire")) == ([20], [30])


@pytest.mark.parametrize("first", [True, False])
def test_what_is_due_at_one_microsecond_fires_in_order_of_writing(
    engine_of: EngineOf, clock: Clock, first: bool
) -> None:
    """Also where the reminder stands for several: at 3 hours it comes before the end, or it does not."""
    workflow = reminding(Timer("expire", 3 * HOUR))
    state = workflow.states[0]
    timers = state.timers if first else state.timers[::-1]
    engine = engine_of(replace(workflow, states=(replace(state, timers=timers), *workflow.states[1:])))
    number = begin(engine)
    clock.forward(hours=48)
    engine.run_due()
    assert hours(engine, number) == ([3] if first else [2])
    assert hours(engine, number, "expire") == [3]


def test_two_reminders_of_one_state_fire_once_each(engine_of: EngineOf, clock: Clock) -> None:
    workflow = reminding(every=5 * HOUR)
    workflow = replace(
        workflow,
        states=(
            replace(workflow.states[0], timers=(*workflow.states[0].timers, Timer("nudge", 7 * HOUR))),
            *workflow.states[1:],
        ),
        transitions=(*workflow.transitions, Transition("nudge", ("open",), "open", SYSTEM)),
    )
    engine = engine_of(workflow)
    number = begin(engine)
    clock.forward(hours=48)
    engine.run_due()
    assert [(entry.event, data(entry)["occurrences"]) for entry in engine.history(number)[1:]] == [
        ("nudge", 6),
        ("remind", 9),
    ]
    assert due_in(engine, number) == {"remind": 50, "nudge": 49}


def test_a_reminder_that_may_lead_on_is_asked_as_of_the_time_that_it_fires(engine_of: EngineOf, clock: Clock) -> None:
    """Guarded: after a day it escalates. Two days off are one firing, which escalates."""

    def a_day_has_passed(attempt: Attempt) -> Refusal | None:
        early = attempt.at < datetime(2026, 4, 2, 9, tzinfo=UTC)
        return Refusal("early", _("期限切れ")) if early else None

    workflow = reminding()
    on = Transition("remind", ("open",), "left", SYSTEM, guards=(a_day_has_passed,))
    engine = engine_of(replace(workflow, transitions=(on, *workflow.transitions)))
    early, late = begin(engine), begin(engine)
    clock.forward(hours=5)
    assert engine.catch_up.of(early, counts=False).moved == 1
    assert engine.look(early).state.name == "open"
    clock.forward(hours=43)
    engine.run_due()
    assert hours(engine, late) == [48]
    assert hours(engine, early) == [5, 48]
    assert engine.look(late).state.name == "left"


def test_times_that_a_rule_answers_are_walked(engine_of: EngineOf, clock: Clock) -> None:
    def at_noon(attempt: Attempt) -> datetime:
        noon = attempt.at.replace(hour=12, minute=0)
        return noon if noon > attempt.at else noon + timedelta(days=1)

    for missed, fired in (("once", [99.0]), ("each", [3.0, 27.0, 51.0, 75.0, 99.0]), ("skip", [])):
        workflow = reminding()
        timers = (Timer("remind", at=at_noon, missed=missed),)  # type: ignore[arg-type]
        engine = engine_of(replace(workflow, states=(replace(workflow.states[0], timers=timers), workflow.states[1])))
        number = begin(engine)
        clock.forward(hours=100)
        engine.run_due()
        assert hours(engine, number) == fired
        assert due_in(engine, number) == {"remind": 123}
        clock.now = datetime(2026, 4, 1, 9, tzinfo=UTC)
        engine.migrate(number, 1, OPERATOR, "out of the way", "left")


# -- what is long ------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_pieces(engine_of: EngineOf) -> EngineOf:
    """Engines that commit five firings at a time."""

    def make(*workflows: Workflow) -> Engine:
        engine = engine_of(*workflows)
        engine.due_timers.piece = 5
        return engine

    return make


def test_what_is_long_is_committed_in_pieces_and_fire_answers_after_the_last(in_pieces: EngineOf, clock: Clock) -> None:
    engine = in_pieces(reminding(missed="each"))
    number = begin(engine)
    commits: list[int] = []
    engine.on_commit = lambda committed: commits.append(committed.effects)
    clock.forward(hours=23)
    outcome = engine.fire(number, "leave", VISITOR, key="once")
    assert (outcome.seq, outcome.source, outcome.target) == (25, "open", "left")
    assert commits == [5, 5, 5, 5, 3]
    assert engine.fire(number, "leave", VISITOR, key="once").repeated
    assert engine.verify(number) == []


def test_after_several_pieces_a_refusal_keeps_what_fired_and_a_stale_form_is_one(
    in_pieces: EngineOf, clock: Clock
) -> None:
    def never(attempt: Attempt) -> Refusal | None:
        return Refusal("no", _("期限切れ"))

    workflow = reminding(missed="each")
    refused = replace(workflow.transitions[1], event="ask", guards=(never,))
    engine = in_pieces(replace(workflow, transitions=(*workflow.transitions, refused)))
    asked, shown, gone = begin(engine), begin(engine), begin(engine)
    clock.forward(hours=13)
    with pytest.raises(Refused):
        engine.fire(asked, "ask", VISITOR)
    with pytest.raises(StaleForm):
        engine.fire(shown, "leave", VISITOR, seen=1)
    with pytest.raises(EventNotPossible):
        engine.fire(gone, "nonsense", VISITOR)
    for number in (asked, shown, gone):
        assert hours(engine, number) == list(range(1, 14))
        assert engine.verify(number) == []
    assert engine.fire(shown, "leave", VISITOR, seen=14).seq == 15


def test_an_operator_gets_in_though_more_is_due_than_somebody_waits_for(engine_of: EngineOf, clock: Clock) -> None:
    engine = engine_of(reminding(missed="each"))
    engine.due_timers.piece = 1
    number = begin(engine)
    clock.forward(hours=due_timers.MOST_PIECES * 2 + 50)
    with pytest.raises(CatchingUp):
        engine.fire(number, "leave", VISITOR)
    pause(engine, OneInstance(number), OPERATOR, "it sends too many")
    assert engine.look(number).paused
    assert hours(engine, number) == list(range(1, due_timers.MOST_PIECES * 2 + 1))
    assert engine.verify(number) == []


def test_what_a_piece_kept_is_there_after_a_crash_and_taken_up_again(in_pieces: EngineOf, clock: Clock) -> None:
    class Killed(BaseException):
        pass

    engine = in_pieces(reminding(missed="each"))
    number = begin(engine)
    clock.forward(hours=12)

    def die(committed: object) -> None:
        raise Killed

    engine.on_commit = die
    with pytest.raises(Killed):
        engine.fire(number, "leave", VISITOR)
    engine.on_commit = None
    assert hours(engine, number) == [1, 2, 3, 4, 5]
    while engine.run_due():
        pass
    assert hours(engine, number) == list(range(1, 13))
    assert engine.verify(number) == []


def test_an_operator_and_a_delivery_come_after_the_last_piece(in_pieces: EngineOf, clock: Clock) -> None:
    workflow = replace(
        reminding(missed="each"), start=Start("open", effects=(Effect("letter", "first", done="leave"),))
    )
    engine = in_pieces(workflow)
    first, second = begin(engine), begin(engine)
    clock.forward(hours=12)
    engine.complete(first, 1, 0, workflow.effects["first"])
    assert hours(engine, first) == list(range(1, 13))
    assert engine.look(first).instance.state == "left"
    assert engine.migrate(second, 1, OPERATOR, "to begin anew").seq == 14
    assert hours(engine, second) == list(range(1, 13))


def test_more_than_a_thousand_missed_times_brick_nothing(engine_of: EngineOf, clock: Clock) -> None:
    """A thousand was the limit, beyond which fire, retry and migrate raised for ever."""
    workflow = Workflow(
        name="swing",
        version=1,
        start=Start("left"),
        states=(State("left", timers=(Timer("go", HOUR),)), State("right", timers=(Timer("go", HOUR),))),
        transitions=(
            Transition("go", ("left",), "right", SYSTEM),
            Transition("go", ("right",), "left", SYSTEM),
            Transition("leave", ("left", "right"), "left", ANYONE),
        ),
    )
    engine = engine_of(workflow)
    number = begin(engine, "swing")
    clock.forward(hours=1201)
    assert engine.look(number).state.name == "right"
    outcome = engine.fire(number, "leave", VISITOR)
    assert (outcome.seq, outcome.source) == (1203, "right")
    assert engine.verify(number) == []


# -- a look ------------------------------------------------------------------------------------------------------------

_TIMES = st.integers(1, 30)


@st.composite
def states(draw: st.DrawFn) -> Workflow:
    """A state with one to three timers that lead back, and one that may lead out, in any order of writing."""
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True))
    timers = [
        Timer(name, draw(_TIMES) * HOUR, missed=draw(st.sampled_from(["once", "each", "skip"]))) for name in names
    ]
    restarts = {name: draw(st.sampled_from([(), (), ALL_TIMERS, ("out",), ("a",)])) for name in names}
    if draw(st.booleans()):
        timers.append(Timer("out", draw(_TIMES) * HOUR))
    return Workflow(
        name="any",
        version=1,
        start=Start("open"),
        states=(State("open", timers=tuple(draw(st.permutations(timers)))), State("left", timers=(Timer("a", HOUR),))),
        transitions=(
            *(Transition(name, ("open",), "open", SYSTEM, restarts=restarts[name]) for name in names),
            Transition("out", ("open",), "left", SYSTEM),
            Transition("a", ("left",), "left", SYSTEM),
        ),
    )


@given(workflow=states(), later=st.lists(st.integers(0, 70), min_size=1, max_size=3))
@settings(max_examples=trials(1000))
def test_a_look_counts_to_where_firing_ends(sqlite_db: SiteDatabase, workflow: Workflow, later: list[int]) -> None:
    clock = Clock()
    engine = Engine(sqlite_db, [workflow], secret=SECRET, clock=clock)
    number = begin(engine, "any")
    for more in later:
        clock.forward(hours=more)
        entries = len(engine.history(number))
        with engine.store.reading() as unit:
            instance, timers, now = engine.store.read(unit, number)
            engine.due_timers.walk(Held(unit, instance, timers, now, Committed()))
        assert len(engine.history(number)) == entries
        engine.catch_up.of(number, counts=False)
        with engine.store.reading() as unit:
            stored, there, _ = engine.store.read(unit, number)
        assert stored.state == instance.state
        assert {timer.event: timer.due_at for timer in timers} == {timer.event: timer.due_at for timer in there}
        assert all(timer.due_at > now for timer in there)
        assert engine.verify(number) == []


# -- arithmetic --------------------------------------------------------------------------------------------------------

BEGIN = datetime(2026, 4, 1, tzinfo=UTC)


def occurrence(workflow: Workflow, timers: list[Due], now: datetime) -> timetable.Occurrence | None:
    def attempt_at(event: str, at: datetime) -> Attempt:
        raise AssertionError("no rule is asked for `after`")

    return timetable.next_occurrence(workflow, "open", timers, now, attempt_at, lambda attempt: None)


def test_a_century_of_milliseconds_is_counted_at_once() -> None:
    workflow = reminding(every=timedelta(milliseconds=1))
    found = occurrence(workflow, [Due("remind", BEGIN)], BEGIN + timedelta(days=36_500))
    assert found is not None
    assert (found.at, found.count) == (BEGIN + timedelta(days=36_500), 36_500 * 86_400_000 + 1)


@given(every=_TIMES, due=st.integers(0, 50), now=st.integers(0, 200), out=st.integers(0, 200))
def test_the_chosen_time_is_the_latest_on_the_grid_that_had_come(every: int, due: int, now: int, out: int) -> None:
    workflow = reminding(Timer("expire", HOUR), every=every * HOUR)
    timers = [Due("remind", BEGIN + due * HOUR), Due("expire", BEGIN + out * HOUR)]
    found = occurrence(workflow, timers, BEGIN + now * HOUR)
    grid = [time for time in range(due, 201, every) if time <= min(now, out)]
    if grid:
        assert found == timetable.Occurrence(timers[0], BEGIN + grid[-1] * HOUR, len(grid))
    else:
        assert found == (timetable.Occurrence(timers[1], timers[1].due_at) if out <= now else None)


def test_nothing_of_this_is_an_incident(engine_of: EngineOf, clock: Clock) -> None:
    engine = engine_of(reminding(missed="each"))
    begin(engine)
    clock.forward(hours=600)
    engine.run_due()
    assert incidents(engine) == []
