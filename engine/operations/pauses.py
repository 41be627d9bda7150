"""Pauses: an operator halts an instance, a version of a workflow or a channel, and lets it go on, each in one commit.

**While an instance or its version is paused nothing steps it**: events, starts, due timers and the `done` of an effect
are refused or wait. Operators get in: they migrate, and decide on incidents. Its effects are not delivered; a delivery
that is under way when the pause comes is written down as delivered, and its `done` is fired after resuming. While a
channel is paused (a kind of effects, or that kind to one recipient) instances go on, and what they send waits.

**No step is after a pause.** Whoever steps an instance holds its row, and the lock of its version together with others;
whoever pauses holds one of the two alone, and only then writes the pause down. A step reads the pauses once it has its
locks (`Store.open`), so it is before the pause or it is refused.

**Nobody goes round what is paused.** The times at which timers and effects want to be looked at are put off to `NEVER`,
and the commit that resumes brings them forward. That is done right after the pause, in pieces, and again for whatever
turns up meanwhile: when somebody comes to fire or to deliver it.

**What a pause means to time.** A timer that `runs` keeps its due time, and fires on resuming, counted from there as any
late one. For one that `stands` the pause does not count: resuming puts its due time off by the length of the pause, and
the new time is sealed in an entry of the instance's history. One that was due before the pause is late, and stands no
longer. The patience of an effect does not pass while it is paused (`time_paused`).

Pauses and their ends are rows of one table, which is never emptied: who, when and why. Those of an instance are entries
of its history as well, under its seal; the others are not sealed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from engine.configuration import one_line
from engine.definition import Actor, Effect, Instance, Workflow
from engine.errors import EventNotPossible, UnknownWorkflow
from engine.outcomes import Claim, Committed
from engine.runtime import history
from engine.runtime.engine import Engine
from engine.runtime.operators import nowhere
from engine.runtime.timetable import put_off_by
from engine.store import outbox_rows
from engine.store.base import COLUMNS, NEVER, Row, Unit, from_db, instance_of, storable, to_db, version_target

log = logging.getLogger("tetsuzuki.engine")

PAUSE_EVENT, RESUME_EVENT = "pause.begin", "pause.end"
COUNTED = 10_000  # pauses of one kind that are counted
_AT_ONCE = 5_000  # rows that one commit puts off


@dataclass(frozen=True, slots=True)
class OneInstance:
    """The pause of one instance."""

    number: int
    kind = "instance"

    def __str__(self) -> str:
        return f"instance {self.number}"


@dataclass(frozen=True, slots=True)
class OneVersion:
    """The pause of all instances that run on one version of a workflow; none is started on it."""

    workflow: str
    version: int
    kind = "workflow"

    def __str__(self) -> str:
        return version_target(self.workflow, self.version)


@dataclass(frozen=True, slots=True)
class OneChannel:
    """The pause of all effects of one kind, or of those of them to one recipient, as `Effect.channel` names them."""

    effects: str
    recipient: str = ""
    kind = "channel"

    def __str__(self) -> str:
        return f"channel {self.effects}:{self.recipient}" if self.recipient else f"channel {self.effects}"


Scope = OneInstance | OneVersion | OneChannel
"""What a pause is about. Its text names it, as in "workflow review 1"."""
KINDS = (OneInstance.kind, OneVersion.kind, OneChannel.kind)


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause: since when, by whom and why. The fields of its end are empty while it lasts."""

    number: int
    scope: Scope
    since: datetime
    actor: str
    reason: str
    ended_at: datetime | None = None
    ended_by: str = ""
    ended_reason: str = ""


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer that fires on resuming, as of its due time."""

    instance: int
    event: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingEffect:
    """An effect that is tried on resuming; of one that was `delivered` its `done` is fired."""

    instance: int
    seq: int
    position: int
    name: str
    recipient: str
    delivered: bool


@dataclass(frozen=True, slots=True)
class Resuming:
    """What resuming would set going at once: the first timers by due time, the first effects by instance, and how many
    there are of both. `standing` is how many timers would be put off by the length of the pause."""

    pause: Pause
    timers: tuple[DueTimer, ...]
    timer_count: int
    effects: tuple[WaitingEffect, ...]
    effect_count: int
    standing: int


# -- the acts ---------------------------------------------------------------------------------------------------------


def pause(engine: Engine, scope: Scope, actor: Actor, reason: str) -> Pause:
    """Halt `scope`. `reason` is kept for ever, so it must hold nothing personal.

    Raises Forbidden, EventNotPossible (it is paused already, the instance has ended, no effect goes that way, there is
    no reason), UnknownInstance, UnknownWorkflow, Busy.
    """
    reason = _given(reason)
    if isinstance(scope, OneInstance):
        made = _pause_instance(engine, scope, actor, reason)
    else:
        with engine.store.begin() as unit:
            _alone(unit, scope)
            now = engine.store.now()
            engine.operators.require(unit, _about(scope), actor, PAUSE_EVENT, now)
            _check_known(engine, scope)
            made = _begin(unit, scope, actor, reason, now)
            engine.store.commit(unit)
        put_off(engine, scope, NEVER)
    log.warning("%s is paused by %s: %s", scope, actor, one_line(reason))  # no reason makes a line of its own
    return made


def _pause_instance(engine: Engine, scope: OneInstance, actor: Actor, reason: str) -> Pause:
    with engine.held(scope.number) as held:
        unit, found, now = held.unit, held.instance, held.now
        engine.operators.require(unit, found, actor, PAUSE_EVENT, now)
        definition = engine.workflows.get((found.workflow, found.version))
        state = definition.by_name.get(found.state) if definition is not None else None
        if state is not None and state.final:
            raise EventNotPossible(f"Procedure {found.id} has ended: it is in {found.state!r}.")
        made = _begin(unit, scope, actor, reason, now)
        engine.note(unit, found, PAUSE_EVENT, actor, {"reason": reason}, now)
        _put_off_rows(unit, scope, NEVER)
    return made


def resume(engine: Engine, scope: Scope, actor: Actor, reason: str) -> Pause:
    """Let `scope` go on: in one commit the pause ends, standing timers are put off by its length, and what waited is
    due. What is paused in another way as well stays so. Returns the pause as it ended.

    Raises Forbidden, EventNotPossible (it is not paused, there is no reason), UnknownInstance, Busy.
    """
    reason = _given(reason)
    committed = Committed()

    def work(unit: Unit) -> Pause:
        if isinstance(scope, OneInstance):
            found, now = _lock_instance(engine, unit, scope)
        else:
            _alone(unit, scope)
            found, now = _about(scope), engine.store.now()
        engine.operators.require(unit, found, actor, RESUME_EVENT, now)
        lasting = open_pause(unit, scope)
        if lasting is None:
            raise EventNotPossible(f"There is no pause of {scope}.")
        unit.owner = found.id
        unit.write(_END, (to_db(now), str(actor), reason, lasting.number))
        said = {"reason": reason, "paused": str(scope)}
        noted = _restart_standing(engine, unit, lasting, actor, said, now)
        if isinstance(scope, OneInstance) and found.id not in noted:
            engine.note(unit, found, RESUME_EVENT, actor, said, now)
        _bring_forward(unit, scope, now)
        committed.effects, committed.next_due = 1, now
        return Pause(lasting.number, scope, lasting.since, lasting.actor, lasting.reason, now, str(actor), reason)

    ended: Pause = engine.store.run(work, many=True)
    log.warning("%s is resumed by %s: %s", scope, actor, one_line(reason))
    engine.tell(committed)
    return ended


def _given(reason: str) -> str:
    if not one_line(reason):
        raise EventNotPossible("A reason is needed: it is kept with the pause.")
    return storable(reason.strip(), len(reason))


def _lock_instance(engine: Engine, unit: Unit, scope: OneInstance) -> tuple[Instance, datetime]:
    opened_one = engine.store.open(unit, scope.number)
    assert opened_one is not None  # None only where locked rows are skipped
    found, _timers, now = opened_one
    return found, now


def _alone(unit: Unit, scope: Scope) -> None:
    """Wait for whoever steps what this is about, and keep others waiting; for an instance its row does that."""
    if isinstance(scope, OneVersion):
        unit.stop_steps(scope.workflow, scope.version)
    elif isinstance(scope, OneChannel):
        unit.stop_steps(f"channel {scope.effects}", 0)


def _about(scope: OneVersion | OneChannel) -> Instance:
    return nowhere(scope.workflow, scope.version) if isinstance(scope, OneVersion) else nowhere()


def _check_known(engine: Engine, scope: OneVersion | OneChannel) -> None:
    if isinstance(scope, OneVersion):
        if (scope.workflow, scope.version) not in engine.workflows:
            raise UnknownWorkflow(f"No definition of workflow {scope.workflow!r} version {scope.version} is loaded.")
        return
    known = channels(engine)
    if scope not in known:
        named = ", ".join(str(one).removeprefix("channel ") for one in known)
        raise EventNotPossible(f"No workflow has an effect of {scope}; there are {named}.")


def channels(engine: Engine) -> tuple[OneChannel, ...]:
    """Every channel of the loaded workflows that may be paused: each kind of effects, and each kind to a recipient."""
    effects = [effect for workflow in engine.workflows.values() for effect in workflow.all_effects()]
    found = {OneChannel(effect.kind) for effect in effects} | {OneChannel(one.kind, one.to) for one in effects}
    return tuple(sorted(found, key=str))


# -- looking ----------------------------------------------------------------------------------------------------------


def paused(engine: Engine, most: int = 1000) -> list[Pause]:
    """What is paused now, the longest first."""
    with engine.store.reading() as unit:
        rows = unit.rows(f"SELECT {_PAUSE} FROM pause p WHERE p.ended_at IS NULL ORDER BY p.number LIMIT ?", (most,))
    return [_pause_of(row) for row in rows]


def pauses(engine: Engine, most: int = 1000) -> list[Pause]:
    """The last pauses, the newest first, those that have ended among them."""
    with engine.store.reading() as unit:
        rows = unit.rows(f"SELECT {_PAUSE} FROM pause p ORDER BY p.number DESC LIMIT ?", (most,))
    return [_pause_of(row) for row in rows]


def pauses_of(engine: Engine, instance: int) -> list[Pause]:
    """What halts an instance now: its own pause, and that of its version."""
    with engine.store.reading() as unit:
        rows = unit.rows(
            f"SELECT {_PAUSE} FROM instance i JOIN pause p ON p.ended_at IS NULL AND p.target IN "
            f"({_INSTANCE_TARGETS}) WHERE i.id = ? ORDER BY p.number",
            (instance,),
        )
    return [_pause_of(row) for row in rows]


def what_resumes(engine: Engine, scope: Scope, most: int = 20) -> Resuming:
    """What resuming `scope` would set going, the first `most` of each named. What is paused in another way as well is
    left out. Raises EventNotPossible where it is not paused."""
    now = engine.store.now()
    with engine.store.snapshot() as unit:
        lasting = open_pause(unit, scope)
        if lasting is None:
            raise EventNotPossible(f"There is no pause of {scope}.")
        timers, timer_count, standing = _resuming_timers(engine, unit, lasting, now, most)
        condition, params = _effects_in(scope)
        condition += (
            f" AND NOT EXISTS (SELECT 1 FROM pause p WHERE p.ended_at IS NULL AND p.number <> ? AND p.target IN "
            f"({_INSTANCE_TARGETS}, 'channel ' || o.kind, 'channel ' || o.kind || ':' || o.recipient))"
        )
        effect_count, effects = outbox_rows.waiting(unit, condition, (*params, lasting.number), most)
    return Resuming(
        lasting,
        tuple(timers),
        timer_count,
        tuple(WaitingEffect(r[0], r[1], r[2], r[3], r[4], bool(r[5])) for r in effects),
        effect_count,
        standing,
    )


def open_pause(unit: Unit, scope: Scope) -> Pause | None:
    """The pause of exactly this, where it lasts."""
    rows = unit.rows(f"SELECT {_PAUSE} FROM pause p WHERE p.ended_at IS NULL AND p.target = ?", (str(scope),))
    return _pause_of(rows[0]) if rows else None


def time_paused(unit: Unit, found: Instance, effect: Effect, begun: datetime, now: datetime) -> timedelta:
    """For how long an effect was halted between two times, by whatever halted it."""
    targets = _halting(found, effect)
    marks = ", ".join("?" * len(targets))
    rows = unit.rows(
        f"SELECT since, ended_at FROM pause WHERE target IN ({marks}) AND since < ? "
        "AND (ended_at IS NULL OR ended_at > ?)",
        (*targets, to_db(now), to_db(begun)),
    )
    return covered(((from_db(since), from_db(end) if end is not None else now) for since, end in rows), begun, now)


def covered(spans: Iterable[tuple[datetime, datetime]], begun: datetime, now: datetime) -> timedelta:
    """How much of the time between `begun` and `now` lies in at least one of the spans."""
    total, reached = timedelta(0), begun
    for since, until in sorted(spans):
        start, end = max(since, reached), min(until, now)
        if end > start:
            total += end - start
            reached = end
    return total


# -- for the dispatcher -----------------------------------------------------------------------------------------------


def halting(unit: Unit, found: Instance, effect: Effect | None) -> Scope | None:
    """What halts an effect of this instance, if anything does: its instance, its version or its channel. Asked where
    it is known that something of the kind is paused."""
    targets = _halting(found, effect)
    marks = ", ".join("?" * len(targets))
    rows = unit.rows(
        f"SELECT {_PAUSE} FROM pause p WHERE p.ended_at IS NULL AND p.target IN ({marks}) ORDER BY p.number LIMIT 1",
        targets,
    )
    return _pause_of(rows[0]).scope if rows else None


def _halting(found: Instance, effect: Effect | None) -> tuple[str, ...]:
    of_instance = (str(OneInstance(found.id)), version_target(found.workflow, found.version))
    if effect is None:
        return of_instance
    return (*of_instance, str(OneChannel(effect.kind)), str(OneChannel(effect.kind, effect.to)))


def give_back(engine: Engine, claim: Claim, scope: Scope) -> None:
    """Return the lease of an effect that is halted, as if it had never been claimed; with it whatever of the same is
    due is put off, so that it need not be claimed one by one."""
    with engine.store.begin() as unit:
        lasts = _still_lasts(engine, unit, scope)
        now = to_db(engine.store.now())
        outbox_rows.give_back(unit, claim, engine.worker, NEVER if lasts else now)
        engine.store.commit(unit)
    if lasts:
        put_off(engine, scope, now)


def put_off(engine: Engine, scope: Scope, until: str) -> None:
    """Let nobody look at what is halted and wants to be looked at until then; in several commits."""
    more = True
    while more:
        with engine.store.begin() as unit:
            more = _still_lasts(engine, unit, scope) and _put_off_rows(unit, scope, until)
            engine.store.commit(unit)


def _still_lasts(engine: Engine, unit: Unit, scope: Scope) -> bool:
    """Whether the pause lasts, and will until the unit ends: what is put off after it ended nobody would bring back."""
    if isinstance(scope, OneInstance):
        engine.store.open(unit, scope.number)
    else:
        _alone(unit, scope)
    return open_pause(unit, scope) is not None


# -- rows -------------------------------------------------------------------------------------------------------------

_PAUSE = (
    "p.number, p.scope, p.instance_id, p.workflow, p.version, p.kind, p.recipient, p.since, p.actor, p.reason, "
    "p.ended_at, p.ended_by, p.ended_reason"
)
_INSTANCE_TARGETS = "'instance ' || i.id, 'workflow ' || i.workflow || ' ' || i.version"
_BEGIN = (
    "INSERT INTO pause (scope, target, instance_id, workflow, version, kind, recipient, since, actor, reason, "
    "ended_by, ended_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '') RETURNING number"
)
_END = "UPDATE pause SET ended_at = ?, ended_by = ?, ended_reason = ? WHERE number = ?"
COUNT = f"SELECT COUNT(*) FROM (SELECT 1 FROM pause WHERE scope = ? AND ended_at IS NULL LIMIT {COUNTED}) p"
# Asked of each row by its key. As a join PostgreSQL plans it by what it last learned of the tables, and what is put off
# has changed since: then every instance of the version is held against every row that is put off.
_OF_VERSION = "(SELECT 1 FROM instance v WHERE v.id = {} AND v.workflow = ? AND v.version = ?) = 1"
# The last entry that says when the timers of an instance are due; what was written down before that was sealed, too.
_SET_AT = (
    "(SELECT h.at FROM history h WHERE h.instance_id = i.id AND (h.timers IS NULL OR h.timers <> '') "
    "ORDER BY h.seq DESC LIMIT 1)"
)
_STANDING_OF_INSTANCE = (
    f"SELECT {COLUMNS}, t.event, t.due_at, {_SET_AT} FROM instance i JOIN timer t ON t.instance_id = i.id "
    "WHERE i.id = ? ORDER BY t.event"
)
_STANDING_IN_STATE = (
    f"SELECT {COLUMNS}, t.event, t.due_at, {_SET_AT} FROM instance i JOIN timer t ON t.instance_id = i.id "
    "WHERE i.workflow = ? AND i.version = ? AND i.state = ? ORDER BY i.id, t.event"
)


def _begin(unit: Unit, scope: Scope, actor: Actor, reason: str, now: datetime) -> Pause:
    lasting = open_pause(unit, scope)
    if lasting is not None:
        raise EventNotPossible(
            f"The {scope} is paused already, since {lasting.since:%Y-%m-%d %H:%M} UTC by {lasting.actor}."
        )
    instance, workflow, version, kind, recipient = 0, "", 0, "", ""
    match scope:
        case OneInstance(number):
            instance = number
        case OneVersion():
            workflow, version = scope.workflow, scope.version
        case OneChannel():
            kind, recipient = scope.effects, scope.recipient
    number = unit.rows(
        _BEGIN,
        (
            scope.kind,
            str(scope),
            instance,
            workflow,
            version,
            kind,
            recipient,
            to_db(now),
            str(actor),
            reason,
        ),
    )[0][0]
    return Pause(number, scope, now, str(actor), reason)


def _pause_of(row: Row) -> Pause:
    number, kind, instance, workflow, version, effects, recipient, since, actor, reason, ended_at, by, why = row
    scope: Scope
    if kind == OneInstance.kind:
        scope = OneInstance(instance)
    elif kind == OneVersion.kind:
        scope = OneVersion(workflow, version)
    else:
        scope = OneChannel(effects, recipient)
    ended = from_db(ended_at) if ended_at is not None else None
    return Pause(number, scope, from_db(since), actor, reason, ended, by, why)


def _effects_in(scope: Scope) -> tuple[str, tuple[Any, ...]]:
    """The condition on rows `o` of the outbox."""
    match scope:
        case OneInstance(number):
            return "o.instance_id = ?", (number,)
        case OneVersion(workflow, version):
            return _OF_VERSION.format("o.instance_id"), (workflow, version)
        case OneChannel(effects, ""):
            return "o.kind = ?", (effects,)
        case OneChannel(effects, recipient):
            return "o.kind = ? AND o.recipient = ?", (effects, recipient)


def _timers_in(scope: OneInstance | OneVersion) -> tuple[str, tuple[Any, ...]]:
    """The condition on rows `t` of the timers."""
    if isinstance(scope, OneInstance):
        return "t.instance_id = ?", (scope.number,)
    return _OF_VERSION.format("t.instance_id"), (scope.workflow, scope.version)


def _put_off_rows(unit: Unit, scope: Scope, until: str) -> bool:
    """Put off at most so many rows of each kind; whether there may be more. The pause lasts until the unit ends."""
    condition, params = _effects_in(scope)
    changed = outbox_rows.put_off(unit, condition, params, until, _AT_ONCE)
    if isinstance(scope, OneChannel):
        return changed >= _AT_ONCE
    condition, params = _timers_in(scope)
    timers = unit.changed(
        f"UPDATE timer SET wake_at = '{NEVER}' WHERE (instance_id, event) IN "
        f"(SELECT t.instance_id, t.event FROM timer t WHERE t.wake_at <= ? AND t.wake_at < '{NEVER}' "
        f"AND {condition} ORDER BY t.wake_at LIMIT {_AT_ONCE})",
        (until, *params),
    )
    return max(changed, timers) >= _AT_ONCE


def _bring_forward(unit: Unit, scope: Scope, now: datetime) -> None:
    """What was put off wants to be looked at again: timers when they are due, effects at once."""
    condition, params = _effects_in(scope)
    outbox_rows.bring_forward(unit, condition, params, now)
    if not isinstance(scope, OneChannel):
        condition, params = _timers_in(scope)
        unit.write(f"UPDATE timer AS t SET wake_at = t.due_at WHERE t.wake_at = '{NEVER}' AND {condition}", params)


# -- standing timers --------------------------------------------------------------------------------------------------


def _standing(definition: Workflow | None) -> dict[str, frozenset[str]]:
    """The events of the timers that stand, by state."""
    if definition is None:
        return {}
    found = {
        state.name: frozenset(timer.event for timer in state.timers if timer.while_paused == "stands")
        for state in definition.states
    }
    return {state: events for state, events in found.items() if events}


def _restart_standing(
    engine: Engine, unit: Unit, lasting: Pause, actor: Actor, said: Mapping[str, Any], now: datetime
) -> frozenset[int]:
    """Put off the timers that stood, each under the seal of an entry; the instances of which one was."""
    noted = set[int]()
    for found, timers, set_at in _standing_instances(engine, unit, lasting.scope):
        events = _standing(engine.workflows.get((found.workflow, found.version))).get(found.state, frozenset())
        begun = max(lasting.since, set_at)
        times = {event: put_off_by(due, begun, now) if event in events else due for event, due in timers.items()}
        moved = {event: due for event, due in times.items() if due != timers[event]}
        if not moved:
            continue
        unit.owner = found.id
        texts = {event: to_db(due) for event, due in times.items()}
        engine.note(unit, found, RESUME_EVENT, actor, said, now, history.timers_text(texts))
        for event in moved:
            unit.write(
                "UPDATE timer SET due_at = ?, wake_at = ? WHERE instance_id = ? AND event = ?",
                (texts[event], texts[event], found.id, event),
            )
        noted.add(found.id)
    return frozenset(noted)


def _standing_instances(
    engine: Engine, unit: Unit, scope: Scope
) -> list[tuple[Instance, dict[str, datetime], datetime]]:
    """The instances with timers that stand, locked: each with all its timers, and when those were last set."""
    lock = f"{unit.lock_suffix} OF i" if unit.lock_suffix else ""
    rows: list[Row] = []
    if isinstance(scope, OneInstance):
        rows = unit.rows(_STANDING_OF_INSTANCE + lock, (scope.number,))
    elif isinstance(scope, OneVersion):
        for state in _standing(engine.workflows.get((scope.workflow, scope.version))):
            rows += unit.rows(_STANDING_IN_STATE + lock, (scope.workflow, scope.version, state))
    found = []
    for _number, of_one in groupby(rows, key=lambda row: row[0]):
        lines = list(of_one)
        timers = {line[9]: from_db(line[10]) for line in lines}
        found.append((instance_of(lines[0]), timers, from_db(lines[0][11])))
    return found


def _resuming_timers(
    engine: Engine, unit: Unit, lasting: Pause, now: datetime, most: int
) -> tuple[list[DueTimer], int, int]:
    """The first timers that would fire on resuming, how many would, and how many would be put off."""
    scope = lasting.scope
    if isinstance(scope, OneChannel):
        return [], 0, 0
    condition, params = _timers_in(scope)
    stands, pairs = _stands_in(engine, unit, scope)
    others = (
        "NOT EXISTS (SELECT 1 FROM pause p WHERE p.ended_at IS NULL AND p.number <> ? "
        f"AND p.target IN ({_INSTANCE_TARGETS}))"
    )
    late = f"(t.due_at <= ? OR t.due_at <= {_SET_AT})"  # before the pause, or before they were set during it
    source = f"FROM timer t JOIN instance i ON i.id = t.instance_id WHERE {condition}"
    since = to_db(lasting.since)
    fires = f"{source} AND {others} AND t.due_at <= ? AND (NOT {stands} OR {late})"
    given = (*params, lasting.number, to_db(now), *pairs, since)
    count = unit.rows(f"SELECT COUNT(*) {fires}", given)[0][0]
    first = unit.rows(
        f"SELECT t.instance_id, t.event, t.due_at {fires} ORDER BY t.due_at, t.instance_id, t.event LIMIT ?",
        (*given, most),
    )
    standing = unit.rows(f"SELECT COUNT(*) {source} AND {stands} AND NOT {late}", (*params, *pairs, since))[0][0]
    return [DueTimer(number, event, from_db(due)) for number, event, due in first], count, standing


def _stands_in(engine: Engine, unit: Unit, scope: OneInstance | OneVersion) -> tuple[str, Sequence[Any]]:
    """The condition on `i` and `t` under which a timer stands."""
    if isinstance(scope, OneVersion):
        key = (scope.workflow, scope.version)
    else:
        rows = unit.rows("SELECT workflow, version FROM instance WHERE id = ?", (scope.number,))
        key = (rows[0][0], rows[0][1]) if rows else ("", 0)
    pairs = [
        (state, event) for state, events in _standing(engine.workflows.get(key)).items() for event in sorted(events)
    ]
    if not pairs:
        return "(1 = 0)", ()
    return (
        "(" + " OR ".join("(i.state = ? AND t.event = ?)" for _ in pairs) + ")",
        [part for pair in pairs for part in pair],
    )
