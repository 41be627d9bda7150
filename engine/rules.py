"""The names of rules: of guards, writes, timer rules, and any other function that a definition names.

Verdicts, release digests, diagrams and READMEs go by these names, so a name must say everything that tells two rules
apart, and must be the same in every process. A function has its own name. A `functools.partial` adds the arguments that
it has bound, and a callable object the fields of its dataclass: `younger_than(60)`, `BusinessDays(days=2)`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import FunctionType, MethodType
from typing import Any, TypeVar

_LAMBDA = "<lambda>"
_DEEPEST = 5  # levels of what holds what in a bound value; more is an object graph and no value

_Rule = TypeVar("_Rule", bound=Callable[..., Any])
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def rule_name(rule: Any) -> str:
    """The name of a rule, the same in every process.

    A rule with a `__name__` keeps it: a function, a method, an object that was given one. Where a bound value has no
    text of its own (`is_nameable`), the name is that of the function or class.
    """
    if type(rule) is FunctionType:  # as nearly always; a transition asks this while others wait
        return rule.__name__
    try:
        return _value(rule)
    except _Unsayable:
        return rule_name(rule.func) if isinstance(rule, partial) else type(rule).__name__


def same_rule(one: Any, other: Any) -> bool:
    """Whether two rules do the same: the same function, or partials of it that have bound equal arguments."""
    if isinstance(one, partial) and isinstance(other, partial):
        return (
            same_rule(one.func, other.func)
            and len(one.args) == len(other.args)
            and all(map(_same_value, one.args, other.args))
            and one.keywords.keys() == other.keywords.keys()
            and all(_same_value(value, other.keywords[name]) for name, value in one.keywords.items())
        )
    return one is other or (type(one) is type(other) and bool(one == other))


def is_nameable(rule: Any) -> bool:
    """Whether a rule's name tells it apart: not where it has bound an object that only its address in memory tells from
    others."""
    try:
        _value(rule)
    except _Unsayable:
        return False
    return True


def is_lambda(rule: Any) -> bool:
    """Whether a rule, or the function in a partial, is a lambda: all of those share one name."""
    return getattr(written_function(rule), "__name__", None) == _LAMBDA


def written_function(rule: Any) -> Any:
    """The function in a rule, behind the arguments that are bound to it; the `__call__` of a callable object."""
    while isinstance(rule, partial):
        rule = rule.func
    if isinstance(rule, FunctionType | MethodType | type):
        return rule
    return getattr(type(rule), "__call__", rule)  # noqa: B004  (the function, not whether there is one)


def rule_doc(rule: Any) -> str:
    """The docstring of a rule: that of its function, or of the class of a callable object."""
    while isinstance(rule, partial):
        rule = rule.func
    written = written_function(rule)
    if isinstance(written, FunctionType) and written is not rule and not written.__doc__:
        written = type(rule)
    return inspect.getdoc(written) or ""


def needs_input(guard: _Rule) -> _Rule:
    """Mark a guard that needs the event's data: it is not asked while somebody only looks."""
    marked: Any = guard.__func__ if isinstance(guard, MethodType) else guard
    marked.needs_input = True
    return guard


def asks_for_input(guard: Any) -> bool:
    """Whether a guard, or the function in a partial, was marked by `needs_input`."""
    if hasattr(guard, "needs_input"):
        return True
    return isinstance(guard, partial) and asks_for_input(guard.func)


@dataclass(frozen=True, slots=True)
class Read:
    """A row that a guard reads: of `model` (or `only` some columns of it), where each column of `equal` has the value
    that its function answers of the instance. `locks`: it locks the row, and reads nothing."""

    model: Any
    equal: Mapping[str, Any]
    locks: bool = False

    @property
    def is_told_by_instance(self) -> bool:
        """Whether it reads a row that the instance alone can name, without data and other rows."""
        return not self.locks and all(map(callable, self.equal.values()))


@dataclass(frozen=True, slots=True)
class FromRow:
    """In the place of a value of `reads`: that of a column of the row of `model` that the guard has declared before."""

    model: Any
    column: str


@dataclass(frozen=True, slots=True)
class FromData:
    """In the place of a value of `reads`: that of an attribute of the event's data."""

    name: str


@dataclass(frozen=True, slots=True)
class Always:
    """In the place of a value of `reads`: this value."""

    value: Any

    def __call__(self, instance: Any) -> Any:
        return self.value


def reads(model: Any, **equal: Any) -> Callable[[_Rule], _Rule]:
    """Declare a row that a guard reads, so that it is read together with those of other instances, or with the lock of
    its own.

    `equal` names the row as `Records.get` and `exists` do, and holds functions of the instance in the place of values;
    or `FromData`, `FromRow`, `Always`.
    """
    return _declaring(Read(model, equal))


def locks(model: Any, **equal: Any) -> Callable[[_Rule], _Rule]:
    """Declare rows that a guard locks, as `Records.lock_rows` does, so that they are locked together with the instance.
    `equal` names them as in `reads`."""
    return _declaring(Read(model, equal, locks=True))


def _declaring(read: Read) -> Callable[[_Rule], _Rule]:
    def declare(guard: _Rule) -> _Rule:
        marked: Any = guard.__func__ if isinstance(guard, MethodType) else guard
        marked.reads = (read, *declared_reads(guard))
        return guard

    return declare


def instance_number(instance: Any) -> Any:
    """The number of an instance, in the place of a value of `reads`. A row that only this names is known before the
    instance is, and read with its lock."""
    return instance.id


def declared_reads(guard: Any) -> tuple[Read, ...]:
    """What a guard, or the function in a partial, declares by `reads` and `locks`, in the order of writing."""
    found: tuple[Read, ...] = getattr(guard, "reads", ())
    return found or (declared_reads(guard.func) if isinstance(guard, partial) else ())


def _same_value(one: Any, other: Any) -> bool:
    return same_rule(one, other) if callable(one) else type(one) is type(other) and bool(one == other)


def _says_only_its_address(kind: Any) -> bool:
    return kind.__repr__ is object.__repr__


class _Unsayable(Exception):
    """A value that only its address in memory tells from others."""


def _value(value: Any, depth: int = 0) -> str:
    """A value as a name shows it: the text that would write it, the same in every process. Raises _Unsayable."""
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, str | int | float | bytes | None | Decimal | date | time | datetime | timedelta | PurePath):
        return repr(value)
    if depth == _DEEPEST:
        raise _Unsayable
    inner = partial(_value, depth=depth + 1)
    if isinstance(value, tuple | list):
        inside = ", ".join(map(inner, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(inner, value))) + "}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(f"{inner(key)}: {inner(value[key])}" for key in value)) + "}"
    if isinstance(getattr(value, "__name__", None), str):
        return str(value.__name__)
    if isinstance(value, partial):
        bound = [inner(one) for one in value.args]
        bound += [f"{name}={inner(value.keywords[name])}" for name in sorted(value.keywords)]
        return f"{inner(value.func)}({', '.join(bound)})"
    if is_dataclass(value):
        held = {one.name: getattr(value, one.name) for one in fields(value) if one.compare}
    elif hasattr(value, "__dict__") and _says_only_its_address(type(value)):
        held = dict(sorted(vars(value).items()))
    else:
        said = repr(value)
        if _ADDRESS.search(said):
            raise _Unsayable
        return said
    shown = ", ".join(f"{name}={inner(one)}" for name, one in held.items())
    return f"{type(value).__name__}({shown})" if shown else type(value).__name__
