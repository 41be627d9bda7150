"""A handler that carries out effects as a test says, and a procedure that is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from engine.definition import SYSTEM, Actor, Attempt, Effect, Start, State, Timer, Transition, Workflow
from engine.delivery import Accepted, Delivery, Heard, Listener, Outcome
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase
from engine.testing import Clock
from engine.text import _

VISITOR = Actor("visitor")


@dataclass
class Handler:
    """Carries out effects; `answer` decides, and `keys` tells how often."""

    answer: Callable[[Delivery], Outcome] = lambda delivery: Accepted()
    keys: list[str] = field(default_factory=list)

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        self.keys.append(key)
        return self.answer(delivery)


@dataclass
class Ear:
    """Hears transitions; `answer` decides, and `heard` and `keys` tell of what and under which keys."""

    workflows: Sequence[str] = ()
    events: Sequence[str] = ()
    answer: Callable[[Heard], object] = lambda heard: Accepted()
    heard: list[Heard] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def hear(self, transition: Heard, key: str) -> Outcome:
        self.heard.append(transition)
        self.keys.append(key)
        return self.answer(transition)  # type: ignore[return-value]


def told(write: Callable[[Attempt], None] | None = None, version: int = 1) -> Workflow:
    return Workflow(
        name="told",
        version=version,
        title=_("期限切れ"),
        start=Start("open", effects=(Effect("ping", "ping", done="told"),)),
        states=(
            State("open", _("期限切れ"), timers=(Timer("expire", timedelta(days=30)),)),
            State("told", _("期限切れ"), final=True),
        ),
        transitions=(
            Transition("told", ("open",), "told", allow=SYSTEM, writes=(write,) if write else ()),
            Transition("expire", ("open",), "told", allow=SYSTEM),
        ),
    )


def dispatcher_of(
    db: SiteDatabase,
    clock: Clock | None,
    handler: Handler,
    *workflows: Workflow,
    worker: str = "one",
    **listeners: Listener,
) -> Dispatcher:
    """Delivers effects of kind "ping" to the handler, and tells `listeners`; without `clock` by the machine's."""
    engine = Engine(
        db, workflows, secret=b"x" * 32, clock=clock, worker=worker, chance=lambda: 0.5, listeners=listeners
    )
    renderer = Renderer(base_url="http://localhost", sender="a@example.com", site_facts={}, link=engine.link)
    return Dispatcher(engine, renderer, mailers={}, mailer="none", handlers={"ping": handler})
