"""Calls of payment methods by pages: a method that raises, hangs or answers nonsense breaks no page.

Errors are logged with the method's name, and answered as "not now" in the terms of each question; `guarded` gives each
call a time limit. Effects need only `report_of` and `outcome`: an exception there is a try that is made again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, get_args

from engine.definition import Refusal, Secret
from engine.errors import EngineError
from engine.plugins.breakers import NotNow, TooSlow
from engine.text import Text, _
from workflows.ports import pictures
from workflows.ports.guarded import GuardedMethod
from workflows.ports.payments import (
    Active,
    Awaited,
    Begun,
    Details,
    Document,
    Event,
    Extending,
    Failure,
    Field,
    Form,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    PaymentMethod,
    Pending,
    Question,
    Redirect,
    Rejected,
    Report,
    Status,
)
from workflows.typesetting.manuscript import Manuscript

BROKEN = _("このお支払い方法は、ただいまご利用いただけません。時間をおいて、もう一度お試しください。")

_LONGEST_LABEL, _LONGEST_REFERENCE = 200, 255  # as Mandate.label and .reference
_MOST_YEN = 10**12
_LONGEST_VALUE, _MOST_CHOICES, _MOST_FACTS = 200, 20, 20
_LONGEST_NUMBER = 64  # as AwaitedPayment.number

log = logging.getLogger("tetsuzuki.payment")


class MethodBroken(EngineError):
    """This payment method cannot be used right now. Please try again later."""

    status = 503


def availability(method: PaymentMethod, context: PaymentContext) -> NotAvailable | None:
    """Why the method cannot be chosen; None where it can."""
    try:
        answer: Any = method.is_available(context)
        if answer is None or (isinstance(answer, NotAvailable) and isinstance(answer.reason, Text)):
            return answer
        _wrong(method, "is_available", answer)
    except Exception as error:
        _raised(method, "is_available", error)
    return NotAvailable(BROKEN)


def form_of(method: PaymentMethod, context: PaymentContext) -> Form:
    """The method's form. Raises MethodBroken where the method does not answer one."""
    try:
        answer: Any = method.form(context)
        if isinstance(answer, Form) and _can_be_shown(answer):
            return answer
        _wrong(method, "form", answer)
    except Exception as error:
        _raised(method, "form", error)
    raise MethodBroken


def checked(method: PaymentMethod, context: PaymentContext, typed: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
    """The typed details, validated; or every refusal, at least one."""
    try:
        answer: Any = method.validate(context, typed)
        if isinstance(answer, Details) and isinstance(answer.label, str) and isinstance(answer.secret, str):
            label, facts = _kept(answer.label, _LONGEST_LABEL), answer.facts[:_MOST_FACTS]
            return Details(label, Secret(answer.secret), tuple((what, _kept(it, _LONGEST_LABEL)) for what, it in facts))
        if isinstance(answer, tuple) and answer and all(isinstance(one, Refusal) for one in answer):
            return tuple(_asked(one) if isinstance(one, Question) else one for one in answer)
        _wrong(method, "validate", answer)
    except Exception as error:
        _raised(method, "validate", error)
    return (Refusal("method_broken", BROKEN),)


def _can_be_shown(form: Form) -> bool:
    fields = all(isinstance(one, Field) and one.name.isidentifier() for one in form.fields)
    return fields and all(re.fullmatch("[a-z0-9_]{0,32}", name) for name, _title in form.variants)


def _asked(question: Question) -> Question:
    """A question with only those choices that a page can offer. Raises where it is malformed."""
    offered = tuple(one for one in question.choices if one.value and one.value == _kept(one.value, _LONGEST_VALUE))
    return replace(question, choices=offered[:_MOST_CHOICES])


def begun(
    method: PaymentMethod, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str
) -> Begun | None:
    """The result of beginning; None where it is unknown, and the call may be repeated under the same `key`."""
    try:
        return outcome(method.begin(context, mandate, data, key))
    except Exception as error:
        _raised(method, "begin", error)
    return None


def pdf_of(method: PaymentMethod, document: Document) -> bytes:
    """The bytes of a document. Raises MethodBroken where they cannot be made."""
    if isinstance(document.pdf, bytes):
        return document.pdf
    try:
        return document.pdf.pdf()
    except Exception as error:
        _raised(method, "begin", error)
    raise MethodBroken


def hint(method: PaymentMethod, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
    """The hint for a customer who comes back from the provider's page; None where there is none."""
    try:
        answer: Any = method.handle_return(context, arguments)
        if answer is None or isinstance(answer, Text):
            return answer
        _wrong(method, "handle_return", answer)
    except Exception as error:
        _raised(method, "handle_return", error)
    return None


def verified(method: PaymentMethod, raw: bytes, headers: Mapping[str, str]) -> Event | None:
    """A provider's event; None where it is not genuine.

    Raises MethodBroken where the method cannot tell: the provider is then to send the event again.
    """
    try:
        event: Any = method.verify_event(raw, headers)
        if event is None:
            return None
        if isinstance(event, Event) and isinstance(event.id, str) and isinstance(event.kind, str):
            return event
        _wrong(method, "verify_event", event)
    except Exception as error:
        _raised(method, "verify_event", error)
    raise MethodBroken


def told(method: PaymentMethod, event: Event) -> Report | None:
    """What a verified event says; None where it concerns no request. Raises MethodBroken where the method cannot
    tell."""
    try:
        answer = method.handle_event(event)
        return None if answer is None else report_of(answer)
    except Exception as error:
        _raised(method, "handle_event", error)
    raise MethodBroken


def queried(method: PaymentMethod, context: PaymentContext, mandate: MandateFacts) -> Report:
    """How a mandate stands at the provider. Raises MethodBroken where the method cannot tell."""
    try:
        return report_of(method.query(context, mandate))
    except Exception as error:
        _raised(method, "query", error)
    raise MethodBroken


def outcome(answer: object) -> Begun:
    """The validated answer of `begin`. Raises TypeError where it is malformed."""
    match answer:
        case Redirect(str() as url, str() as reference) if url and len(reference) <= _LONGEST_REFERENCE:
            return answer
        case Document(bytes() | Manuscript(), tuple(), timedelta(), tuple() as letters) if _are_texts(letters):
            return answer
        case Active(str(), str()) | Pending(timedelta()) | Rejected(str()):
            return answer
        case Awaited() if not _wrong_awaited(answer):
            return answer
        case Awaited():
            raise TypeError(f"begin answered an Awaited whose {_wrong_awaited(answer)}")
    raise TypeError(f"begin answered {type(answer).__name__}, or one with a field that cannot be used")


def extended(
    method: Extending, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str
) -> Awaited | None:
    """The number with its new due time; None where it was not put off, or may have been: the call may be repeated under
    the same `key`."""
    try:
        answer = outcome(method.extend(context, mandate, data, key))
        if isinstance(answer, Awaited):
            return answer
        log.info("payment method %s: extend answered %s", _name(method), type(answer).__name__)
    except Exception as error:
        _raised(method, "extend", error)
    return None


def _wrong_awaited(given: Awaited) -> str:
    """What cannot be used of a number that a method gives, and why; "" where all of it can."""
    texts = (given.number, given.reference, given.label)
    if not all(isinstance(one, str) for one in texts):
        return "number, reference and label must be texts"
    if not 0 < len(given.number) <= _LONGEST_NUMBER or not given.number.isprintable():
        return f"number must be one line of 1 to {_LONGEST_NUMBER} characters"
    if len(given.reference) > _LONGEST_REFERENCE:
        return f"reference is longer than {_LONGEST_REFERENCE} characters"
    if not isinstance(given.due, datetime) or given.due.tzinfo is None:
        return "due must be an aware datetime"
    if not isinstance(given.number_title, Text) or not _are_steps(given.instructions):
        return f"number_title and instructions, {_MOST_FACTS} at most, must be Texts"
    if not _are_facts(given.facts):
        return f"facts must be pairs of a Text and a text, {_MOST_FACTS} at most"
    return pictures.wrong_picture(given.picture) if given.picture is not None else ""


def _are_steps(given: object) -> bool:
    return isinstance(given, tuple) and len(given) <= _MOST_FACTS and all(isinstance(one, Text) for one in given)


def _are_facts(given: object) -> bool:
    if not isinstance(given, tuple) or len(given) > _MOST_FACTS:
        return False
    return all(
        isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], Text) and isinstance(one[1], str)
        for one in given
    )


def _are_texts(given: tuple[object, ...]) -> bool:
    return all(isinstance(one, str) for one in given)


def report_of(answer: object) -> Report:
    """The validated report of a method. Raises TypeError where it is malformed."""
    match answer:
        case Report(status, int(), str(), str(), str()) if status in get_args(Status) and _says_how_much(answer):
            if answer.failure in get_args(Failure):
                return answer
    raise TypeError(f"the payment method reported {type(answer).__name__}, or one with a field that cannot be used")


def _says_how_much(report: Report) -> bool:
    """Whether amount and time are such as the site can keep: `partly_paid` without an amount says nothing."""
    amount, least = report.amount, 1 if report.status == "partly_paid" else 0
    if type(amount) is not int or not least <= amount <= _MOST_YEN:
        return False
    at = report.occurred_at
    return at is None or (isinstance(at, datetime) and at.utcoffset() is not None)


def _kept(text: str, most: int) -> str:
    return text.replace("\0", "")[:most]


def _name(method: object) -> str:
    method = method.plugin if isinstance(method, GuardedMethod) else method
    return f"{type(method).__module__}.{type(method).__qualname__}"


def _raised(method: object, what: str, error: Exception) -> None:
    if isinstance(error, NotNow | TooSlow):
        log.warning("%s: %s", what, error)
    else:
        log.exception("payment method %s: %s raised", _name(method), what)


def _wrong(method: object, what: str, answer: object) -> None:
    log.error("payment method %s: %s answered %s, which cannot be used", _name(method), what, type(answer).__name__)
