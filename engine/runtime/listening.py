"""Listeners of plugins: what a commit has done is told to each, as an effect of that same commit (I1, I5).

A commit writes one row of the outbox, `FAN_OUT`, whichever number of listeners hears of it; its figures name them. A
worker makes of it one row for each. Such a row has the kind `LISTENER` and the listener's name as its recipient, so the
listener is its channel: it hears the transitions of an instance in their order, and one that it did not take holds up
the later ones of that instance, for that listener alone. Definitions know nothing of it, and their digests stay as they
are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from engine.definition import Effect, Instance, Workflow
from engine.delivery import Heard, Listener
from engine.extension import effect_of
from engine.outcomes import Claim
from engine.runtime import history_rows
from engine.store.base import Unit

LISTENER = "listener"
FAN_OUT = f"{LISTENER}:"
"""The name of the effect that becomes one for each listener. No effect of a definition has a colon in its name."""
_NAMES = "listeners"  # under which its figures name them


class Listening:
    """The listeners of a process, by name."""

    def __init__(self, listeners: Mapping[str, Listener]) -> None:
        self.listeners = listeners
        self._also: dict[tuple[str, str], tuple[Effect, ...]] = {}

    def with_listeners(self, workflow: Workflow, event: str, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        """The effects of a step, and behind them that which tells the listeners who hear of `event` of `workflow`."""
        if not self.listeners:
            return effects
        asked = workflow.name, event
        also = self._also.get(asked)
        if also is None:
            names = sorted(name for name, listener in self.listeners.items() if _hears(listener, *asked))
            also = self._also[asked] = (_fan_out(names),) if names else ()
        return effects + also


def _hears(listener: Listener, workflow: str, event: str) -> bool:
    events = getattr(listener, "events", ())
    return (not listener.workflows or workflow in listener.workflows) and (not events or event in events)


def _fan_out(names: list[str]) -> Effect:
    figures = {_NAMES: names}
    return Effect(LISTENER, FAN_OUT, figures=lambda attempt: figures)


@lru_cache(maxsize=256)
def effect_to(listener: str) -> Effect:
    """The effect that tells a listener; with an empty name that of all, which becomes one for each."""
    return Effect(LISTENER, FAN_OUT + listener, listener)


def effect_named(workflow: Workflow, name: str) -> Effect | None:
    """The effect of this name: of the definition, that which tells a listener, or an extension's, whether or not their
    plugins are loaded; None where there is none."""
    effect = workflow.effects.get(name)
    if effect is None and name.startswith(FAN_OUT):
        return effect_to(name.removeprefix(FAN_OUT))
    return effect or effect_of(name)


def named_by(figures: Mapping[str, list[str]]) -> list[str]:
    """The listeners that a `FAN_OUT` names."""
    return figures[_NAMES]


def heard(unit: Unit, instance: Instance, claim: Claim) -> Heard:
    """The transition that a claim tells, as a listener hears of it."""
    entry = history_rows.entry_at(unit, instance.id, claim.seq)
    return Heard(
        instance.workflow,
        instance.version,
        instance.id,
        instance.about,
        entry.seq,
        entry.event,
        entry.source,
        entry.target,
        entry.actor,
        entry.at,
    )
