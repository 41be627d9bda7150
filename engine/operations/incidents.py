"""Incidents: effects and timers that the engine gave up on, and how an operator settles them (I5).

Due timers are applied before an act, as before any event (I3): an effect that ran out of time is not tried again. Each
act needs a reason and is written into the instance's history with its actor. A reason is kept for ever: it must name no
person. An amended address stays out of history; it is in the records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.definition import Actor, Instance, Retry, Workflow
from engine.errors import EventNotPossible, UnknownEffect
from engine.operations.reasons import given_reason
from engine.outcomes import copy_of, effect_ref
from engine.runtime import history, links
from engine.runtime.engine import Engine
from engine.store import incident_rows, outbox_rows
from engine.store.base import LARGEST, Row, Unit, Violation, from_db
from engine.store.incident_rows import ALL as ALL
from engine.store.incident_rows import TIMER as TIMER
from engine.store.incident_rows import Criteria as Criteria

Within = tuple[int, int] | str
"""What of an instance is an incident: seq and position of an effect, or the event of a timer."""
Decide = Callable[[Unit, Instance, Within, datetime], None]
"""What settles one incident of a locked instance, at this moment."""

_MOST_ERRORS, _LONGEST_REASON = 1000, 64
_FEW = 500  # incidents that are newer than those that are asked for; more of them are not counted
RETRY_EVENT, SKIP_EVENT, AMEND_EVENT = "incident.retry", "incident.skip", "incident.amend"
_NOT_HERE = (
    "The address of this recipient cannot be amended here: correct it where it stands, as by an import, then retry."
)


@dataclass(frozen=True, slots=True)
class Incident:
    """An effect or a timer that waits for an operator. `ref` names it in commands, as in `42.1.0` or `42.expire`.

    `copy` says that it is about the copy (Cc) of a mail alone, as in `42.1.0.cc`; `recipient` is then who gets the
    copy. Whoever else gets the mail has an own state.

    `delivered` says that the effect was delivered, and only its event could not be fired: it is never delivered again.

    `kind` is that of the effect, `timer` for a timer. `reason` is the code with which `error` begins, `host` the mail
    host of the recipient, and `answer` what the other side said last, word for word; each empty where nobody knows it.
    `version` is that of the workflow; `language` and `figures` (JSON) are what was frozen for a mail's text.
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
    kind: str = TIMER
    reason: str = ""
    host: str = ""
    answer: str = ""
    version: int = 1
    language: str = ""
    figures: str = "{}"


def incidents(
    engine: Engine, criteria: Criteria = ALL, most: int = LARGEST, skip: int = 0, total: int | None = None
) -> list[Incident]:
    """The open incidents that meet the criteria, oldest first: effects that were given up, and timers whose rules are
    broken. At most `most` of them, after the first `skip`. `total` says how many there are, where that is known as of
    the same moment (`Engine.at_one_moment`): a page near the end then costs no more than one near the beginning.
    Read-only."""
    with engine.store.reading() as unit:
        return [_incident(row) for row in incident_rows.listed(unit, criteria, most, skip, total)]


@dataclass(frozen=True, slots=True)
class Figure:
    """How many open incidents have one channel and one reason: for a choice of criteria."""

    channel: str
    reason: str
    count: int

    def is_of(self, criteria: Criteria) -> bool:
        """Whether what it counts has the channel and the reason of the criteria, as far as they are given."""
        channels = "", self.channel, self.channel.partition(":")[0]
        return criteria.channel in channels and criteria.reason in ("", self.reason)


def count(engine: Engine, criteria: Criteria = ALL, told: Sequence[Figure] = ()) -> int:
    """How many open incidents meet the criteria. Of what `told` says, the figures of the same moment
    (`Engine.at_one_moment`), nothing is counted again: old ones are then counted by those that are newer, which are the
    fewer nearly always. Read-only."""
    with engine.store.reading() as unit:
        alike = Criteria(channel=criteria.channel, reason=criteria.reason)
        if told and criteria == replace(alike, before=criteria.before):
            total = sum(one.count for one in told if one.is_of(alike))
            if criteria.before is None:
                return total
            newer = incident_rows.count_few(unit, replace(alike, after=criteria.before), _FEW)
            if newer < _FEW:
                return total - newer
        return incident_rows.count(unit, criteria)


def incident(engine: Engine, ref: str) -> Incident | None:
    """The open incident of this name; None where there is none. Read-only."""
    try:
        number, within = parse(ref)
    except UnknownEffect:
        return None
    with engine.store.reading() as unit:
        row = incident_rows.one(unit, number, within)
    return _incident(row) if row is not None else None


def refs_of(engine: Engine, instance_id: int, most: int) -> list[str]:
    """The references of the incidents among an instance's effects, the first written first, at most `most`."""
    with engine.store.reading() as unit:
        return [effect_ref(instance_id, *row) for row in incident_rows.of_instance(unit, instance_id, most)]


def figures(engine: Engine) -> list[Figure]:
    """How many incidents there are of each channel and reason, by name. Read-only."""
    with engine.store.reading() as unit:
        effects, timers = incident_rows.by_channel(unit), incident_rows.timer_errors(unit, _MOST_ERRORS)
    found = [Figure(f"{kind}:{to}" if to else kind, reason, number) for kind, to, reason, number in effects]
    broken = Counter[str]()
    for error, number in timers:
        broken[_reason_of_timer(error)] += number
    return found + [Figure(TIMER, reason, number) for reason, number in sorted(broken.items())]


def _reason_of_timer(error: str) -> str:
    return error.partition(":")[0][:_LONGEST_REASON]


def _incident(row: Row) -> Incident:
    number, seq, position, event, due, about, workflow, version, state = row[:9]
    if event:
        return Incident(
            f"{number}.{event}",
            number,
            about,
            workflow,
            state,
            f"timer {event}",
            "",
            row[18],
            from_db(due),
            row[19],
            reason=_reason_of_timer(row[19]),
            version=version,
        )
    return Incident(
        effect_ref(number, seq, position),
        number,
        about,
        workflow,
        state,
        row[10],
        row[11],
        row[12],
        from_db(due),
        row[13],
        bool(row[14]),
        position < 0,
        row[9],
        row[15],
        row[16],
        row[17],
        version,
        row[20],
        row[21],
    )


def retry(engine: Engine, ref: str, actor: Actor, reason: str) -> None:
    """Retry at once, with a deadline that counts from the next try.

    An effect that was delivered is not delivered again: only its event is fired again. Raises UnknownEffect, and
    EventNotPossible where `reason` is empty.
    """
    _act(engine, ref, actor, RETRY_EVENT, reason, retrying(engine))


def skip(engine: Engine, ref: str, actor: Actor, reason: str) -> None:
    """Give an effect up for good; the effects behind it in its channel go on. Its `done` event is not fired.

    Raises UnknownEffect, and EventNotPossible for a timer or where `reason` is empty.
    """
    _act(engine, ref, actor, SKIP_EVENT, reason, skipping)


def amend(engine: Engine, ref: str, actor: Actor, reason: str, address: str) -> None:
    """Correct the recipient's address in its record, then retry. A mail that carries a link gets a new link.

    Raises EventNotPossible where the workflow does not let this recipient be amended, or where the effect was
    delivered; Refused where a unique index that the workflow declares already holds the address; UnknownEffect.
    """
    _act(engine, ref, actor, AMEND_EVENT, reason, amending(engine, lambda workflow, to, instance, unit: address))


NewAddress = Callable[[Workflow, str, Instance, Unit], str]
"""The correct address of the recipient of this name; empty where the records have it already."""


Addressed = Callable[[Unit, outbox_rows.EffectId], Row]
"""Reads the (name, recipient, delivered) of an effect, as `outbox_rows.addressed` does."""


def retrying(engine: Engine, addressed: Addressed = outbox_rows.addressed) -> Decide:
    """What retries one incident."""

    def again(unit: Unit, instance: Instance, within: Within, now: datetime) -> None:
        if isinstance(within, str):
            unit.write(
                "UPDATE timer SET wake_at = due_at, failures = 0, error = '' WHERE instance_id = ? AND event = ?",
                (instance.id, within),
            )
            return
        name = addressed(unit, (instance.id, *within))[0]
        effect = engine.workflow(instance).effects.get(name)
        retry = effect.retry if effect is not None else Retry()
        outbox_rows.try_again(unit, (instance.id, *within), now, retry)

    return again


def skipping(unit: Unit, instance: Instance, within: Within, now: datetime) -> None:
    """Skip one incident. Raises EventNotPossible for a timer."""
    if isinstance(within, str):
        raise EventNotPossible("A timer cannot be skipped: mend its rule, then retry.")
    outbox_rows.skip(unit, (instance.id, *within))


def amending(engine: Engine, address_of: NewAddress, addressed: Addressed = outbox_rows.addressed) -> Decide:
    """What corrects the address of one incident and retries it."""
    again = retrying(engine, addressed)

    def correct(unit: Unit, instance: Instance, within: Within, now: datetime) -> None:
        if isinstance(within, str):
            raise EventNotPossible(_NOT_HERE)
        name, to, delivered = addressed(unit, (instance.id, *within))
        workflow = engine.workflow(instance)
        recipient = workflow.recipients.get(to)
        if recipient is None or recipient.amend is None:
            raise EventNotPossible(_NOT_HERE)
        if delivered:
            raise EventNotPossible("It was delivered: retry fires its event again, skip gives that up.")
        if workflow.effects[name].link and within[1] < 0:
            raise EventNotPossible("This copy carries a link: a new link would kill the one that the addressee has.")
        address = address_of(workflow, to, instance, unit)
        if address:
            recipient.amend(instance, unit, address)
            if workflow.effects[name].link:
                # The mail may lie at the wrong address: its link must not work any more.
                engine.renew_link(unit, instance)
                outbox_rows.renew_link(
                    unit, (instance.id, *within), instance.generation, engine.recording.draw(links.NONCE)
                )
        again(unit, instance, within, now)

    return correct


def _act(engine: Engine, ref: str, actor: Actor, event: str, reason: str, act: Decide) -> None:
    reason = given_reason(reason)
    number, within = parse(ref)

    def on_an_incident(unit: Unit, instance: Instance, within: Within, now: datetime) -> None:
        if not unit.rows(*incident_rows.since(number, within)):
            raise UnknownEffect(f"There is no open incident {ref}.")
        act(unit, instance, within, now)

    decide(engine, number, within, actor, event, {"incident": ref, "reason": reason}, on_an_incident)


def decide(
    engine: Engine,
    number: int,
    within: Within,
    actor: Actor,
    event: str,
    said: Mapping[str, Any],
    act: Decide,
    *,
    flushes: bool = True,
) -> None:
    """Settle one incident in a commit of its own: `act` does it, and `said` goes into history, under `event`. `flushes`
    is that of `Store.begin`.

    Raises what `act` raises, UnknownInstance, Busy, and Refused where a unique index is violated that the workflow
    declares.
    """
    try:
        with engine.held(number, flushes=flushes) as held:
            unit, instance, now = held.unit, held.instance, held.now
            before = instance.generation
            act(unit, instance, within, now)
            kept = dict(said)
            if instance.generation != before:
                kept[history.LINK] = instance.generation
            engine.note(unit, instance, event, actor, kept, now)
            held.committed.effects += 1
            held.committed.next_due = now if isinstance(within, str) else None
    except Violation as violation:
        raise engine.refusal_of(violation, number) from violation


def parse(ref: str) -> tuple[int, Within]:
    """The instance and the place in it that the name of an incident means. Raises UnknownEffect."""
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
