"""A procedure with extension points, and a plugin's table and extensions at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from time import perf_counter
from types import MappingProxyType
from typing import Any

import peewee as pw

from engine.definition import (
    ANYONE,
    START,
    SYSTEM,
    Attempt,
    Conflict,
    ExtensionPoint,
    Refusal,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.extension import Extension, ExtensionContext, ExtensionEffect
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.runtime.engine import Engine
from engine.runtime.extending import Extensions, Installed
from engine.store.base import Record, SiteDatabase
from engine.testing import Clock
from engine.text import _
from tests.kit.handlers import Handler

TITLE = _("期限切れ")
TOO_LATE = Refusal("too_late", TITLE)
TAKEN = Refusal("taken", TITLE)


class Bonus(Record):
    """A table of the plugin's own: points that a step brought, once for each instance and event."""

    id = pw.BigAutoField()
    instance = pw.BigIntegerField()
    event = pw.CharField(64)
    words = pw.CharField(200, default="")

    class Meta:
        table_name = "bonus"
        indexes = ((("instance", "event"), True),)


ONE_EACH = Conflict("bonus", ("instance", "event"), TAKEN)


def words_of(attempt: Attempt) -> str:
    """What a step is about."""
    return str(attempt.data or "nothing")


def no_late_words(attempt: Attempt) -> Refusal | None:
    return TOO_LATE if attempt.data == "late" else None


def loan(version: int = 1, name: str = "loan") -> Workflow:
    """Asked for, lent by somebody or by itself after a day, and given back."""
    return Workflow(
        name=name,
        version=version,
        title=TITLE,
        start=Start("asked", allow=ANYONE),
        states=(
            State("asked", TITLE, timers=(Timer("lend_by_itself", timedelta(days=1)),)),
            State("lent", TITLE),
            State("back", TITLE, final=True),
            State("kept", TITLE, final=True),
        ),
        transitions=(
            Transition("lend", ("asked",), "lent", allow=ANYONE, title=TITLE, guards=(no_late_words,)),
            Transition("lend_by_itself", ("asked",), "lent", allow=SYSTEM),
            Transition("return", ("lent",), "back", allow=ANYONE, title=TITLE),
            Transition("keep", ("lent",), "kept", allow=ANYONE, title=TITLE),
        ),
        extension_points=(
            ExtensionPoint("asking", (START,), facts=words_of),
            ExtensionPoint("lending", ("lend", "lend_by_itself"), facts=words_of),
            ExtensionPoint("ending", ("return",), ("back",)),
        ),
    )


def note(context: ExtensionContext) -> None:
    """A write of the plugin: one row for the step."""
    words = f"{context.source}>{context.target} {context.facts}"
    context.records.insert(Bonus, instance=context.instance_id, event=context.event, words=words)


def figures(context: ExtensionContext) -> dict[str, Any]:
    return {"about": context.about, "to": context.target}


PING = ExtensionEffect("ping", "bonus", figures)


def lending(**more: Any) -> Extension:
    """An extension that notes a loan, and sends an effect."""
    return Extension("loan", "lending", **{"writes": (note,), "effects": (PING,), **more})


def make_bonus_table(db: SiteDatabase) -> None:
    """The table of the plugin, as a step of its own would make it."""
    with db.bound():
        db.create_tables([Bonus])


def bonuses(db: SiteDatabase) -> list[tuple[int, str, str]]:
    """The rows of the plugin's table."""
    with db.bound():
        return [(one.instance, one.event, one.words) for one in Bonus.select().order_by(Bonus.id)]


def extended_by(
    db: SiteDatabase,
    clock: Clock | None,
    handler: Handler,
    *workflows: Workflow,
    seconds: Callable[[], float] = perf_counter,
    extensions: Mapping[str, Extension] = MappingProxyType({}),
    **more: Extension,
) -> Dispatcher:
    """An engine that the plugin `points` 1.2 extends, with its handler of effects; `seconds` tells the time that
    extensions take."""
    installed = [Installed(name, one, "points", "1.2", "tests") for name, one in {**extensions, **more}.items()]
    made = Extensions(installed, clock=seconds)
    engine = Engine(db, workflows or (loan(),), secret=b"x" * 32, clock=clock, chance=lambda: 0.5, extensions=made)
    renderer = Renderer(base_url="http://localhost", sender="a@example.com", site_facts={}, link=engine.link)
    return Dispatcher(engine, renderer, mailers={}, mailer="none", handlers={"ping": handler})
