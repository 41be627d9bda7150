"""Listeners of plugins: what a commit has done is told to each, as an effect of that same commit (I1, I5).

A row of the outbox stands for one listener and one entry of history. Its kind is `LISTENER` and its recipient the
listener's name, so the listener is its channel: it hears the transitions of an instance in their order, and one that
it did not take holds up the later ones of that instance alone. Definitions know nothing of it, and their digests stay
as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from engine.definition import Effect, Instance, Workflow
from engine.delivery import Heard, Listener
from engine.runtime import history_rows
from engine.store.base import Unit

LISTENER = "listener"
_PREFIX = f"{LISTENER}:"  # of the names of such effects: no effect of a definition has a colon in its name


class Listening:
    """The listeners of a process, by name."""

    def __init__(self, listeners: Mapping[str, Listener]) -> None:
        self.listeners = listeners
        self._also: dict[tuple[str, str], tuple[Effect, ...]] = {}

    def with_listeners(self, workflow: Workflow, event: str, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        """The effects of a step, and behind them one for each listener that hears of `event` of `workflow`."""
        if not self.listeners:
            return effects
        asked = workflow.name, event
        also = self._also.get(asked)
        if also is None:
            also = self._also[asked] = tuple(
                effect_to(name) for name, listener in sorted(self.listeners.items()) if _hears(listener, *asked)
            )
        return effects + also


def _hears(listener: Listener, workflow: str, event: str) -> bool:
    events = getattr(listener, "events", ())
    return (not listener.workflows or workflow in listener.workflows) and (not events or event in events)


@lru_cache(maxsize=256)
def effect_to(listener: str) -> Effect:
    """The effect that tells a listener."""
    return Effect(LISTENER, _PREFIX + listener, listener)


def effect_named(workflow: Workflow, name: str) -> Effect | None:
    """The effect of this name: of the definition, or that which tells a listener, whether or not it is loaded; None
    where there is none."""
    effect = workflow.effects.get(name)
    if effect is None and name.startswith(_PREFIX):
        return effect_to(name.removeprefix(_PREFIX))
    return effect


def heard(unit: Unit, instance: Instance, seq: int) -> Heard:
    """The transition that the entry `seq` of an instance's history is, as a listener hears of it."""
    entry = history_rows.entry_at(unit, instance.id, seq)
    return Heard(
        instance.workflow,
        instance.version,
        instance.id,
        instance.about,
        seq,
        entry.event,
        entry.source,
        entry.target,
        entry.actor,
        entry.at,
    )
