"""For whom a state waits, by its definition alone: who may lead out of it, and what leads on by itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from engine.definition import OPERATOR, SYSTEM, Permission, Workflow

Pinned = tuple[str, int, str]
"""A (workflow, version, state)."""

_NOBODY = (SYSTEM.name, OPERATOR.name)


@lru_cache(maxsize=4096)
def awaited(workflow: Workflow, state: str) -> tuple[Permission, ...]:
    """The holders of which permissions the procedure waits for in the state of this name, in the order of writing.

    Those who may fire an event there. Nobody, where the state is final or the system leads out of it: by an effect that
    is done, or by a timer. An event that may come back into the state is a reminder, and leads nowhere. A deadline
    (`Timer.deadline`) and the acts of a wait (`State.wait`) do not count as such, because they say by when people
    should have acted. `State.awaits` decides where it is given. Operators are never waited for.
    """
    known = workflow.by_name.get(state)
    if known is None or known.final:
        return ()
    if known.awaits is not None:
        return (known.awaits,)
    ways = [way for way in workflow.transitions if state in way.sources]
    deadlines = {timer.event for timer in known.timers if timer.deadline}
    if known.wait is not None:
        deadlines |= {timer.event for timer, _way in known.wait.parts(state)}
    by_itself = [way for way in ways if way.allow.name == SYSTEM.name]
    goes_on = {way.event for way in by_itself} - {way.event for way in by_itself if way.target == state}
    if goes_on - deadlines and not deadlines:
        return ()
    people = {way.allow.name: way.allow for way in ways if way.allow.name not in _NOBODY}
    return tuple(people.values())


@dataclass(frozen=True, slots=True)
class Waiting:
    """A state, the names of the permissions for whose holders it waits, and those of all who may fire an event
    there."""

    place: Pinned
    awaits: frozenset[str]
    may_act: frozenset[str]


@lru_cache(maxsize=16)
def waiting_states(workflows: tuple[Workflow, ...]) -> tuple[Waiting, ...]:
    """Every state of these definitions, in the order of writing, and for whom it waits."""
    return tuple(
        Waiting(
            (workflow.name, workflow.version, state.name),
            frozenset(one.name for one in awaited(workflow, state.name)),
            frozenset(way.allow.name for way in workflow.transitions if state.name in way.sources),
        )
        for workflow in workflows
        for state in workflow.states
    )
