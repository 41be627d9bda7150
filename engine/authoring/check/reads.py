"""Checks what guards declare to read and to lock (`engine.rules.reads` and `locks`): a row that can be named, of a
table that there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.definition import Workflow
from engine.rules import FromData, FromRow, Read, declared_reads, rule_name
from engine.runtime.soundness.graph import asked
from engine.runtime.soundness.problems import Problem
from engine.store.statements import plans, whole


def check_reads(workflow: Workflow) -> Iterator[Problem]:
    """Declared reads that could never be read ahead, each at the transition that asks its guard."""
    for part in asked(workflow):
        for guard in part.guards:
            declared = declared_reads(guard)
            for place, read in enumerate(declared):
                if fault := _fault(read, declared[:place]):
                    message = f'guard "{rule_name(guard)}" declares a read that cannot be made: {fault}'
                    yield Problem(part.where, "BAD_READ", message)


def _fault(read: Read, before: Sequence[Read]) -> str:
    if not hasattr(read.model if read.locks else whole(read.model), "_meta"):
        expected = "a model" if read.locks else "a model or only(model, …)"
        return f"expected {expected}, got a {type(read.model).__name__}"
    try:
        for name, value in read.equal.items():
            if isinstance(value, FromRow):
                rows = [one.model for one in before if not one.locks and whole(one.model) is value.model]
                if not rows:
                    return f'"{name}" is from a row of {value.model!r}, which is not declared before it'
                plans.attribute(rows[-1], value.column)
            elif not callable(value) and not isinstance(value, FromData):
                return f'expected a function of the instance for "{name}", got a {type(value).__name__}'
        plans.select(read.model, tuple(read.equal))
    except TypeError as error:
        return str(error)
    return ""
