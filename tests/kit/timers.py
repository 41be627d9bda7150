"""Procedures whose timers tests let come due: one that breaks where it is told to, one that reminds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from engine.definition import ANYONE, SYSTEM, Actor, Attempt, Effect, Missed, Start, State, Timer, Transition, Workflow
from engine.runtime.engine import Engine
from engine.runtime.history import Entry
from engine.text import _

SECRET = b"a secret of the tests, long enough for everybody"
VISITOR = Actor("visitor")
OPERATOR = Actor("operator", "root")
HOUR = timedelta(hours=1)


@dataclass
class Rules:
    """Which events are broken; `hurt` is a write that raises for them where the subject says so."""

    broken: set[str] = field(default_factory=set)

    def hurt(self, attempt: Attempt) -> None:
        if attempt.event in self.broken and attempt.instance.about.startswith("broken"):
            raise ZeroDivisionError(f"the rule of {attempt.event}")

    def workflow(self) -> Workflow:
        writes = (self.hurt,)
        return Workflow(
            name="paper",
            version=1,
            start=Start("open", effects=(Effect("letter", "offer", done="arrived"),)),
            states=(
                State("open", timers=(Timer("nudge", 2 * HOUR, missed="skip"), Timer("close", 3 * HOUR))),
                State("closed", timers=(Timer("forget", HOUR),)),
                State("gone", final=True),
            ),
            transitions=(
                Transition("nudge", ("open",), "open", SYSTEM, writes=writes),
                Transition("close", ("open",), "closed", SYSTEM, writes=writes),
                Transition("forget", ("closed",), "gone", SYSTEM, writes=writes),
                Transition("arrived", ("open", "closed"), "open", SYSTEM),
                Transition("reopen", ("closed",), "open", ANYONE, title=_("申込")),
                Transition("end", ("open", "closed"), "gone", ANYONE, title=_("申込")),
            ),
        )


def begin_papers(engine: Engine, *subjects: str) -> list[int]:
    return [engine.start("paper", about, VISITOR).instance_id for about in subjects]


def reminding(*timers: Timer, every: timedelta = HOUR, missed: Missed = "once", **more: Any) -> Workflow:
    """A state that reminds itself, and whatever else is given."""
    events = {timer.event for timer in timers}
    return Workflow(
        name="reminding",
        version=1,
        start=Start("open"),
        states=(
            State("open", timers=(Timer("remind", every, missed=missed), *timers)),
            State("left", final=True),
        ),
        transitions=(
            Transition("remind", ("open",), "open", SYSTEM, effects=(Effect("letter", "reminder"),)),
            Transition("leave", ("open",), "left", ANYONE, title=_("申込")),
            *(Transition(event, ("open",), "left", SYSTEM) for event in sorted(events - {"leave"})),
        ),
        **more,
    )


EngineOf = Callable[..., Engine]


def begin(engine: Engine, workflow: str = "reminding", about: str = "s") -> int:
    return engine.start(workflow, about, VISITOR).instance_id


def hours(engine: Engine, number: int, event: str = "remind") -> list[float]:
    """As of which hour after the start an event fired."""
    first, *entries = engine.history(number)
    return [
        (entry.due_at - first.at).total_seconds() / 3600
        for entry in entries
        if entry.event == event and entry.due_at is not None
    ]


def due_in(engine: Engine, number: int) -> dict[str, float]:
    """In how many hours after the start each timer is due."""
    begun = engine.history(number)[0].at
    with engine.store.reading() as unit:
        _, timers, _ = engine.store.read(unit, number)
    return {timer.event: (timer.due_at - begun).total_seconds() / 3600 for timer in timers}


def data(entry: Entry) -> dict[str, object]:
    found: dict[str, object] = json.loads(entry.data)
    return found
