"""Listeners of plugins: each commit is told in order, at least once, and a listener holds up nobody but itself (I5)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.authoring.release import digest
from engine.definition import ANYONE, Actor, Attempt, Effect, Refusal, Start, State, Timer, Transition, Workflow
from engine.delivery import Accepted, Deferred, Failed, Heard
from engine.errors import Refused
from engine.migration import Migration
from engine.operations.incidents import incidents, retry, skip
from engine.operations.pauses.acts import pause, resume
from engine.operations.rollout import carry_out
from engine.runtime.pauses.scopes import OneChannel
from engine.store.base import SiteDatabase
from engine.testing import Clock
from engine.text import _
from tests.kit.handlers import VISITOR, Ear, Handler, dispatcher_of

OPERATOR = Actor("operator", "root")
STATE = _("期限切れ")
CLOSED = Refusal("closed", STATE)


def is_open(attempt: Attempt) -> Refusal | None:
    return CLOSED if attempt.data == "too late" else None


def walk(version: int = 1, name: str = "walk") -> Workflow:
    """Three steps: a start with an effect of its own, an event, and a timer."""
    return Workflow(
        name=name,
        version=version,
        title=STATE,
        start=Start("first", allow=ANYONE, effects=(Effect("ping", "ping"),)),
        states=(
            State("first", STATE),
            State("second", STATE, timers=(Timer("end", timedelta(days=1)),)),
            State("third", STATE, final=True),
        ),
        transitions=(
            Transition("go", ("first",), "second", allow=ANYONE, guards=(is_open,)),
            Transition("end", ("second",), "third", allow=ANYONE),
        ),
    )


def steps(ear: Ear, about: str = "x:1") -> list[tuple[int, str, str, str]]:
    return [(one.seq, one.event, one.source, one.target) for one in ear.heard if one.about == about]


WALKED = [(1, "start", "", "first"), (2, "go", "first", "second"), (3, "end", "second", "third")]


def test_each_transition_is_told_once_with_what_history_says_of_it(db: SiteDatabase, clock: Clock) -> None:
    ear, handler = Ear(), Handler()
    dispatcher = dispatcher_of(db, clock, handler, walk(), ear=ear)
    engine = dispatcher.engine
    number = engine.start("walk", "x:1", VISITOR).instance_id
    began = clock()
    clock.forward(minutes=1)
    engine.fire(number, "go", Actor("account", "5"))
    clock.forward(days=2)
    engine.run_due()
    dispatcher.drain()
    assert steps(ear) == WALKED
    first, second, third = ear.heard
    assert first == Heard("walk", 1, number, "x:1", 1, "start", "", "first", "visitor", began)
    assert (second.actor, second.at) == ("account:5", began + timedelta(minutes=1))
    assert (third.actor, third.at) == ("system", clock())
    assert len(set(ear.keys)) == 3
    assert len(handler.keys) == 1
    assert engine.verify(number) == []


def test_a_definition_knows_nothing_of_its_listeners(db: SiteDatabase, clock: Clock) -> None:
    before = digest(walk())
    dispatcher = dispatcher_of(db, clock, Handler(), walk(), ear=Ear())
    dispatcher.engine.start("walk", "x:1", VISITOR)
    assert digest(dispatcher.engine.newest["walk"]) == before
    preview = dispatcher.engine.preview_start("walk", "x:2", VISITOR)
    assert preview.effects == ("ping",)


def test_what_is_refused_or_only_looked_at_is_not_told(db: SiteDatabase, clock: Clock) -> None:
    ear = Ear()
    dispatcher = dispatcher_of(db, clock, Handler(), walk(), ear=ear)
    engine = dispatcher.engine
    number = engine.start("walk", "x:1", VISITOR).instance_id
    with pytest.raises(Refused):
        engine.fire(number, "go", VISITOR, "too late")
    engine.preview(number, "go", VISITOR)
    dispatcher.drain()
    assert steps(ear) == WALKED[:1]


def test_a_listener_hears_of_its_own_workflows_and_events(db: SiteDatabase, clock: Clock) -> None:
    of_one, of_an_event, of_all = Ear(("walk",)), Ear(events=("go",)), Ear()
    dispatcher = dispatcher_of(
        db, clock, Handler(), walk(), walk(name="other"), of_one=of_one, of_an_event=of_an_event, of_all=of_all
    )
    for name in ("walk", "other"):
        number = dispatcher.engine.start(name, "x:1", VISITOR).instance_id
        dispatcher.engine.fire(number, "go", VISITOR)
    dispatcher.drain()
    assert [(one.workflow, one.event) for one in of_one.heard] == [("walk", "start"), ("walk", "go")]
    assert sorted(one.workflow for one in of_an_event.heard) == ["other", "walk"]
    assert {one.event for one in of_an_event.heard} == {"go"}
    assert len(of_all.heard) == 4


@pytest.mark.parametrize("fault", [Deferred("not now"), None, "no outcome"])
def test_what_a_listener_does_not_take_holds_up_the_later_steps_of_that_instance_alone(
    db: SiteDatabase, clock: Clock, fault: object
) -> None:
    def hears(transition: Heard) -> object:
        if transition.about == "x:1" and transition.event == "start" and not mended:
            if fault is None:
                raise ConnectionError
            return fault
        return Accepted()

    mended: list[bool] = []
    ear, other, handler = Ear(answer=hears), Ear(), Handler()
    dispatcher = dispatcher_of(db, clock, handler, walk(), ear=ear, other=other)
    for about in ("x:1", "x:2"):
        number = dispatcher.engine.start("walk", about, VISITOR).instance_id
        dispatcher.engine.fire(number, "go", VISITOR)
    dispatcher.drain()
    assert steps(ear) == WALKED[:1]
    assert steps(ear, "x:2") == steps(other) == steps(other, "x:2") == WALKED[:2]
    assert len(handler.keys) == 2
    for _turn in range(90):
        clock.forward(hours=1)
        dispatcher.drain()
    (incident,) = incidents(dispatcher.engine)
    assert (incident.kind, incident.recipient) == ("listener", "ear")
    assert set(ear.keys) >= {ear.keys[0]}
    assert {one.event for one in ear.heard if one.about == "x:1"} == {"start"}
    mended.append(True)
    retry(dispatcher.engine, incident.ref, OPERATOR, "it answers again")
    dispatcher.drain()
    assert steps(ear)[-3:] == WALKED
    assert len({key for key, one in zip(ear.keys, ear.heard, strict=True) if one.about == "x:1"}) == 3


def test_what_a_listener_refuses_for_good_is_an_incident_and_can_be_skipped(db: SiteDatabase, clock: Clock) -> None:
    ear = Ear(answer=lambda heard: Failed("410", "unknown there") if heard.event == "start" else Accepted())
    dispatcher = dispatcher_of(db, clock, Handler(), walk(), ear=ear)
    number = dispatcher.engine.start("walk", "x:1", VISITOR).instance_id
    dispatcher.engine.fire(number, "go", VISITOR)
    dispatcher.drain()
    (incident,) = incidents(dispatcher.engine)
    assert incident.error == "410: unknown there"
    skip(dispatcher.engine, incident.ref, OPERATOR, "the other side began later")
    dispatcher.drain()
    assert steps(ear) == WALKED[:2]


def test_what_a_listener_that_is_gone_had_to_hear_waits_for_it(db: SiteDatabase, clock: Clock) -> None:
    ear = Ear()
    dispatcher = dispatcher_of(db, clock, Handler(), walk(), ear=ear)
    number = dispatcher.engine.start("walk", "x:1", VISITOR).instance_id
    dispatcher.engine.fire(number, "go", VISITOR)
    without = dispatcher_of(db, clock, Handler(), walk(), worker="two")
    clock.forward(hours=1)  # and the lease of the first effect is over
    for _turn in range(40):
        clock.forward(days=1)
        without.engine.run_due()
        without.drain()
    assert not incidents(without.engine)
    assert ear.heard == []
    back = dispatcher_of(db, clock, Handler(), walk(), worker="three", ear=ear)
    clock.forward(days=1)
    back.drain()
    clock.forward(days=1)
    back.drain()
    assert steps(ear) == WALKED[:2]  # the timer fired while nobody listened


def test_a_listener_is_paused_as_any_channel(db: SiteDatabase, clock: Clock) -> None:
    ear = Ear()
    dispatcher = dispatcher_of(db, clock, Handler(), walk(), ear=ear)
    channel = OneChannel("listener", "ear")
    pause(dispatcher.engine, channel, OPERATOR, "the other side is being moved")
    dispatcher.engine.start("walk", "x:1", VISITOR)
    dispatcher.drain()
    assert ear.heard == []
    resume(dispatcher.engine, channel, OPERATOR, "it is there again")
    dispatcher.drain()
    assert steps(ear) == WALKED[:1]


def test_what_was_to_be_heard_is_heard_after_a_move_to_another_version(db: SiteDatabase, clock: Clock) -> None:
    ear = Ear(answer=lambda heard: Accepted() if moved else Deferred("not now"))
    moved: list[bool] = []
    dispatcher = dispatcher_of(db, clock, Handler(), walk(), walk(2), ear=ear)
    dispatcher.engine.start("walk", "x:1", VISITOR, version=1)
    dispatcher.drain()
    carry_out(dispatcher.engine, Migration("walk", (1,), 2), OPERATOR, "a new version")
    moved.append(True)
    clock.forward(hours=1)
    dispatcher.drain()
    assert (ear.heard[-1].seq, ear.heard[-1].version) == (1, 2)


def test_a_worker_that_comes_too_late_tells_nobody_twice(db: SiteDatabase, clock: Clock) -> None:
    one, two = Ear(), Ear()
    late = dispatcher_of(db, clock, Handler(), walk(), one=one, two=two)
    other = dispatcher_of(db, clock, Handler(), walk(), worker="two", one=one, two=two)
    late.engine.start("walk", "x:1", VISITOR)
    claims = [late.next_claim(), late.next_claim()]  # the ping, and what becomes one for each listener
    clock.forward(hours=1)
    other.drain()
    for claim in claims:
        assert claim is not None
        late.deliver(claim)
    late.drain()
    assert (len(one.heard), len(two.heard)) == (1, 1)


def test_who_hears_is_settled_by_the_commit(db: SiteDatabase, clock: Clock) -> None:
    first, second = Ear(), Ear()
    alone = dispatcher_of(db, clock, Handler(), walk(), first=first)
    number = alone.engine.start("walk", "x:1", VISITOR).instance_id
    both = dispatcher_of(db, clock, Handler(), walk(), worker="two", first=first, second=second)
    both.engine.fire(number, "go", VISITOR)
    both.drain()
    assert steps(first) == WALKED[:2]
    assert steps(second) == WALKED[1:2]
