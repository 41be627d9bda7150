"""The table of pauses, and the times of timers and effects that a pause puts off."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.definition import Actor
from engine.errors import EventNotPossible
from engine.runtime.pauses.scopes import OneChannel, OneInstance, OneVersion, Pause, Scope
from engine.store import outbox_rows
from engine.store.base import NEVER, Row, Unit, from_db, to_db

COUNTED = 10_000  # pauses of one kind that are counted
AT_ONCE = 5_000  # rows that one commit puts off
PAUSE = (
    "p.number, p.scope, p.instance_id, p.workflow, p.version, p.kind, p.recipient, p.since, p.actor, p.reason, "
    "p.ended_at, p.ended_by, p.ended_reason"
)
_BEGIN = (
    "INSERT INTO pause (scope, target, instance_id, workflow, version, kind, recipient, since, actor, reason, "
    "ended_by, ended_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '') RETURNING number"
)
END = "UPDATE pause SET ended_at = ?, ended_by = ?, ended_reason = ? WHERE number = ?"
COUNT = f"SELECT COUNT(*) FROM (SELECT 1 FROM pause WHERE scope = ? AND ended_at IS NULL LIMIT {COUNTED}) p"
# Asked of each row by its key. As a join PostgreSQL plans it by what it last learned of the tables, and what is put off
# has changed since: then every instance of the version is held against every row that is put off.
_OF_VERSION = "(SELECT 1 FROM instance v WHERE v.id = {} AND v.workflow = ? AND v.version = ?) = 1"


def open_pause(unit: Unit, scope: Scope) -> Pause | None:
    """The lasting pause of exactly this scope; None where there is none."""
    rows = unit.rows(f"SELECT {PAUSE} FROM pause p WHERE p.ended_at IS NULL AND p.target = ?", (str(scope),))
    return pause_of(rows[0]) if rows else None


def begin(unit: Unit, scope: Scope, actor: Actor, reason: str, now: datetime) -> Pause:
    lasting = open_pause(unit, scope)
    if lasting is not None:
        raise EventNotPossible(
            f"The {scope} is paused already, since {lasting.since:%Y-%m-%d %H:%M} UTC by {lasting.actor}."
        )
    instance_id, workflow, version, kind, recipient = 0, "", 0, "", ""
    match scope:
        case OneInstance(number):
            instance_id = number
        case OneVersion():
            workflow, version = scope.workflow, scope.version
        case OneChannel():
            kind, recipient = scope.effects, scope.recipient
    number = unit.rows(
        _BEGIN,
        (
            scope.kind,
            str(scope),
            instance_id,
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


def pause_of(row: Row) -> Pause:
    number, kind, instance_id, workflow, version, effects, recipient, since, actor, reason, ended_at, by, why = row
    scope: Scope
    if kind == OneInstance.kind:
        scope = OneInstance(instance_id)
    elif kind == OneVersion.kind:
        scope = OneVersion(workflow, version)
    else:
        scope = OneChannel(effects, recipient)
    ended = from_db(ended_at) if ended_at is not None else None
    return Pause(number, scope, from_db(since), actor, reason, ended, by, why)


def alone(unit: Unit, scope: Scope) -> None:
    """Lock out steps: wait for those in the scope that are under way, and keep further ones waiting until the unit
    ends. For an instance, the lock of its row does that."""
    if isinstance(scope, OneVersion):
        unit.stop_steps(scope.workflow, scope.version)
    elif isinstance(scope, OneChannel):
        unit.stop_steps(f"channel {scope.effects}", 0)


def effects_in(scope: Scope) -> tuple[str, tuple[Any, ...]]:
    """The SQL condition, with its parameters, on rows `o` of the outbox that are in the scope."""
    match scope:
        case OneInstance(number):
            return "o.instance_id = ?", (number,)
        case OneVersion(workflow, version):
            return _OF_VERSION.format("o.instance_id"), (workflow, version)
        case OneChannel(effects, ""):
            return "o.kind = ?", (effects,)
        case OneChannel(effects, recipient):
            return "o.kind = ? AND o.recipient = ?", (effects, recipient)


def timers_in(scope: OneInstance | OneVersion) -> tuple[str, tuple[Any, ...]]:
    """The SQL condition, with its parameters, on rows `t` of the timers that are in the scope."""
    if isinstance(scope, OneInstance):
        return "t.instance_id = ?", (scope.number,)
    return _OF_VERSION.format("t.instance_id"), (scope.workflow, scope.version)


def put_off_rows(unit: Unit, scope: Scope, until: str) -> bool:
    """Put off at most AT_ONCE rows of each table. Returns whether there may be more. The pause must last until the unit
    ends."""
    condition, params = effects_in(scope)
    changed = outbox_rows.put_off(unit, condition, params, until, AT_ONCE)
    if isinstance(scope, OneChannel):
        return changed >= AT_ONCE
    condition, params = timers_in(scope)
    timers = unit.changed(
        f"UPDATE timer SET wake_at = '{NEVER}' WHERE (instance_id, event) IN "
        f"(SELECT t.instance_id, t.event FROM timer t WHERE t.wake_at <= ? AND t.wake_at < '{NEVER}' "
        f"AND {condition} ORDER BY t.wake_at LIMIT {AT_ONCE})",
        (until, *params),
    )
    return max(changed, timers) >= AT_ONCE


def bring_forward(unit: Unit, scope: Scope, now: datetime) -> None:
    """Bring back what was put off: timers are looked at when they are due, effects at once."""
    condition, params = effects_in(scope)
    outbox_rows.bring_forward(unit, condition, params, now)
    if not isinstance(scope, OneChannel):
        condition, params = timers_in(scope)
        unit.write(f"UPDATE timer AS t SET wake_at = t.due_at WHERE t.wake_at = '{NEVER}' AND {condition}", params)
