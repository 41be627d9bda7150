"""Incidents: effects and timers that the engine gave up on, and how an operator settles them (I5).

Due timers are applied before an act, as before any event (I3): an effect that ran out of time is not tried again. Each
act needs a reason and is written into the instance's history with its actor. A reason is kept for ever: it must name no
person. An amended address stays out of history; it is in the records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from engine.definition import Actor, Instance, Retry
from engine.errors import EventNotPossible, UnknownEffect
from engine.operations.reasons import given_reason
from engine.outcomes import copy_of, effect_ref
from engine.runtime import history, links
from engine.runtime.engine import Engine
from engine.store import outbox_reports, outbox_rows
from engine.store.base import Unit, Violation, from_db

_Within = tuple[int, int] | str
"""What of an instance is an incident: seq and position of an effect, or the event of a timer."""
_Decide = Callable[[Unit, Instance, _Within, datetime], None]

_NOT_HERE = "The address of this recipient cannot be amended here."


@dataclass(frozen=True, slots=True)
class Incident:
    """An effect or a timer that waits for an operator. `ref` names it in commands, as in `42.1.0` or `42.expire`.

    `copy` says that it is about the copy (Cc) of a mail alone, as in `42.1.0.cc`; `recipient` is then who gets the
    copy. Whoever else gets the mail has an own state.

    `delivered` says that the effect was delivered, and only its event could not be fired: it is never delivered again.
    """

    ref: str
    instance_id: int
    about: str
    workflow: str
    state: str
    what: str
    recipient: str
    attempts: int
    since: datetime
    error: str
    delivered: bool = False
    copy: bool = False


def incidents(engine: Engine) -> list[Incident]:
    """All open incidents, oldest first: effects that were given up, and timers whose rules are broken. Read-only."""
    with engine.store.reading() as unit:
        effects = outbox_reports.incidents(unit)
        timers = unit.rows(
            "SELECT t.instance_id, t.event, i.subject, i.workflow, i.state, t.failures, t.due_at, t.error "
            "FROM timer t JOIN instance i ON i.id = t.instance_id WHERE t.failures > 0"
        )
    found = [
        Incident(
            effect_ref(*r[:3]), r[0], r[3], r[4], r[5], r[6], r[7], r[8], from_db(r[9]), r[10], bool(r[11]), r[2] < 0
        )
        for r in effects
    ]
    found += [
        Incident(f"{r[0]}.{r[1]}", r[0], r[2], r[3], r[4], f"timer {r[1]}", "", r[5], from_db(r[6]), r[7])
        for r in timers
    ]
    return sorted(found, key=lambda incident: (incident.since, incident.ref))


def retry(engine: Engine, ref: str, actor: Actor, reason: str) -> None:
    """Retry at once, with a deadline that counts from the next try.

    An effect that was delivered is not delivered again: only its event is fired again. Raises UnknownEffect, and
    EventNotPossible where `reason` is empty.
    """
    _act(engine, ref, actor, "incident.retry", reason, _again(engine))


def skip(engine: Engine, ref: str, actor: Actor, reason: str) -> None:
    """Give an effect up for good; the effects behind it in its channel go on. Its `done` event is not fired.

    Raises UnknownEffect, and EventNotPossible for a timer or where `reason` is empty.
    """

    def give_up(unit: Unit, instance: Instance, within: _Within, now: datetime) -> None:
        if isinstance(within, str):
            raise EventNotPossible("A timer cannot be skipped: mend its rule, then retry.")
        outbox_rows.skip(unit, (instance.id, *within))

    _act(engine, ref, actor, "incident.skip", reason, give_up)


def amend(engine: Engine, ref: str, actor: Actor, reason: str, address: str) -> None:
    """Correct the recipient's address in its record, then retry. A mail that carries a link gets a new link.

    Raises EventNotPossible where the workflow does not let this recipient be amended, or where the effect was
    delivered; Refused where a unique index that the workflow declares already holds the address; UnknownEffect.
    """
    again = _again(engine)

    def correct(unit: Unit, instance: Instance, within: _Within, now: datetime) -> None:
        if isinstance(within, str):
            raise EventNotPossible(_NOT_HERE)
        name, to, delivered = outbox_rows.addressed(unit, (instance.id, *within))
        workflow = engine.workflow(instance)
        recipient = workflow.recipients.get(to)
        if recipient is None or recipient.amend is None:
            raise EventNotPossible(_NOT_HERE)
        if delivered:
            raise EventNotPossible("It was delivered: retry fires its event again, skip gives that up.")
        if workflow.effects[name].link and within[1] < 0:
            raise EventNotPossible("This copy carries a link: a new link would kill the one that the addressee has.")
        recipient.amend(instance, unit, address)
        if workflow.effects[name].link:
            # The mail may lie at the wrong address: its link must not work any more.
            engine.renew_link(unit, instance)
            outbox_rows.renew_link(
                unit, (instance.id, *within), instance.generation, engine.recording.draw(links.NONCE)
            )
        again(unit, instance, within, now)

    _act(engine, ref, actor, "incident.amend", reason, correct)


def _again(engine: Engine) -> _Decide:
    def again(unit: Unit, instance: Instance, within: _Within, now: datetime) -> None:
        if isinstance(within, str):
            unit.write(
                "UPDATE timer SET wake_at = due_at, failures = 0, error = '' WHERE instance_id = ? AND event = ?",
                (instance.id, within),
            )
            return
        name = outbox_rows.addressed(unit, (instance.id, *within))[0]
        effect = engine.workflow(instance).effects.get(name)
        retry = effect.retry if effect is not None else Retry()
        outbox_rows.try_again(unit, (instance.id, *within), now, retry)

    return again


def _act(engine: Engine, ref: str, actor: Actor, event: str, reason: str, act: _Decide) -> None:
    reason = given_reason(reason)
    number, within = _parse(ref)
    try:
        with engine.held(number) as held:
            unit, instance, now = held.unit, held.instance, held.now
            if not _is_open(unit, number, within):
                raise UnknownEffect(f"There is no open incident {ref}.")
            before = instance.generation
            act(unit, instance, within, now)
            said: dict[str, object] = {"incident": ref, "reason": reason}
            if instance.generation != before:
                said[history.LINK] = instance.generation
            engine.note(unit, instance, event, actor, said, now)
            held.committed.effects += 1
            held.committed.next_due = now
    except Violation as violation:
        raise engine.refusal_of(violation, number) from violation


def _is_open(unit: Unit, number: int, within: _Within) -> bool:
    if isinstance(within, str):
        broken = "SELECT 1 FROM timer WHERE instance_id = ? AND event = ? AND failures > 0"
        return bool(unit.rows(broken, (number, within)))
    return outbox_rows.is_incident(unit, (number, *within))


def _parse(ref: str) -> tuple[int, _Within]:
    head, _, rest = ref.partition(".")
    numbers = rest.split(".")
    if _is_number(head, 18):
        copy = numbers[2:] == ["cc"]
        if len(numbers) == (3 if copy else 2) and all(_is_number(number, 9) for number in numbers[:2]):
            return int(head), (int(numbers[0]), copy_of(int(numbers[1])) if copy else int(numbers[1]))
        if rest.isidentifier():
            return int(head), rest
    raise UnknownEffect(
        f"There is no incident {ref!r}: expected a name from the list, as in 42.1.0, 42.1.0.cc or 42.expire."
    )


def _is_number(text: str, digits: int) -> bool:
    """Whether the text is a number of at most `digits` digits, so that the tables can hold it."""
    return text.isascii() and text.isdecimal() and len(text) <= digits
