"""What a violated unique index means: a declared refusal, a lost race (I2), or an error of a rule.

A rule over several rows is decided by a unique index. The transition that may meet it declares it as a `Conflict`, and
people read its refusal. Nobody ever reads what the database says: an index that nobody declared is a `RuleError` with
its name.
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
    """What the index means that a step out of `state` has violated: Refused, TransitionConflict, UndeclaredConflict.

    The conflicts of `way` count; those of the whole workflow where None was taken, as where an operator acts.
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
