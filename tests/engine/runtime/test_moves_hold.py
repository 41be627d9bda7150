"""Any two versions, any mapping between them, any moment: what was moved goes on, and what was not is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Actor
from engine.definition import ANYONE, SYSTEM, Effect, Start, State, Timer, Transition, Workflow
from engine.delivery import Accepted, Deferred, Delivery, Failed, Outcome
from engine.errors import EventNotPossible, InvalidMapping, UnknownEffect
from engine.migration import Cancel, Choice, Migration, TimerRule
from engine.operations.incidents import incidents, retry
from engine.operations.rollout import carry_out, plan
from engine.operations.stuck import stuck
from engine.operations.verdicts import Result, Verdict, Where
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.outcomes import Claim
from engine.runtime.engine import Engine
from engine.runtime.mappings import problems
from engine.store.base import SiteDatabase
from engine.store.opening import open_database
from engine.testing import Clock
from engine.text import _
from tests.kit.databases import close_database
from tests.kit.dumps import dump
from tests.kit.scale import trials

OPERATOR = Actor("operator", "root")
OLD, NEW = ("a", "b", "c"), ("b", "c", "d")
EFFECTS, NEW_EFFECTS = ("e", "f", "g"), ("f", "g", "h")
TIMERS, DONE, KINDS = ("t", "u"), ("x", "y"), ("printer", "letter")
ACTS = ("go", "claim", "claim", "drain", "wait", "due")
OUTCOMES: tuple[Outcome, ...] = (Accepted(), Accepted(), Deferred("later"), Failed("550", "no"))


@st.composite
def definitions(draw: st.DrawFn, version: int, names: tuple[str, ...], effects: tuple[str, ...]) -> Workflow:
    """Any procedure over these states, of which each may have timers, a button, and events that effects bring."""
    made = [Effect(draw(st.sampled_from(KINDS)), name, done=draw(st.sampled_from((None, *DONE)))) for name in effects]
    some = st.lists(st.sampled_from(made), max_size=2).map(tuple)
    target = st.sampled_from((*names, "end", "over"))
    states, transitions = [], []
    for name in names:
        timers = draw(st.lists(st.sampled_from(TIMERS), unique=True))
        hours = [draw(st.integers(1, 30)) for _ in timers]
        states.append(
            State(name, timers=tuple(Timer(event, timedelta(hours=n)) for event, n in zip(timers, hours, strict=True)))
        )
        for event in timers:
            transitions.append(Transition(event, (name,), draw(target), allow=SYSTEM, effects=draw(some)))
        if draw(st.integers(0, 2)):
            transitions.append(Transition("go", (name,), draw(target), allow=ANYONE, title=_("Go"), effects=draw(some)))
        for event in draw(st.lists(st.sampled_from(DONE), unique=True)):
            transitions.append(Transition(event, (name,), draw(target), allow=SYSTEM))
    ends = (State("end", final=True), State("over", final=True))
    unused = [effect for effect in made if effect.name not in {one.name for way in transitions for one in way.effects}]
    start = Start(names[0], effects=(*draw(some), *unused))  # a name that a mapping may use is declared
    return Workflow("any", version, start, (*states, *ends), tuple(transitions), title=_("Any"))


@st.composite
def mappings(draw: st.DrawFn) -> Migration:
    """Any mapping, in which a name may be wrong."""
    wrong = draw(st.integers(0, 9)) == 0
    state = st.sampled_from((*NEW, *NEW, "end", Choice(("b", "c")), *(("nowhere",) if wrong else ())))
    name: st.SearchStrategy[str | Cancel] = st.sampled_from((*NEW_EFFECTS, *NEW_EFFECTS, Cancel("not any more")))
    return Migration(
        "any",
        (1,),
        2,
        {one: draw(state) for one in draw(st.lists(st.sampled_from(OLD), unique=True, min_size=2))},
        draw(st.dictionaries(st.sampled_from(TIMERS), st.sampled_from(TimerRule))) if draw(st.booleans()) else {},
        {one: draw(name) for one in draw(st.lists(st.sampled_from(EFFECTS), unique=True))},
        draw(st.sampled_from(TimerRule)),
    )


@dataclass
class World:
    """An engine that knows both versions, and everything around it."""

    db: SiteDatabase
    clock: Clock = field(default_factory=Clock)
    outcomes: Iterator[Outcome] = field(default_factory=lambda: iter(()))
    held: list[Claim] = field(default_factory=list)

    def know(self, *workflows: Workflow) -> None:
        """Begin anew, with these definitions."""
        for table in ("instance", "history", "timer", "outbox"):
            self.db.execute_sql(f"DELETE FROM {table}")
        self.engine = Engine(self.db, workflows, secret=b"x" * 32, clock=self.clock, chance=lambda: 0.5)
        renderer = Renderer(base_url="http://localhost", sender="a@example.com", site_facts={}, link=self.engine.link)
        handlers: dict[str, Any] = dict.fromkeys(KINDS, self)
        self.dispatcher = Dispatcher(self.engine, renderer, mailers={}, mailer="none", handlers=handlers)
        self.held = []

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """See `EffectHandler.deliver`."""
        return next(self.outcomes, Accepted())

    def live(self, number: int, acts: list[str]) -> None:
        """What happens to an instance before it is moved."""
        for act in acts:
            if act == "go":
                with suppress(EventNotPossible):
                    self.engine.fire(number, "go", Actor("visitor"))
            elif act == "claim" and (claim := self.dispatcher.next_claim()) is not None:
                self.held.append(claim)
            elif act == "drain":
                self.dispatcher.drain(10)
            elif act == "wait":
                self.clock.forward(hours=7)
            elif act == "due":
                self.engine.run_due()


def versions_of(world: World) -> dict[int, int]:
    return dict(world.db.execute_sql("SELECT id, version FROM instance").fetchall())


def holds(world: World, mapping: Migration, new: Workflow, foretold: Result, found: Result) -> None:
    """What must be so after a migration."""
    assert found == foretold
    moved = {number for number, version in versions_of(world).items() if version == 2}
    assert len(moved) == found.count(Verdict.MOVES)
    stranded = {one.instance_id: one for one in stuck(world.engine)}
    for number in moved:
        assert world.engine.verify(number) == []
        assert number not in stranded, stranded[number]
    for instance, name, kind in world.db.execute_sql(
        "SELECT instance_id, name, kind FROM outbox WHERE state IN ('waiting', 'leased', 'incident')"
    ).fetchall():
        assert instance not in moved or new.effects[name].kind == kind
    for claim in world.held:
        world.dispatcher.deliver(claim)
    for _turn in range(3):
        world.dispatcher.drain(20)
        for one in incidents(world.engine):
            assert not one.error.startswith(("unknown_effect", "no_definition"))
            with suppress(UnknownEffect):  # a timer that was due fires first, and may take the effect away
                retry(world.engine, one.ref, OPERATOR, "again")
        world.clock.forward(hours=2)
        world.engine.run_due()
    for number in moved:
        assert world.engine.verify(number) == []


def one_example(world: World, data: st.DataObject) -> None:
    old, new = data.draw(definitions(1, OLD, EFFECTS)), data.draw(definitions(2, NEW, NEW_EFFECTS))
    mapping = data.draw(mappings())
    world.outcomes = iter(data.draw(st.lists(st.sampled_from(OUTCOMES), max_size=8)))
    world.know(old, new)
    for _instance in range(data.draw(st.integers(1, 2))):
        number = world.engine.start("any", "any:1", Actor("visitor"), version=1).instance_id
        world.live(
            number, data.draw(st.lists(st.sampled_from(("go", "claim", "claim", "drain", "wait", "due")), max_size=4))
        )
    before = dump(world.db)
    if problems(mapping, world.engine.workflows):
        with pytest.raises(InvalidMapping):
            plan(world.engine, mapping, OPERATOR)
        with pytest.raises(InvalidMapping):
            carry_out(world.engine, mapping, OPERATOR, "why")
        assert dump(world.db) == before
        return
    where = Where(ended=data.draw(st.booleans()))
    foretold = plan(world.engine, mapping, OPERATOR, where)
    assert dump(world.db) == before
    found = carry_out(world.engine, mapping, OPERATOR, "why", where)
    holds(world, mapping, new, foretold, found)


@contextmanager
def world_of(url: str) -> Iterator[World]:
    db = open_database(url)
    yield World(db)
    close_database(db)


def test_what_was_moved_goes_on_and_what_was_not_is_as_it_was_on_sqlite(sqlite_url: str) -> None:
    with world_of(sqlite_url) as world:
        drive(world, trials(1500))


def test_what_was_moved_goes_on_and_what_was_not_is_as_it_was_on_postgresql(postgres_url: str) -> None:
    with world_of(postgres_url) as world:
        drive(world, trials(300))


def drive(world: World, examples: int) -> None:
    @settings(max_examples=examples)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        one_example(world, data)

    run()
