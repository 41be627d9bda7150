"""The engine against a model of a few lines: any events, times, repeats and refusals, with and without a scheduler."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.attempt import Actor
from engine.errors import EngineError, EventNotPossible, Forbidden, KeyReused, Refused, StaleForm
from engine.outcomes import Outcome
from engine.store.base import from_db
from tests.kit.reviews import AUTHOR, REVIEWER, VISITOR, Office, Verdict, open_office
from tests.kit.scale import steps, trials

AFTER = {"submitted": {"remind": 24, "lapse": 72}, "reminded": {"lapse": 48}, "in_review": {"lapse": 72}}
LEADS = {"remind": "reminded", "lapse": "lapsed", "resend": "submitted", "withdraw": "withdrawn"}
WHO = {"resend": "author", "withdraw": "author", "decide": "reviewer", "accept": "holder"}
PUBLISHING = ("accept", "cite", "decide")
EVENTS = ("accept", "cite", "decide", "resend", "withdraw", "invited", "remind", "lapse", "nonsense")


@dataclass
class Model:
    """What one review must do."""

    entered: datetime
    title: str
    pages: int
    state: str = "submitted"
    entries: int = 1
    invitation: bool = True  # waits to be delivered
    letters: list[datetime] = field(default_factory=list)  # reminders that wait, by when they were written

    def timers(self) -> dict[str, datetime]:
        return {event: self.entered + timedelta(hours=hours) for event, hours in AFTER.get(self.state, {}).items()}

    def enter(self, target: str, at: datetime) -> None:
        self.invitation = target == "submitted" or (self.invitation and target == "reminded")
        if target != self.state:  # timers run on where the state is kept
            self.state, self.entered = target, at
        self.entries += 1

    def apply_due_timers(self, now: datetime) -> bool:
        before = self.entries
        while self.timers() and (due := min((at, event) for event, at in self.timers().items()))[0] <= now:
            self.enter(LEADS[due[1]], due[0])
            self.letters += [now] * (due[1] == "remind")
        return self.entries > before

    def fire(self, event: str, who: str, now: datetime, grade: int, published: set[str]) -> str | type[EngineError]:
        self.apply_due_timers(now)
        if self.state not in AFTER or event == "nonsense" or (event == "decide" and self.state != "in_review"):
            return EventNotPossible
        if (event == "remind" and self.state != "submitted") or (event == "invited" and self.state == "in_review"):
            return EventNotPossible
        if event in ("invited", "remind", "lapse") or who != WHO.get(event, who):
            return Forbidden
        target = LEADS.get(event, "approved")
        if event == "decide" and (self.pages > 100 or grade < 3):
            target = "rejected"
        elif event in PUBLISHING:
            if self.pages > 100 or self.title in published:
                return Refused
            published.add(self.title)
        self.enter(target, now)
        return target

    def deliver(self, now: datetime) -> None:
        view = Model(self.entered, self.title, self.pages, self.state)
        view.apply_due_timers(now)
        if self.invitation and view.state in ("submitted", "reminded"):
            self.apply_due_timers(now)
            self.enter("in_review", now)
        self.invitation = False
        while self.letters:  # however late: the deadline of each counts from its first try
            self.letters.pop(0)
            self.apply_due_timers(now)


class Reviews(RuleBasedStateMachine):
    """Drives an office and models side by side."""

    office: Office
    examples = count()

    @initialize()
    def open(self) -> None:
        self.example = next(self.examples)
        self.models: dict[int, Model] = {}
        self.published: set[str] = set()
        self.requests: dict[tuple[str, str], tuple[Any, Outcome]] = {}
        self.submit(0, 10)

    @rule(title=st.integers(0, 2), pages=st.sampled_from([10, 101]))
    def submit(self, title: int, pages: int) -> None:
        name = f"{self.example}-{title}"
        number = self.office.submit(name, pages=pages)
        assert number not in self.models
        self.models[number] = Model(self.office.clock.now, name, pages)

    @rule(minutes=st.sampled_from([0, 1, 60, 23 * 60, 24 * 60, 48 * 60, 72 * 60, 999]))
    def time_passes(self, minutes: int) -> None:
        self.office.clock.forward(minutes=minutes)

    @rule(data=st.data(), microseconds=st.sampled_from([-1, 0, 1]))
    def time_passes_to_when_something_is_due(self, data: st.DataObject, microseconds: int) -> None:
        now = self.office.clock.now
        due = sorted({at for model in self.models.values() for at in model.timers().values() if at > now})
        if due:
            at = data.draw(st.sampled_from(due)) + timedelta(microseconds=microseconds)
            self.office.clock.now = max(now, at)

    @rule(
        which=st.integers(0, 9),
        event=st.sampled_from(EVENTS),
        who=st.sampled_from(["author", "reviewer", "holder", "visitor"]),
        grade=st.sampled_from([1, 5]),
        key=st.sampled_from([None, "a", "b"]),
        stale=st.sampled_from([False, False, False, True]),
    )
    def fire(self, which: int, event: str, who: str, grade: int, key: str | None, stale: bool) -> None:
        number = self.number(which)
        model, now = self.models[number], self.office.clock.now
        actor = {"author": AUTHOR, "reviewer": REVIEWER, "visitor": VISITOR}.get(who) or self.office.holder(number)
        # Keys belong to an actor, and actors outlive an example: its number keeps them apart.
        used = None if key is None else f"{self.example}-{key}"
        request, place = (number, event, grade), (str(actor), used or "")
        expected: str | type[EngineError] | Outcome
        if used is not None and place in self.requests:
            first, outcome = self.requests[place]
            expected = outcome if first == request else KeyReused
            stale = False
        elif stale:
            model.apply_due_timers(now)
            expected = StaleForm
        else:
            expected = model.fire(event, who, now, grade, self.published)
        seen = model.entries + 7 if stale else None
        if isinstance(expected, type):
            with pytest.raises(expected):
                self.office.engine.fire(number, event, actor, Verdict(grade), key=used, seen=seen)
            return
        found = self.office.engine.fire(number, event, actor, Verdict(grade), key=used, seen=seen)
        if found.repeated:
            assert isinstance(expected, Outcome)
            assert (found.instance_id, found.seq, found.target) == (expected.instance_id, expected.seq, expected.target)
        else:
            assert (found.target, found.seq) == (expected, model.entries)
            if used is not None:
                self.requests[place] = (request, found)

    @rule(which=st.integers(0, 9), event=st.sampled_from(EVENTS), actor=st.sampled_from([AUTHOR, REVIEWER, VISITOR]))
    def look(self, which: int, event: str, actor: Actor) -> None:
        """The invariants then see that nothing was written."""
        number = self.number(which)
        model = self.models[number]
        view = Model(model.entered, model.title, model.pages, model.state)
        overdue = view.apply_due_timers(self.office.clock.now)
        sight = self.office.engine.look(number)
        assert (sight.state.name, sight.overdue) == (view.state, overdue)
        offered = {offer.event for offer in self.office.engine.allowed(number, actor)}
        try:
            shown = self.office.engine.preview(number, event, actor, Verdict(5))
        except EngineError:
            shown = None
        if shown is not None:
            assert event in offered
            assert shown.source == view.state

    @rule()
    def run_due(self) -> None:
        due = [model.apply_due_timers(self.office.clock.now) for model in self.models.values()]
        assert self.office.engine.run_due(limit=1000) == sum(due)

    @rule()
    def deliver(self) -> None:
        self.office.dispatcher.drain(1000)
        for model in self.models.values():
            model.deliver(self.office.clock.now)

    @precondition(lambda self: bool(self.models))
    @invariant()
    def the_engine_is_where_the_model_is(self) -> None:
        for number, model in self.models.items():
            history = self.office.engine.history(number)
            stored = self.office.engine.look(number).instance
            timers = self.office.sql("SELECT event, due_at FROM timer WHERE instance_id = ?", number)
            assert (stored.state, stored.seq, len(history)) == (model.state, model.entries, model.entries)
            assert {event: from_db(due) for event, due in timers} == model.timers()
            assert self.office.engine.verify(number) == []

    def number(self, which: int) -> int:
        """One of the instances."""
        return list(self.models)[which % len(self.models)]

    def teardown(self) -> None:
        """Nothing that could still become due is left to the next example."""
        for number, model in getattr(self, "models", {}).items():
            if model.fire("withdraw", "author", self.office.clock.now, 1, set()) == "withdrawn":
                self.office.engine.fire(number, "withdraw", AUTHOR)
            else:
                self.office.engine.run_due(limit=1000)
        self.office.dispatcher.drain(1000)


def drive(url: str, examples: int) -> None:
    opened = open_office(url)
    machine = type("Reviews", (Reviews,), {"office": opened})
    run_state_machine_as_test(machine, settings=steps(examples, 30))
    opened.close()


def test_the_engine_does_what_the_model_does_on_sqlite(sqlite_url: str) -> None:
    drive(sqlite_url, trials(3000))


def test_the_engine_does_what_the_model_does_on_postgresql(postgres_url: str) -> None:
    drive(postgres_url, trials(500))
