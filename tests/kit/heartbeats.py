"""A heartbeat at work on a database, and the small definitions that it serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any

from engine.definition import SYSTEM, Actor, Effect, Start, State, Timer, Transition, Workflow
from engine.delivery import Accepted, Deferred, Delivery, Outcome
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.runtime.engine import Engine
from engine.store.opening import open_database
from engine.text import _
from engine.workers.one_machine import Heartbeat
from tests.kit.databases import close_database
from tests.kit.waiting import PATIENCE

VISITOR = Actor("visitor")


def limited(after: timedelta) -> Workflow:
    """Ends by itself."""
    return Workflow(
        name="limited",
        version=1,
        title=_("期限切れ"),
        start=Start("open"),
        states=(
            State("open", _("期限切れ"), timers=(Timer("expire", after),)),
            State("over", _("期限切れ"), final=True),
        ),
        transitions=(Transition("expire", ("open",), "over", allow=SYSTEM),),
    )


NOTIFY = Workflow(
    name="notify",
    version=1,
    title=_("期限切れ"),
    start=Start("open", effects=(Effect("ping", "ping", done="told"),)),
    states=(State("open", _("期限切れ")), State("told", _("期限切れ"), final=True)),
    transitions=(Transition("told", ("open",), "told", allow=SYSTEM),),
)


@dataclass
class Ping:
    """Carries out effects of kind "ping"; the first `failures` of them fail for a moment."""

    failures: int = 0
    keys: list[str] = field(default_factory=list)
    hold: Event | None = None
    begun: Event = field(default_factory=Event)

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        self.keys.append(key)
        self.begun.set()
        if self.hold is not None:
            self.hold.wait(PATIENCE)
        return Deferred("busy", timedelta(milliseconds=1)) if len(self.keys) <= self.failures else Accepted()


@contextmanager
def at_work(
    url: str, workflow: Workflow, ping: Ping | None = None, chores: Any = ()
) -> Iterator[tuple[Engine, Heartbeat]]:
    db = open_database(url)
    engine = Engine(db, [workflow], secret=b"x" * 32, worker="one")
    renderer = Renderer(base_url="http://localhost", sender="a@example.com", site_facts={}, link=engine.link)
    dispatcher = Dispatcher(engine, renderer, mailers={}, mailer="none", handlers={"ping": ping} if ping else {})
    heartbeat = Heartbeat(engine, dispatcher, threads=2, chores=chores)
    heartbeat.start()
    try:
        yield engine, heartbeat
    finally:
        heartbeat.stop()
        close_database(db)


def is_told(engine: Engine, number: int) -> bool:
    """Whether the effect of NOTIFY was completed."""
    return engine.look(number).state.name == "told"


def has_fired(engine: Engine, number: int) -> bool:
    """Whether the timer of a `limited` has fired."""
    return len(engine.history(number)) == 2


def without_sweep(heartbeat: Heartbeat) -> None:
    """Take the safety net away: what is done now was woken for."""
    heartbeat._scheduler.remove_job("sweep")
