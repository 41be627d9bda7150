"""Checks that tuples are tuples: a forgotten comma makes a tuple of one a plain value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.definition import Effect, ExtensionPoint, Start, State, Transition, Workflow
from engine.runtime.soundness.problems import Problem
from engine.waits import Escalate, GiveUp, Remind, Wait

_TUPLES: Mapping[type, tuple[str, ...]] = {
    Workflow: ("states", "transitions", "migrates", "extension_points"),
    ExtensionPoint: ("events", "targets"),
    Start: ("guards", "writes", "effects", "conflicts", "keep"),
    State: ("timers",),
    Transition: ("sources", "guards", "writes", "effects", "conflicts", "keep", "restarts"),
}


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, tuple | list | set | frozenset) else (value,)


def check_containers(workflow: Workflow) -> Iterator[Problem]:
    """Fields that must be tuples and are not. Python takes `("requested")` for a string and would walk through its
    letters."""
    points = _as_tuple(workflow.extension_points)
    for part in (workflow, workflow.start, *_as_tuple(workflow.states), *_as_tuple(workflow.transitions), *points):
        for name in _TUPLES.get(type(part), ()):
            value = getattr(part, name)
            if not isinstance(value, tuple):
                message = (
                    f'"{name}" of a {type(part).__name__} must be a tuple, not a {type(value).__name__}; '
                    "a tuple of one is written with a comma: (one,)"
                )
                yield Problem(part.where, "NOT_A_TUPLE", message)


def with_tuples(workflow: Workflow) -> Workflow:
    """A copy of the workflow with tuples as they were meant, so that everything else can be checked too."""

    def repaired(part: Any) -> Any:
        names = _TUPLES.get(type(part), ())
        made = replace(part, **{name: _as_tuple(getattr(part, name)) for name in names}) if names else part
        if isinstance(part, State) and isinstance(part.wait, Wait):  # whose parts are written out once more
            made = replace(made, wait=_wait_with_tuples(part.wait))
        return made

    return replace(
        workflow,
        start=repaired(workflow.start),
        states=tuple(map(repaired, _as_tuple(workflow.states))),
        transitions=tuple(map(repaired, _as_tuple(workflow.transitions))),
        migrates=_as_tuple(workflow.migrates),
        extension_points=tuple(map(repaired, _as_tuple(workflow.extension_points))),
    )


def _wait_with_tuples(wait: Wait) -> Wait:
    def repaired(act: Any) -> Any:
        if not isinstance(act, Remind | Escalate | GiveUp):
            return act
        effects = act.effects if isinstance(act.effects, Effect) else _as_tuple(act.effects)
        return replace(act, effects=effects, writes=_as_tuple(act.writes))

    return replace(wait, remind=repaired(wait.remind), escalate=repaired(wait.escalate), give_up=repaired(wait.give_up))
