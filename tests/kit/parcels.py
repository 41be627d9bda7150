"""A parcel on its way, in two versions between which everything has another name: for the tests of migrations.

Version 1 packs, labels and sends; version 2 boxes, puts a sticker on and sends, and knows no shelf any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from engine.attempt import Actor, Attempt
from engine.definition import ANYONE, SYSTEM, Effect, Start, State, Timer, Transition, Workflow
from engine.delivery import Accepted, Delivery, Outcome
from engine.migration import Cancel, Choice, Migration
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase, from_db
from engine.store.opening import open_database
from engine.testing import Clock
from engine.text import _
from tests.kit.databases import close_database

OPERATOR = Actor("operator", "root")
VISITOR = Actor("visitor")
HOUR = timedelta(hours=1)

LABEL = Effect("printer", "label", done="labelled")
HELLO = Effect("letter", "hello")
OPEN = ("packed", "labelled", "shelved")

PARCEL = Workflow(
    name="parcel",
    version=1,
    title=_("Parcel"),
    start=Start("packed", effects=(LABEL, HELLO)),
    states=(
        State("packed", timers=(Timer("set_aside", 24 * HOUR), Timer("lapse", 72 * HOUR))),
        State("labelled", timers=(Timer("lapse", 72 * HOUR),)),
        State("shelved", timers=(Timer("lapse", 72 * HOUR),)),
        State("sent", final=True),
        State("lost", final=True),
    ),
    transitions=(
        Transition("labelled", ("packed",), "labelled", allow=SYSTEM),
        Transition("set_aside", ("packed",), "shelved", allow=SYSTEM),
        Transition("shelve", ("packed", "labelled"), "shelved", allow=ANYONE, title=_("Shelve")),
        Transition("send", ("labelled", "shelved"), "sent", allow=ANYONE, title=_("Send")),
        Transition("lapse", OPEN, "lost", allow=SYSTEM),
    ),
)

STICKER = Effect("printer", "sticker", done="stuck_on")
BOXED = ("boxed", "labelled", "checked")

PARCEL_2 = Workflow(
    name="parcel",
    version=2,
    title=_("Parcel"),
    start=Start("boxed", effects=(STICKER,)),
    states=(
        State("boxed", timers=(Timer("lapse", 48 * HOUR), Timer("report", 6 * HOUR))),
        State("labelled", timers=(Timer("lapse", 48 * HOUR),)),
        State("checked"),
        State("sent", final=True),
        State("lost", final=True),
    ),
    transitions=(
        Transition("stuck_on", ("boxed",), "labelled", allow=SYSTEM),
        Transition("report", ("boxed",), "checked", allow=SYSTEM),
        Transition("send", ("labelled", "checked"), "sent", allow=ANYONE, title=_("Send")),
        Transition("lapse", ("boxed", "labelled"), "lost", allow=SYSTEM),
    ),
)

MAPPING = Migration(
    "parcel",
    (1,),
    2,
    states={"packed": "boxed", "shelved": Choice(("labelled", "checked"))},
    effects={"label": "sticker", "hello": Cancel("nobody is greeted any more")},
)


@dataclass
class Machines:
    """Carries effects out; `answer` decides each outcome, and `done` tells what was asked."""

    answer: Callable[[Delivery], Outcome] = lambda delivery: Accepted()
    done: list[str] = field(default_factory=list)

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """See `EffectHandler.deliver`."""
        self.done.append(delivery.name)
        return self.answer(delivery)


@dataclass
class Post:
    """An engine with parcels on one database."""

    db: SiteDatabase
    engine: Engine
    dispatcher: Dispatcher
    clock: Clock
    machines: Machines

    def begin(self, about: str = "parcel:1", version: int = 1) -> int:
        """A new parcel."""
        return self.engine.start("parcel", about, VISITOR, version=version).instance_id

    def place(self, number: int) -> tuple[int, str]:
        """Version and state, as the table holds them."""
        found = self.sql("SELECT version, state FROM instance WHERE id = ?", number)[0]
        return found[0], found[1]

    def timers(self, number: int) -> dict[str, datetime]:
        """When the timers of a parcel are due."""
        rows = self.sql("SELECT event, due_at FROM timer WHERE instance_id = ?", number)
        return {event: from_db(due) for event, due in rows}

    def outbox(self, number: int) -> dict[str, str]:
        """The state of each effect of a parcel."""
        return dict(self.sql("SELECT name, state FROM outbox WHERE instance_id = ? ORDER BY seq, position", number))

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """What the tables hold."""
        cursor = self.db.execute_sql(statement.replace("?", self.db.param), params)
        return list(cursor.fetchall()) if cursor.description else []

    def with_versions(self, *workflows: Workflow, worker: str = "one") -> Post:
        """The same database, as a process sees it that knows these definitions."""
        return _post(self.db, self.clock, self.machines, workflows, worker)

    def close(self) -> None:
        """Give the connections back."""
        close_database(self.db)


def open_post(
    url: str, clock: Clock | None = None, workflows: tuple[Workflow, ...] = (PARCEL, PARCEL_2), worker: str = "one"
) -> Post:
    """An office on a migrated database."""
    return _post(open_database(url), clock or Clock(), Machines(), workflows, worker)


def _post(db: SiteDatabase, clock: Clock, machines: Machines, workflows: tuple[Workflow, ...], worker: str) -> Post:
    engine = Engine(db, workflows, secret=b"x" * 32, clock=clock, worker=worker, chance=lambda: 0.5)
    renderer = Renderer(base_url="http://localhost", sender="a@example.com", site_facts={}, link=engine.link)
    handlers: Mapping[str, Any] = {"printer": machines, "letter": machines}
    return Post(db, engine, Dispatcher(engine, renderer, mailers={}, mailer="none", handlers=handlers), clock, machines)


def raising(attempt: Attempt) -> None:
    """A write whose rule is broken."""
    raise ValueError("a rule is broken")
