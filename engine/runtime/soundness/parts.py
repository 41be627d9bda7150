"""Checks every part of a definition: that it is of the right type, and that the tables can hold its name.

Nothing else can be said of a definition before this holds: a part of a wrong type has no name, and a graph of such
parts has no paths (`structure`).
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FunctionType
from typing import Any

from engine.definition import (
    Conflict,
    Effect,
    ExtensionPoint,
    Location,
    Permission,
    Recipient,
    Refusal,
    Resend,
    Retry,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.migration import Migration
from engine.rules import rule_name
from engine.runtime.soundness.graph import asked
from engine.runtime.soundness.problems import Problem
from engine.text import Text
from engine.waits import Escalate, GiveUp, Remind, Wait

WRONG_TYPE, NOT_CALLABLE, BAD_NAME, BAD_VERSION = "WRONG_TYPE", "NOT_CALLABLE", "BAD_NAME", "BAD_VERSION"

# With one of these a definition is no graph yet: its consequences cannot be told from further faults.
SHAPELESS = frozenset({WRONG_TYPE, NOT_CALLABLE, BAD_NAME})

RESERVED_EVENTS = frozenset({"start", "migrate", "key.lost", "mail.again"})
RESERVED_PREFIXES = ("incident.", "timer.", "pause.", "key.", "cure.")

_NAME, _KIND, _VERSION = 64, 32, 2**31 - 1  # what the columns hold, see migration 0001
LONGEST = timedelta(days=36525)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SECRET_WORDS = frozenset({"password", "passwd", "passphrase", "secret", "token", "otp", "cvc", "cvv"})
_OTHERWISE = frozenset(
    {"__wrapped__", "__signature__", "_is_coroutine_mark"}
)  # a function with one is called otherwise
_LATER = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE


@dataclass(frozen=True, slots=True)
class _Field:
    """What a field takes: the test of a value, the words for what is expected, and the number of arguments of a
    function."""

    holds: Callable[[Any], bool]
    expected: str
    arguments: int = 0


def _one(*kinds: type, expected: str) -> _Field:
    return _Field(lambda value: isinstance(value, kinds), expected)


def _called_with(arguments: int) -> _Field:
    return _Field(callable, "a function", arguments)


def _maybe(field: _Field) -> _Field:
    return _Field(lambda value: value is None or field.holds(value), f"{field.expected} or None", field.arguments)


_RULE, _TEXT = _called_with(1), _one(str, expected="a text")
_FLAG = _one(bool, expected="True or False")
_RECIPIENT = _one(Recipient, expected="a Recipient")
_DELAY = _one(timedelta, expected="a timedelta")

# What a field of one value takes; those of tuples are in `_MEMBERS`; titles belong to `titles`.
_FIELDS: Mapping[type, Mapping[str, _Field]] = {
    Workflow: {
        "name": _TEXT,
        "version": _Field(lambda value: type(value) is int, "a whole number"),
        "start": _one(Start, expected="a Start"),
        "recipients": _one(Mapping, expected="a mapping of names to recipients"),
        "mail_context": _maybe(_called_with(2)),
        "link": _TEXT,
        "folder": _maybe(_one(Path, expected="a Path")),
        "operators": _maybe(_one(Permission, expected="a Permission")),
        "restarts_timers": _FLAG,
    },
    Start: {"state": _TEXT, "allow": _one(Permission, expected="a Permission")},
    State: {"name": _TEXT, "final": _FLAG, "wait": _maybe(_one(Wait, expected="a Wait"))},
    Transition: {
        "event": _TEXT,
        "target": _TEXT,
        "allow": _one(Permission, expected="a Permission"),
        "renew_link": _FLAG,
        "resend": _maybe(_one(Resend, expected="a Resend")),
    },
    ExtensionPoint: {"name": _TEXT, "facts": _maybe(_RULE)},
    Resend: {"corrects": _TEXT},
    Timer: {
        "event": _TEXT,
        "after": _maybe(_DELAY),
        "at": _maybe(_RULE),
        "missed": _TEXT,
        "while_paused": _TEXT,
    },
    Wait: {
        "remind": _maybe(_one(Remind, expected="a Remind")),
        "escalate": _maybe(_one(Escalate, expected="an Escalate")),
        "give_up": _maybe(_one(GiveUp, expected="a GiveUp")),
        "forever": _TEXT,
    },
    Effect: {
        "kind": _TEXT,
        "name": _TEXT,
        "to": _TEXT,
        "cc": _TEXT,
        "link": _TEXT,
        "done": _maybe(_TEXT),
        "retry": _one(Retry, expected="a Retry"),
        "figures": _maybe(_RULE),
    },
    Permission: {"name": _TEXT, "holds": _RULE},
    Conflict: {
        "table": _TEXT,
        "columns": _one(tuple, expected="a tuple"),
        "refusal": _one(Refusal, expected="a Refusal"),
    },
    Refusal: {"code": _TEXT, "message": _one(Text, expected='_("…")')},
    Recipient: {"language": _RULE, "address": _called_with(2), "amend": _maybe(_called_with(3))},
    Retry: {
        "first": _DELAY,
        "factor": _Field(lambda value: type(value) in (int, float), "a number"),
        "most": _DELAY,
        "jitter": _Field(lambda value: type(value) in (int, float), "a number"),
        "deadline": _DELAY,
    },
}

_MEMBERS: Mapping[type, Mapping[str, _Field]] = {
    Workflow: {
        "states": _one(State, expected="a State"),
        "transitions": _one(Transition, expected="a Transition"),
        "migrates": _one(Migration, expected="a Migration"),
        "extension_points": _one(ExtensionPoint, expected="an ExtensionPoint"),
    },
    ExtensionPoint: {"events": _TEXT, "targets": _TEXT},
    State: {"timers": _one(Timer, expected="a Timer")},
    Transition: {"sources": _TEXT, "restarts": _TEXT},
    Conflict: {"columns": _TEXT},
}
_WAY: Mapping[str, _Field] = {
    "guards": _RULE,
    "writes": _RULE,
    "effects": _one(Effect, expected="an Effect"),
    "conflicts": _one(Conflict, expected="a Conflict"),
    "keep": _TEXT,
}
_WORDS = {  # how a part is called where it has no name, or before it
    Workflow: "workflow",
    State: "state",
    Transition: "transition",
    Timer: "timer",
    Effect: "effect",
    Permission: "permission",
    ExtensionPoint: "extension point",
}


def check_parts(workflow: Workflow) -> Iterator[Problem]:
    """Values of a wrong type, once for each part that holds them."""
    seen: set[int] = set()
    waiting: list[tuple[Any, Location, str]] = [(workflow, workflow.where, "workflow")]
    while waiting:
        part, where, what = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        kind = _kind(part)
        where = getattr(part, "where", where)
        what = _called(part, what)
        for name, field in _FIELDS.get(kind, {}).items():
            value = getattr(part, name)
            yield from _wrong(where, f'"{name}" of {what}', value, field)
            if _kind(value) in _FIELDS:
                waiting.append((value, where, f"{what}: {name}"))
        members = {**(_WAY if kind in (Start, Transition) else {}), **_MEMBERS.get(kind, {})}
        for name, field in members.items():
            for value in getattr(part, name) if isinstance(getattr(part, name), tuple) else ():
                yield from _wrong(where, f'"{name}" of {what}', value, field, guard=name == "guards")
                if _kind(value) in _FIELDS:
                    waiting.append((value, where, f"{what}: {name}"))
        if kind is Workflow and isinstance(part.recipients, Mapping):
            for role, recipient in part.recipients.items():
                yield from _wrong(where, f"the name of a recipient of {what}", role, _TEXT)
                yield from _wrong(where, f'recipient "{role}" of {what}', recipient, _RECIPIENT)
                if isinstance(recipient, Recipient):
                    waiting.append((recipient, where, f'recipient "{role}"'))


class _Kinds(dict[type, type]):
    """The kind of part that the objects of a class are; `object` for what is no part. A definition has thousands of
    values, and of few classes."""

    def __missing__(self, of: type) -> type:
        known = self[of] = next((kind for kind in _FIELDS if issubclass(of, kind)), object)
        return known


_kinds = _Kinds()


def _kind(part: Any) -> type:
    return _kinds[type(part)]


def _called(part: Any, what: str) -> str:
    word = _WORDS.get(_kind(part))
    name = getattr(part, "event" if isinstance(part, Timer | Transition) else "name", None)
    if isinstance(part, Start):
        return "the start"
    return f'{word} "{name}"' if word is not None and isinstance(name, str) else what


def _wrong(where: Location, what: str, value: Any, field: _Field, *, guard: bool = False) -> Iterator[Problem]:
    if not field.holds(value):
        code = NOT_CALLABLE if field.arguments else WRONG_TYPE
        yield Problem(where, code, f"{what} is {_shown(value)}; expected {field.expected}")
    elif field.arguments and value is not None:
        fault = _call_fault(value, field.arguments)
        if fault is None and guard and isinstance(value, type):
            fault = "is a class, whose call never answers None or a Refusal"
        if fault is not None:
            yield Problem(where, NOT_CALLABLE, f'{what}: "{rule_name(value)}" {fault}')


def _shown(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:60]}…"


def takes(rule: Any, arguments: int) -> bool:
    """Whether a rule is a plain function of so many arguments, as most are. `inspect` knows all others, and takes many
    times as long."""
    if type(rule) is not FunctionType or not _OTHERWISE.isdisjoint(vars(rule)):
        return False
    code = rule.__code__
    needed = code.co_argcount - len(rule.__defaults__ or ())
    return needed <= arguments <= code.co_argcount and not code.co_kwonlyargcount and not code.co_flags & _LATER


def _call_fault(rule: Any, arguments: int) -> str | None:
    """Why a rule cannot be called as the engine calls it; None where it can, or where its signature cannot be read."""
    if takes(rule, arguments):
        return None
    if inspect.iscoroutinefunction(rule) or inspect.isgeneratorfunction(rule) or inspect.isasyncgenfunction(rule):
        return "is asynchronous or a generator; a rule is called inside the transaction and must return at once"
    try:
        signature = inspect.signature(rule)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*[None] * arguments)
    except TypeError as error:
        return f"cannot be called with {arguments} argument{'s' if arguments > 1 else ''}: {error}"
    return None


# --- names and figures ----------------------------------------------------------------------------------------------


def check_spelling(workflow: Workflow) -> Iterator[Problem]:
    """Names that are empty or that the tables cannot hold, reserved events, and secrets among what history keeps; each
    name once."""
    seen: set[tuple[str, str]] = set()
    for where, what, name, most in _names(workflow):
        if (what, name) in seen:
            continue
        seen.add((what, name))
        if not name or name != name.strip() or _UNPRINTABLE.search(name):
            message = f"{what} {name!r} is empty, begins or ends with a space, or holds what cannot be printed"
            yield Problem(where, BAD_NAME, f"{message}; expected a name")
        elif len(name) > most:
            message = f'{what} "{name}" has {len(name)} characters; the tables hold {most}'
            yield Problem(where, "NAME_TOO_LONG", message)
        elif what == "event" and (name in RESERVED_EVENTS or name.startswith(RESERVED_PREFIXES)):
            message = f'event "{name}" is what the engine itself writes into history; give it another name'
            yield Problem(where, "RESERVED_EVENT", message)
    if not 1 <= workflow.version <= _VERSION:
        message = f'workflow "{workflow.name}" has version {workflow.version}; expected one from 1 to {_VERSION}'
        yield Problem(workflow.where, BAD_VERSION, message)
    for part in asked(workflow):
        for name in part.keep:
            if _SECRET_WORDS.intersection(re.split(r"[_\W]+", name.lower())):
                message = f'"keep" names "{name}", which reads like a secret, and history is kept for ever'
                yield Problem(part.where, "SECRET_KEPT", message)


def _names(workflow: Workflow) -> Iterator[tuple[Location, str, str, int]]:
    """Each name: where it is written, what it names, the name, and the most characters that it may have."""
    yield workflow.where, "workflow", workflow.name, _NAME
    for state in workflow.states:
        yield state.where, "state", state.name, _NAME
    for transition in workflow.transitions:
        yield transition.where, "event", transition.event, _NAME
    for state in workflow.states:
        for timer in state.timers:
            yield timer.where, "event", timer.event, _NAME
    for point in workflow.extension_points:
        yield point.where, "extension point", point.name, _NAME
    for effect in workflow.all_effects():
        yield effect.where, "effect", effect.name, _NAME
        yield effect.where, "kind", effect.kind, _KIND
        if effect.done is not None:
            yield effect.where, "event", effect.done, _NAME
        if effect.to:
            yield effect.where, "recipient", effect.to, _NAME
    for way in asked(workflow):
        yield way.where, "permission", way.allow.name, _VERSION


def check_figures(workflow: Workflow) -> Iterator[Problem]:
    """Retries and timers whose durations make no sense, each once where it was written."""
    for effect in {id(effect.retry): effect for effect in reversed(list(workflow.all_effects()))}.values():
        faults = tuple(_retry_faults(effect.retry))
        if faults:
            yield Problem(effect.where, "BAD_RETRY", f'effect "{effect.name}" is retried {"; ".join(faults)}')
    for state in workflow.states:
        for timer in state.timers:
            if timer.after is not None and timer.after > LONGEST:
                message = f'timer "{timer.event}" of state "{state.name}" fires after {timer.after.days} days'
                yield Problem(timer.where, "TIMER_TOO_LONG", f"{message}; expected a hundred years at most")


def _retry_faults(retry: Retry) -> Iterator[str]:
    nothing = timedelta(0)
    if retry.first <= nothing:
        yield f"after first={retry.first}; expected a time longer than none"
    elif retry.most < retry.first:
        yield f"after first={retry.first}, which is longer than most={retry.most}"
    if not (math.isfinite(retry.factor) and retry.factor >= 1):
        yield f"with factor={retry.factor}; expected a number of 1 or more"
    if not 0 <= retry.jitter < 1:
        yield f"with jitter={retry.jitter}; expected a share of the wait, from 0 to less than 1"
    if not nothing < retry.deadline <= LONGEST:
        yield f"with deadline={retry.deadline}; expected a time longer than none and no longer than a hundred years"
    elif retry.most > LONGEST:
        yield f"with most={retry.most}; expected a hundred years at most"
