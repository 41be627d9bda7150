"""Validation of what rules answer.

A rule is a function of a definition's author, and Python lets it return anything. Each answer is validated where it
comes in: a wrong one raises a `RuleError` that names the workflow, the state, the rule and the line of the definition
that asks the rule. An exception that a rule raises is passed on unchanged, with a note that names the same.

In an event, a wrong answer is an error of the server, and the transaction is rolled back. In a timer, it becomes an
incident of that timer; in a delivery, an incident of that effect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from engine.definition import (
    Address,
    Attempt,
    Effect,
    Guard,
    Instance,
    Location,
    Nobody,
    Permission,
    Recipient,
    Records,
    Refusal,
    SiteAddress,
    Start,
    Timer,
    Transition,
    Workflow,
)
from engine.errors import EngineError, RuleError
from engine.rules import rule_name, written_function
from engine.runtime.request_keys import without_secrets
from engine.text import Text

_LONGEST_LANGUAGE = 8  # characters that the outbox has for one
_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode


def wrong(instance: Instance, rule: object, where: Location, fault: str) -> RuleError:
    """The error for a rule that is asked at `where` of a definition; it names `instance` as it is at that moment."""
    return RuleError(
        fault,
        workflow=instance.workflow,
        version=instance.version,
        state=instance.state,
        rule=rule_name(rule),
        where=where,
    )


def note(error: BaseException, instance: Instance, rule: object, where: Location) -> None:
    """Add a note to an error that a rule raised: which rule, and where it is asked. Idempotent. An EngineError names
    both already, and gets no note.

    Raises RuleError for a SystemExit, as of something that the rule calls and that is meant for a command: a rule ends
    its own attempt and never the process.
    """
    if isinstance(error, SystemExit):
        raise wrong(instance, rule, where, f"it raised SystemExit: {error}") from error
    if isinstance(error, EngineError):
        return
    asked_in = f"state {instance.state!r}" if instance.state else "the start"
    said = (
        f"raised by {rule_name(rule)}, workflow {instance.workflow!r} version {instance.version}, {asked_in} "
        f"(written at {where})"
    )
    if said not in getattr(error, "__notes__", ()):
        error.add_note(said)


def permission(allow: Permission, where: Location | None, attempt: Attempt, answer: object) -> bool:
    """A permission's answer, validated: whether the actor has the permission. Raises RuleError.

    `where` is None where no definition asks the permission; the error then names the line where its function is
    written.
    """
    if answer is True or answer is False:
        return answer
    fault = f"the permission {allow.name!r} answered {_shown(answer)}; expected True or False"
    raise wrong(attempt.instance, allow.holds, where or _location_of(allow.holds), fault)


def _location_of(rule: object) -> Location:
    code = getattr(written_function(rule), "__code__", None)
    return Location(code.co_filename, code.co_firstlineno) if code is not None else Location("?", 0)


def refusal(way: Start | Transition, guard: Guard, attempt: Attempt, answer: object) -> Refusal:
    """A guard's answer other than None, validated: a Refusal whose text can be shown. Raises RuleError."""

    def fail(fault: str) -> NoReturn:
        raise wrong(attempt.instance, guard, way.where, f"the guard answered {fault}")

    if not isinstance(answer, Refusal):
        fail(f"{_shown(answer)}; expected None or a Refusal")
    if not isinstance(answer.code, str) or not (answer.field is None or isinstance(answer.field, str)):
        fail(f"a Refusal with code {_shown(answer.code)} and field {_shown(answer.field)}; expected texts")
    if not isinstance(answer.message, Text):
        fail(f"the Refusal {answer.code!r} with message {_shown(answer.message)}; expected a Text, as _() makes it")
    try:
        hash(answer)
        str(answer.message)
    except Exception as error:
        fail(f"the Refusal {answer.code!r} with a message that cannot be shown: {_said(error)}")
    return answer


def due(timer: Timer, attempt: Attempt) -> datetime:
    """When a timer of the state that `attempt` has entered is due: aware, in UTC, and never before `attempt.at`. Raises
    RuleError, and what the timer's rule raises."""
    rule = timer.at
    if rule is None:
        return timer.due(attempt)
    try:
        answer = rule(attempt)
    except (Exception, SystemExit) as error:
        note(error, attempt.instance, rule, timer.where)
        raise
    fault = ""
    if not isinstance(answer, datetime):
        fault = _shown(answer)
    elif answer.utcoffset() is None:
        fault = f"the naive time {answer.isoformat(' ')}"
    else:
        try:
            return max(answer.astimezone(UTC), attempt.at)
        except OverflowError:
            fault = f"the time {answer.isoformat(' ')}, which UTC does not reach"
    fault = f"the rule of timer {timer.event!r} answered {fault}; expected an aware datetime"
    raise wrong(attempt.instance, rule, timer.where, fault)


def figures(effect: Effect, attempt: Attempt) -> str:
    """The figures that an effect freezes, as canonical JSON without secrets (I11). Raises RuleError, and what the
    effect's rule raises."""
    rule = effect.figures
    if rule is None:
        return "{}"
    try:
        answer = rule(attempt)
    except (Exception, SystemExit) as error:
        note(error, attempt.instance, rule, effect.where)
        raise
    if not isinstance(answer, Mapping):
        fault = f"{_shown(answer)}; expected a mapping"
    else:
        try:
            text = _canonical(without_secrets(answer, _text_of))
            text.encode()
        except (TypeError, ValueError, RecursionError) as error:
            fault = f"what JSON cannot say: {_said(error)}"
        else:
            return text
    fault = f"the figures of effect {effect.name!r} answered {fault}"
    raise wrong(attempt.instance, rule, effect.where, fault)


def _text_of(value: object) -> str:
    """A value that JSON does not know, as text. Raises TypeError where the text would only name an address in
    memory."""
    if callable(value) or (type(value).__str__ is object.__str__ and type(value).__repr__ is object.__repr__):
        raise TypeError(f"{type(value).__name__} is no figure")
    return str(value)


def language(effect: Effect, recipient: Recipient, attempt: Attempt) -> str:
    """The language in which a mail is written, as a code of at most 8 characters. Raises RuleError, and what the
    recipient's rule raises."""
    try:
        answer = recipient.language(attempt)
    except (Exception, SystemExit) as error:
        note(error, attempt.instance, recipient.language, effect.where)
        raise
    if isinstance(answer, str) and len(answer) <= _LONGEST_LANGUAGE:
        return answer
    fault = f"the language of recipient {effect.to!r} answered {_shown(answer)}; expected a code such as 'ja'"
    raise wrong(attempt.instance, recipient.language, effect.where, fault)


def address(
    workflow: Workflow, effect: Effect, role: str, instance: Instance, records: Records
) -> Address | SiteAddress | Nobody | None:
    """The address of the recipient `role`, to whom a mail of `effect` goes. Raises RuleError, and what the recipient's
    rule raises."""
    rule = workflow.recipients[role].address
    try:
        answer = rule(instance, records)
    except SystemExit as error:
        note(error, instance, rule, effect.where)
        raise
    if answer is None or isinstance(answer, SiteAddress | Nobody):
        return answer
    if isinstance(answer, Address) and isinstance(answer.email, str) and isinstance(answer.language, str):
        return answer
    fault = f"the address of recipient {role!r} answered {_shown(answer)}; expected an Address, NOBODY or None"
    raise wrong(instance, rule, effect.where, fault)


def message_id(key: str, sender: str) -> str:
    """The Message-ID (RFC 5322 §3.6.4) of the mail with this idempotency key, without angle brackets."""
    return f"{key}@{sender.rpartition('@')[2].rstrip('>')}"


def context(workflow: Workflow, instance: Instance, records: Records) -> dict[str, Any]:
    """The context with which a workflow's mail templates are rendered. Raises RuleError, and what the rule raises."""
    rule = workflow.mail_context
    if rule is None:
        return {}
    try:
        answer = rule(instance, records)
    except SystemExit as error:
        note(error, instance, rule, workflow.where)
        raise
    if not isinstance(answer, Mapping):
        fault = f"the context of its mails answered {_shown(answer)}; expected a mapping"
        raise wrong(instance, rule, workflow.where, fault)
    return dict(answer)


def _shown(answer: object) -> str:
    """An answer as a log may hold it: a text or a compound value by its type only, because it may be personal data."""
    plain = answer is None or isinstance(answer, bool | int | float | type)
    return repr(answer) if plain else f"a {type(answer).__name__}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
