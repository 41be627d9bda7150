"""What a plugin adds to the steps of a workflow that it did not write: guards, writes and effects at one of the points
that the workflow declares (`engine.definition.ExtensionPoint`).

All of it belongs to the step: it is done under the lock of the instance and in the transaction of the step, and commits
with it or not at all (I1). Whatever must happen in the world is an effect. `engine.runtime.extending` runs extensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import local
from typing import Any

from engine.attempt import Actor, Records, Refusal
from engine.definition import Conflict, Effect, Retry
from engine.errors import ConfigurationError

_EFFECT = "extension:"
"""What the name of an extension's effect begins with in the outbox. No effect of a definition has a colon in its
name."""
_LONGEST_NAME, _LONGEST_KIND = 64, 32  # what the outbox holds

here = local()
"""What this thread does: `name` is that of the extension which it runs."""


def at_work() -> str:
    """The name of the extension that this thread runs at this moment; empty where it runs none."""
    return getattr(here, "name", "")


@dataclass(slots=True)
class ExtensionContext:
    """One step at an extension point: the argument of an extension's guards, writes and figures.

    `event` leads the instance from `source` to `target`; a start has the event "start" and the source "". `at` is when
    the event counts as having happened (aware, in UTC). `actor` is who acts, `Actor("system")` for a timer or for what
    follows an effect. `records` reads records, and writes and locks those of the plugin's own tables: see `Records`.
    `read_facts` is what the point tells of the step; read it as `facts`.
    """

    workflow: str
    version: int
    instance_id: int
    about: str
    point: str
    event: str
    source: str
    target: str
    actor: Actor
    at: datetime
    records: Records
    read_facts: Callable[[], Any] = lambda: None

    @property
    def facts(self) -> Any:
        """What the point tells of the step, as the reference of the point says; None where it tells nothing. Read anew
        after the workflow's own writes."""
        return self.read_facts()


ExtensionGuard = Callable[[ExtensionContext], Refusal | None]
ExtensionWrite = Callable[[ExtensionContext], None]


@dataclass(frozen=True, slots=True)
class ExtensionEffect:
    """Something that must happen in the world after a step: one row of the outbox, kept until the plugin's handler of
    this `kind` has done it (`register_effect_handlers`), under one key however often it is tried (I5).

    `name` is what the handler is told as `Delivery.name`. `figures` freezes what the handler needs, nothing secret and
    nothing personal; where it answers None, this step has no such effect. Raises ConfigurationError where a name cannot
    stand in the outbox.
    """

    kind: str
    name: str
    figures: Callable[[ExtensionContext], Mapping[str, Any] | None] | None = None
    retry: Retry = Retry()

    def __post_init__(self) -> None:
        """Refuse names that the outbox cannot hold."""
        for what, text in (("kind", self.kind), ("name", self.name)):
            if not isinstance(text, str) or not text.isidentifier() or not text.isascii():
                raise ConfigurationError(
                    f"the {what} of an extension's effect is {text!r}; expected letters, digits, _"
                )
        if self.kind == "mail" or len(self.kind) > _LONGEST_KIND:
            raise ConfigurationError(f"an extension's effect is of the kind {self.kind!r}; expected one of its plugin")
        if len(effect_name(self.kind, self.name)) > _LONGEST_NAME:
            most = _LONGEST_NAME - len(effect_name(self.kind, ""))
            raise ConfigurationError(f"the extension's effect {self.name!r}: expected {most} characters at most")


@dataclass(frozen=True, slots=True)
class Extension:
    """What a plugin adds at the point `point` of the workflow `workflow`, in every version that declares the point.

    `guards` may refuse the step in the plugin's own words. They are asked after the workflow's own guards, of the
    transition that those have chosen, and not where the system acts: nobody would read a refusal there. `writes` change
    records of the plugin's own tables, after the writes of the workflow. `effects` are put into the outbox behind
    those of the workflow. `conflicts` are the unique indexes of the plugin's tables that a write may violate, with the
    refusals that this means.

    Where a rule of it raises, the step is done without the extension, and an incident names it; where it is slow or
    raises three times within an hour, it is left out altogether. One that is `indispensable` is never left out: where
    it raises, the step is refused. Raises ConfigurationError where a part is of a wrong type.
    """

    workflow: str
    point: str
    guards: tuple[ExtensionGuard, ...] = ()
    writes: tuple[ExtensionWrite, ...] = ()
    effects: tuple[ExtensionEffect, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    indispensable: bool = False

    def __post_init__(self) -> None:
        """Refuse parts of a wrong type, where they are written."""
        for name, kind, expected in (
            ("guards", Callable, "functions"),
            ("writes", Callable, "functions"),
            ("effects", ExtensionEffect, "ExtensionEffect"),
            ("conflicts", Conflict, "Conflict"),
        ):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not all(isinstance(one, kind) for one in value):  # type: ignore[arg-type]
                raise ConfigurationError(f"{self}: {name} = {value!r}; expected a tuple of {expected}")
        if not self.guards and not self.writes and not self.effects:
            raise ConfigurationError(f"{self} does nothing; expected guards, writes or effects")
        names = [(effect.kind, effect.name) for effect in self.effects]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"{self} has two effects of one kind and name")

    def __str__(self) -> str:
        return f"the extension of {self.workflow!r} at {self.point!r}"


def effect_name(kind: str, name: str) -> str:
    """The name of an extension's effect in the outbox, which tells its kind where the plugin is gone."""
    return f"{_EFFECT}{kind}:{name}"


def own_name(name: str) -> str:
    """The name of an effect as its plugin gave it; the same for any other effect."""
    return name.removeprefix(_EFFECT).partition(":")[2] if name.startswith(_EFFECT) else name


def effect_of(name: str, retry: Retry = Retry()) -> Effect | None:  # noqa: B008  (frozen)
    """The effect that stands in the outbox under `name`, whether or not its plugin is there; None where it is no
    extension's."""
    if not name.startswith(_EFFECT):
        return None
    return Effect(name.removeprefix(_EFFECT).partition(":")[0], name, retry=retry)
