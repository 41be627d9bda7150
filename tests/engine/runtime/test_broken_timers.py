"""A timer that cannot fire costs itself and no other, is an incident, and holds up nobody for ever
(engine.runtime.run_due)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.attempt import Attempt, Refusal
from engine.definition import ANYONE, SYSTEM, Start, State, Timer, Transition, Workflow
from engine.errors import EventNotPossible, TimerBroken
from engine.operations.incidents import incidents, retry
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase
from engine.testing import Clock
from engine.text import _
from tests.kit.timers import HOUR, OPERATOR, SECRET, VISITOR, Rules, begin_papers
from workflows.business.records import Throttle


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def engine(db: SiteDatabase, clock: Clock, rules: Rules) -> Engine:
    return Engine(db, [rules.workflow()], secret=SECRET, clock=clock)


def events(engine: Engine, number: int) -> list[str]:
    return [entry.event for entry in engine.history(number)][1:]


def test_five_sound_timers_fire_behind_640_broken_ones(engine: Engine, clock: Clock, rules: Rules) -> None:
    """`run_due` ended where a round fired nothing."""
    rules.broken = {"nudge", "close"}
    broken = begin_papers(engine, *(f"broken:{n}" for n in range(640)))
    clock.forward(minutes=1)
    sound = begin_papers(engine, *(f"sound:{n}" for n in range(5)))
    clock.forward(hours=3)
    assert engine.run_due(limit=500) == 5
    assert [events(engine, number) for number in sound] == [["nudge", "close"]] * 5
    assert len(incidents(engine)) == 2 * len(broken)
    tried = clock.now
    assert engine.run_due() == 0
    due = engine.next_due()
    assert due is not None
    assert due > tried  # nobody looks at them again before


def test_what_fired_before_the_broken_one_is_kept_and_the_broken_one_is_named(
    engine: Engine, clock: Clock, rules: Rules
) -> None:
    """The earliest that was due was to blame, and what it had done was lost."""
    rules.broken = {"forget"}
    (number,) = begin_papers(engine, "broken")
    clock.forward(hours=9)
    assert engine.run_due() == 1
    assert events(engine, number) == ["nudge", "close"]
    (incident,) = incidents(engine)
    assert (incident.ref, incident.error) == (f"{number}.forget", "ZeroDivisionError: the rule of forget")
    assert engine.verify(number) == []
    sight = engine.look(number)
    assert (sight.state.name, sight.overdue, sight.broken) == ("closed", True, "forget")


def test_a_broken_reminder_does_not_keep_the_end_from_coming(engine: Engine, clock: Clock, rules: Rules) -> None:
    """It leads back into its state whatever guards say: the others fire whether or not it does."""
    rules.broken = {"nudge"}
    (number,) = begin_papers(engine, "broken")
    clock.forward(hours=2)
    assert engine.run_due() == 0
    assert [incident.ref for incident in incidents(engine)] == [f"{number}.nudge"]
    assert engine.look(number).broken == "nudge"
    clock.forward(hours=1)
    assert engine.look(number).state.name == "closed"
    assert engine.run_due() == 1
    assert events(engine, number) == ["close"]
    assert incidents(engine) == []


def test_who_fires_something_is_told_and_finds_the_incident_written(engine: Engine, clock: Clock, rules: Rules) -> None:
    rules.broken = {"forget"}
    (number,) = begin_papers(engine, "broken")
    clock.forward(hours=9)
    with pytest.raises(TimerBroken):
        engine.preview(number, "end", VISITOR)
    assert events(engine, number) == []
    for _again in range(3):
        with pytest.raises(TimerBroken) as refused:
            engine.fire(number, "end", VISITOR)
    assert (refused.value.status, refused.value.event, refused.value.instance_id) == (503, "forget", number)
    assert isinstance(refused.value.__cause__, ZeroDivisionError)
    assert events(engine, number) == ["nudge", "close"]
    assert engine.allowed(number, VISITOR) == ()
    reasons = {way.event: [reason.code for reason in way.reasons] for way in engine.explain(number, VISITOR)}
    assert (reasons["end"], reasons["forget"]) == (["timer_broken"], ["forbidden"])
    (incident,) = incidents(engine)
    assert incident.attempts == 1  # that people try again does not make it wait longer
    rules.broken.clear()
    with pytest.raises(EventNotPossible):
        engine.fire(number, "end", VISITOR)
    assert events(engine, number) == ["nudge", "close", "forget"]
    assert incidents(engine) == []


def test_once_its_rule_is_mended_a_retry_goes_on(engine: Engine, clock: Clock, rules: Rules) -> None:
    rules.broken = {"close"}
    (number,) = begin_papers(engine, "broken")
    clock.forward(hours=4)
    engine.run_due()
    (incident,) = incidents(engine)
    retry(engine, incident.ref, OPERATOR, "the rule is mended")  # it is not
    assert engine.run_due() == 0
    rules.broken.clear()
    (incident,) = incidents(engine)
    retry(engine, incident.ref, OPERATOR, "the rule is mended")
    assert engine.run_due() == 1
    assert events(engine, number) == ["nudge", "incident.retry", "incident.retry", "close", "forget"]
    assert engine.verify(number) == []


def test_migrate_gets_in_and_what_was_sound_before_is_kept(engine: Engine, clock: Clock, rules: Rules) -> None:
    rules.broken = {"forget"}
    (number,) = begin_papers(engine, "broken")
    clock.forward(hours=9)
    outcome = engine.migrate(number, 1, OPERATOR, "out of the way", "open")
    assert (outcome.source, outcome.target) == ("closed", "open")
    assert events(engine, number) == ["nudge", "close", "migrate"]
    assert engine.fire(number, "end", VISITOR).target == "gone"


def test_a_delivery_on_an_instance_with_a_broken_timer_is_completed_later(
    engine: Engine, clock: Clock, rules: Rules
) -> None:
    rules.broken = {"close"}
    (number,) = begin_papers(engine, "broken")
    clock.forward(hours=4)
    effect = engine.newest["paper"].effects["offer"]
    with pytest.raises(TimerBroken):
        engine.complete(number, 1, 0, effect)
    assert events(engine, number) == ["nudge"]
    rules.broken.clear()
    engine.complete(number, 1, 0, effect)
    assert engine.look(number).state.name == "gone"


def test_a_write_that_an_index_refuses_costs_its_own_timer(db: SiteDatabase, clock: Clock) -> None:
    """PostgreSQL says so with a later statement, or with the COMMIT."""

    def twice(attempt: Attempt) -> None:
        if attempt.event == "close":
            attempt.records.insert(Throttle, bucket="one for all", full_at=attempt.at)

    workflow = Rules().workflow()
    ways = tuple(replace(way, writes=(twice,)) if way.event == "close" else way for way in workflow.transitions)
    engine = Engine(db, [replace(workflow, transitions=ways)], secret=SECRET, clock=clock)
    first, second, third = begin_papers(engine, "a", "b", "c")
    engine.fire(third, "end", VISITOR)
    clock.forward(hours=9)
    assert engine.run_due() == 2
    assert sorted([events(engine, first), events(engine, second)]) == [["nudge"], ["nudge", "close", "forget"]]
    (incident,) = incidents(engine)
    assert incident.ref.endswith(".close")
    with pytest.raises(TimerBroken):
        engine.fire(incident.instance_id, "end", VISITOR)
    assert engine.verify(incident.instance_id) == []


# -- time that does not advance ----------------------------------------------------------------------------------------


def at_once(attempt: Attempt):  # type: ignore[no-untyped-def]
    return attempt.at


def round_and_round(length: int, *, leaves_after: int = 0) -> Workflow:
    """States that lead round in a circle at once; one of length 1 is a self loop."""

    def often_enough(attempt: Attempt) -> Refusal | None:
        return None if attempt.instance.seq >= leaves_after else Refusal("early", _("期限切れ"))

    names = [f"s{n}" for n in range(length)]
    out = [Transition("go", (names[0],), "end", SYSTEM, guards=(often_enough,))] if leaves_after else []
    return Workflow(
        name="paper",
        version=1,
        start=Start("begin_papers"),
        states=(
            State("begin_papers", timers=(Timer("enter", HOUR),)),
            *(State(name, timers=(Timer("go", at=at_once),)) for name in names),
            State("end", final=True),
        ),
        transitions=(
            Transition("enter", ("begin_papers",), "s0", SYSTEM),
            *out,
            *(Transition("go", (name,), names[(n + 1) % length], SYSTEM) for n, name in enumerate(names)),
            Transition("leave", ("begin_papers", *names), "end", ANYONE, title=_("申込")),
        ),
    )


@pytest.mark.parametrize("length", [1, 2, 7])
def test_timers_that_go_round_without_time_are_an_incident_that_says_where(
    db: SiteDatabase, clock: Clock, length: int
) -> None:
    workflow = round_and_round(length)
    engine = Engine(db, [workflow], secret=SECRET, clock=clock)
    (number,) = begin_papers(engine, "s")
    assert engine.run_due() == 0
    clock.forward(hours=2)
    engine.run_due()
    (incident,) = incidents(engine)
    timer = workflow.by_name["s0" if length == 1 else incident.state].timers[0]
    assert incident.error.startswith("TimerStandsStill: timer ")
    for part in (f'"{timer.event}"', f'state "{incident.state}"', 'workflow "paper" version 1', str(timer.where)):
        assert part in incident.error
    assert engine.look(number).state.name == engine.look(number).instance.state
    with pytest.raises(TimerBroken):
        engine.fire(number, "leave", VISITOR)
    assert len(engine.history(number)) <= 2
    assert engine.migrate(number, 1, OPERATOR, "out of the circle", "begin_papers").target == "begin_papers"
    assert engine.verify(number) == []


def test_nothing_of_a_circle_is_kept_where_a_piece_ends_in_it(db: SiteDatabase, clock: Clock) -> None:
    workflow = round_and_round(2)
    begun = State("begin_papers", timers=(Timer("tick", HOUR, missed="each"), Timer("enter", 5.5 * HOUR)))
    tick = Transition("tick", ("begin_papers",), "begin_papers", SYSTEM)
    workflow = replace(workflow, states=(begun, *workflow.states[1:]), transitions=(tick, *workflow.transitions))
    engine = Engine(db, [workflow], secret=SECRET, clock=clock)
    engine.due_timers.piece = 7
    (number,) = begin_papers(engine, "s")
    clock.forward(hours=9)
    with pytest.raises(TimerBroken):
        engine.fire(number, "leave", VISITOR)
    assert events(engine, number) == ["tick"] * 5
    (incident,) = incidents(engine)
    assert (incident.state, incident.error.partition(":")[0]) == ("begin_papers", "TimerStandsStill")


def test_timers_that_go_round_and_then_lead_on_are_none(db: SiteDatabase, clock: Clock) -> None:
    engine = Engine(db, [round_and_round(2, leaves_after=60)], secret=SECRET, clock=clock)
    (number,) = begin_papers(engine, "s")
    clock.forward(hours=2)
    assert engine.run_due() == 1
    assert engine.look(number).instance.state == "end"
    assert incidents(engine) == []


def test_a_rule_that_falls_back_in_time_is_an_incident(db: SiteDatabase, clock: Clock) -> None:
    workflow = round_and_round(1)
    ways = tuple(way for way in workflow.transitions if way.event != "enter")
    yesterday: Callable[[Attempt], object] = lambda attempt: attempt.at - HOUR  # noqa: E731
    states = (State("s0", timers=(Timer("go", at=yesterday),)), workflow.states[-1])  # type: ignore[arg-type]
    ways = tuple(replace(way, sources=("s0",)) for way in ways)
    engine = Engine(
        db, [replace(workflow, start=Start("s0"), states=states, transitions=ways)], secret=SECRET, clock=clock
    )
    begin_papers(engine, "s")
    assert engine.run_due() == 0
    assert [incident.what for incident in incidents(engine)] == ["timer go"]
