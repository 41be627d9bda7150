"""What a violated unique index means: a declared refusal, a lost race (I2), or a fault of a definition.

A rule over several rows is decided by a unique index. The transition that may violate it declares it as a `Conflict`,
and people read the refusal of that. The database's own message is shown to no one: a violated index that is not
declared is an UndeclaredConflict, which names the index and goes into the log.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition import Conflict, Instance, Start, Transition, Workflow
from engine.errors import EngineError, Refused, TransitionConflict, UndeclaredConflict
from engine.store.base import Violation

_ENTRIES = ("history", "instance")  # the tables in which two that act at once meet


def meaning(
    violation: Violation, workflow: Workflow, way: Start | Transition | None, instance: Instance, state: str
) -> EngineError:
    """The error that a violated index is for a step out of `state`: Refused, TransitionConflict or UndeclaredConflict.

    The conflicts that `way` declares count. Where `way` is None, as in an act of an operator, those of the whole
    workflow count.
    """
    for conflict in _declared(workflow) if way is None else way.conflicts:
        if violation.of(conflict):
            return Refused([conflict.refusal])
    if violation.table in _ENTRIES:
        return TransitionConflict()
    where = workflow.where if way is None else way.where
    return UndeclaredConflict(
        "it was violated, and no Conflict there declares it",
        workflow=instance.workflow,
        version=instance.version,
        state=state,
        rule=f"the unique index {violation.index}",
        where=where,
    )


def _declared(workflow: Workflow) -> Iterator[Conflict]:
    yield from workflow.start.conflicts
    for transition in workflow.transitions:
        yield from transition.conflicts
