"""Standing timers: the time of a pause does not count for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from engine.definition import Actor, Instance, Workflow
from engine.runtime import deadlines, history
from engine.runtime.engine import Engine
from engine.runtime.pauses.rows import timers_in
from engine.runtime.pauses.scopes import DueTimer, OneChannel, OneInstance, OneVersion, Pause, Scope
from engine.runtime.timetable import put_off_by
from engine.store.base import COLUMNS, INSTANCE_TARGETS, Row, Unit, from_db, instance_of, to_db

RESUME_EVENT = "pause.end"

# The last entry that says when the timers of an instance are due; what was written down before that was sealed, too.
SET_AT = (
    "(SELECT h.at FROM history h WHERE h.instance_id = i.id AND (h.timers IS NULL OR h.timers <> '') "
    "ORDER BY h.seq DESC LIMIT 1)"
)
_STANDING_OF_INSTANCE = (
    f"SELECT {COLUMNS}, t.event, t.due_at, {SET_AT} FROM instance i JOIN timer t ON t.instance_id = i.id "
    "WHERE i.id = ? ORDER BY t.event"
)
_STANDING_IN_STATE = (
    f"SELECT {COLUMNS}, t.event, t.due_at, {SET_AT} FROM instance i JOIN timer t ON t.instance_id = i.id "
    "WHERE i.workflow = ? AND i.version = ? AND i.state = ? ORDER BY i.id, t.event"
)


def _standing(definition: Workflow | None) -> dict[str, frozenset[str]]:
    """The events of the standing timers, by state."""
    if definition is None:
        return {}
    found = {
        state.name: frozenset(timer.event for timer in state.timers if timer.while_paused == "stands")
        for state in definition.states
    }
    return {state: events for state, events in found.items() if events}


def restart(
    engine: Engine, unit: Unit, lasting: Pause, actor: Actor, said: Mapping[str, Any], now: datetime
) -> frozenset[int]:
    """Put off the timers that stood, each under the seal of an entry. Returns the instances with such an entry."""
    noted = set[int]()
    found = _standing_instances(engine, unit, lasting.scope)
    passed = deadlines.passed(unit, [instance.id for instance, _timers, _set_at in found])
    for instance, timers, set_at in found:
        workflow = engine.workflows.get((instance.workflow, instance.version))
        events = _standing(workflow).get(instance.state, frozenset())
        begun = max(lasting.since, set_at)
        times = {event: put_off_by(due, begun, now) if event in events else due for event, due in timers.items()}
        moved = {event: due for event, due in times.items() if due != timers[event]}
        if not moved:
            continue
        unit.owner = instance.id
        texts = {event: to_db(due) for event, due in times.items()}
        deadline = deadlines.deadline(workflow, instance.state, texts, passed[instance.id])
        engine.note(unit, instance, RESUME_EVENT, actor, said, now, history.timers_text(texts), deadline)
        for event in moved:
            unit.write(
                "UPDATE timer SET due_at = ?, wake_at = ? WHERE instance_id = ? AND event = ?",
                (texts[event], texts[event], instance.id, event),
            )
        noted.add(instance.id)
    return frozenset(noted)


def _standing_instances(
    engine: Engine, unit: Unit, scope: Scope
) -> list[tuple[Instance, dict[str, datetime], datetime]]:
    """The instances in states with standing timers, locked: each with all its timers, and when those were last set."""
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


def resuming(engine: Engine, unit: Unit, lasting: Pause, now: datetime, most: int) -> tuple[list[DueTimer], int, int]:
    """The first timers that would fire on resuming, how many would, and how many would be put off."""
    scope = lasting.scope
    if isinstance(scope, OneChannel):
        return [], 0, 0
    condition, params = timers_in(scope)
    stands, pairs = _stands_in(engine, unit, scope)
    others = (
        "NOT EXISTS (SELECT 1 FROM pause p WHERE p.ended_at IS NULL AND p.number <> ? "
        f"AND p.target IN ({INSTANCE_TARGETS}))"
    )
    late = f"(t.due_at <= ? OR t.due_at <= {SET_AT})"  # before the pause, or before they were set during it
    source = f"FROM timer t JOIN instance i ON i.id = t.instance_id WHERE {condition}"
    since = to_db(lasting.since)
    fires = f"{source} AND {others} AND t.due_at <= ? AND (NOT {stands} OR {late})"
    values = (*params, lasting.number, to_db(now), *pairs, since)
    count = unit.rows(f"SELECT COUNT(*) {fires}", values)[0][0]
    first = unit.rows(
        f"SELECT t.instance_id, t.event, t.due_at {fires} ORDER BY t.due_at, t.instance_id, t.event LIMIT ?",
        (*values, most),
    )
    standing = unit.rows(f"SELECT COUNT(*) {source} AND {stands} AND NOT {late}", (*params, *pairs, since))[0][0]
    return [DueTimer(number, event, from_db(due)) for number, event, due in first], count, standing


def _stands_in(engine: Engine, unit: Unit, scope: OneInstance | OneVersion) -> tuple[str, Sequence[Any]]:
    """The SQL condition on `i` and `t` under which a timer stands, with its parameters."""
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
