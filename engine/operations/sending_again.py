"""Sending a mail again that its procedure is done with: an act of an operator in one commit, with an entry of history.

The mail is rendered anew with the language and the figures that were frozen for it, and goes to one recipient, under a
new Message-ID: a mailbox that threw the first one away as a duplicate takes it. It fires no event, because the first
one has. A mail with a link gets a new link, and the old one is dead; deadlines run on. What still waits is not sent
again. An incident is settled by `engine.operations.incidents`. A procedure that has a `Resend` for the mail sends it by
that event alone, whose limits count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from engine.definition import SYSTEM_ACTOR, Actor, Attempt, Effect, Instance, Workflow
from engine.errors import EventNotPossible, StaleForm, UnknownEffect
from engine.operations.reasons import given_reason
from engine.runtime import history
from engine.runtime.engine import Engine
from engine.runtime.exits import exits
from engine.runtime.held import Held
from engine.runtime.resends import CORRECTED
from engine.runtime.sent_again import AGAIN_EVENT
from engine.store import outbox_rows
from engine.store.base import Unit, Violation

Hindrance = Literal["waits", "incident", "procedure", "no_use", "unknown"]
"""Why a mail cannot be sent again: it still waits; it is an incident; its procedure sends it again by an event of its
own; its link would lead nowhere any more; its definition is not loaded or does not know it."""

_BECAUSE: dict[Hindrance, str] = {
    "waits": "it still waits to be delivered.",
    "incident": "it is an incident: retry or amend that.",
    "procedure": "its procedure has an event that sends it again.",
    "no_use": "its link would lead nowhere any more.",
    "unknown": "no definition that is loaded knows it.",
}


@dataclass(frozen=True, slots=True)
class Way:
    """Whether a mail can be sent again to a recipient: `hindrance` says why not, "" where it can.

    `renews` says that it brings a new link, `corrects` that the recipient's address may be corrected on the way.
    `event` is the event of the procedure that sends it again, where that is the hindrance. `seen` is the number of the
    last entry of history.
    """

    hindrance: Hindrance | Literal[""]
    renews: bool = False
    corrects: bool = False
    event: str = ""
    seen: int = 0


def way_of(
    instance: Instance, workflow: Workflow | None, effect_name: str, role: str, waits: bool, incident: bool
) -> Way:
    """Whether a mail of this instance, as it is now, can be sent again to `role`; no query.

    `workflow` is None where the definition of its version is not loaded. `waits` and `incident` say what became of the
    mail for `role`.
    """
    effect = workflow.effects.get(effect_name) if workflow is not None else None
    if workflow is None or effect is None or role not in workflow.recipients:
        return Way("unknown", seen=instance.seq)
    if incident:
        return Way("incident", seen=instance.seq)
    event = _own_event(workflow, instance.state, effect_name)
    if event:
        return Way("procedure", event=event, seen=instance.seq)
    if waits:
        return Way("waits", seen=instance.seq)
    # A copy alone brings no link: a new one would kill the link of the addressee.
    if effect.link and (effect.link not in exits(workflow, instance.state).roles or role != effect.to):
        return Way("no_use", seen=instance.seq)
    renews = bool(effect.link)
    corrects = renews and workflow.recipients[role].amend is not None
    return Way("", renews, corrects, seen=instance.seq)


def _own_event(workflow: Workflow, state: str, effect_name: str) -> str:
    """The event out of a state by which the procedure itself sends this mail again; "" where it has none."""
    for way in workflow.transitions:
        if state in way.sources and way.resend is not None and effect_name in {one.name for one in way.effects}:
            return way.event
    return ""


def send_again(engine: Engine, ref: str, role: str, actor: Actor, reason: str, *, seen: int, address: str = "") -> None:
    """Send the mail `ref`, as in `42.1.0`, again to its recipient `role`.

    `seen` is the number of the last entry of history that the operator saw: of two who press, or of a double click, the
    second gets StaleForm. `address` corrects the recipient's address before, in the same commit; empty leaves it.
    Raises UnknownEffect; EventNotPossible where `way_of` names a hindrance, the address cannot be corrected, or
    `reason` is empty; Refused where an index that the workflow declares holds the address; Forbidden, UnknownInstance.
    """
    reason = given_reason(reason)
    number, seq, position = _parse(ref)
    try:
        with engine.held(number) as held:
            engine.operators.require(held.unit, held.instance, actor, AGAIN_EVENT, held.now)
            if held.instance.seq != seen:
                raise StaleForm
            row = outbox_rows.written(held.unit, (number, seq, position))
            if row is None:
                raise UnknownEffect(f"There is no mail {ref}.")
            name, language, figures = row
            way = _way_now(engine, held, name, role)
            if way.hindrance:
                raise EventNotPossible(f"The mail {ref} cannot be sent again: {_BECAUSE[way.hindrance]}")
            said: dict[str, object] = {"mail": name, "to": role, "again": ref, "reason": reason}
            _put(engine, held, _Letter(name, role, language, json.loads(figures)), actor, said, address, way)
    except Violation as violation:
        raise engine.refusal_of(violation, number) from violation


@dataclass(frozen=True, slots=True)
class _Letter:
    name: str
    role: str
    language: str
    figures: dict[str, Any]


def _way_now(engine: Engine, held: Held, name: str, role: str) -> Way:
    states = outbox_rows.open_states(held.unit, held.instance.id, name, role)
    workflow = engine.workflow(held.instance)
    return way_of(held.instance, workflow, name, role, bool(states), "incident" in states)


def _put(
    engine: Engine, held: Held, letter: _Letter, actor: Actor, said: dict[str, object], address: str, way: Way
) -> None:
    unit, instance = held.unit, held.instance
    workflow = engine.workflow(instance)
    effect = workflow.effects[letter.name]
    if address:
        _correct(workflow, letter.role, instance, unit, address, way)
        said[CORRECTED] = letter.role
    if effect.link:
        engine.renew_link(unit, instance)
        said[history.LINK] = instance.generation
    engine.recording.note(held, AGAIN_EVENT, actor, said)
    workflow, alone = _as_before(workflow, effect, letter)
    attempt = Attempt(
        instance, AGAIN_EVENT, SYSTEM_ACTOR, None, held.now, held.now, unit, services=engine.definitions.services
    )
    engine.recording.put_effects(held, workflow, attempt, (alone,))
    if effect.cc:
        outbox_rows.address_alone(unit, (instance.id, instance.seq, 0), letter.role == effect.to, effect.cc)
    held.committed.next_due = held.now


def _correct(workflow: Workflow, role: str, instance: Instance, unit: Unit, address: str, way: Way) -> None:
    amend = workflow.recipients[role].amend
    if amend is None or not way.corrects:
        raise EventNotPossible("The address of this recipient cannot be corrected here.")
    amend(instance, unit, address)


def _as_before(workflow: Workflow, effect: Effect, letter: _Letter) -> tuple[Workflow, Effect]:
    """The effect with the language and the figures that were frozen: its rules may need data that only its event
    had."""
    recipients = dict(workflow.recipients)
    recipients[effect.to] = replace(recipients[effect.to], language=lambda attempt: letter.language)
    return replace(workflow, recipients=recipients), replace(effect, figures=lambda attempt: letter.figures)


def _parse(ref: str) -> tuple[int, int, int]:
    parts = ref.split(".")
    numbers = all(part.isascii() and part.isdecimal() for part in parts)
    if numbers and len(parts) == 3 and len(parts[0]) <= 18 and max(map(len, parts[1:])) <= 9:
        return int(parts[0]), int(parts[1]), int(parts[2])
    raise UnknownEffect(f"There is no mail {ref!r}: expected a name as in 42.1.0.")
