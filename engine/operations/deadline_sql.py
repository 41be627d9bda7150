"""Deadlines as SQL, so that a database puts instances in their order, however many there are.

A deadline is what `Standing.deadline` is: the first due time that the present state had set for a person, even where
that has passed and only led to a reminder. A timer that left its state as it was has another time by now; its first one
is in history.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from engine.definition import Workflow
from engine.operations.awaited import Pinned
from engine.runtime.due_timers import SKIP_EVENT
from engine.runtime.recording import SINCE
from engine.store.base import Unit

Events = Mapping[Pinned, tuple[str, ...]]
"""The events of the timers that are deadlines, by state; states without one are left out."""
Expression = tuple[str, list[Any]]
"""A scalar expression, and its parameters."""


@lru_cache(maxsize=16)
def deadline_events(workflows: tuple[Workflow, ...]) -> Events:
    """The events of the deadlines of every state of these definitions."""
    return {
        (workflow.name, workflow.version, state.name): events
        for workflow in workflows
        for state in workflow.states
        if (events := tuple(timer.event for timer in state.timers if timer.deadline))
    }


def deadline_in_state(unit: Unit, events: Collection[str]) -> Expression:
    """The deadline of the instance `i`, which is in a state with deadlines of these events; NULL where none is set."""
    marks = ", ".join("?" * len(events))
    return _expression(unit, f"{{}} IN ({marks})", list(events))


def deadline_anywhere(unit: Unit, events: Events) -> Expression:
    """The deadline of the instance `i`, whatever its state is; NULL where none is set."""
    known = [(*place, event) for place, named in events.items() for event in named]
    if not known:
        return "CAST(NULL AS timestamp)", []
    rows = ", ".join(f"(?, {version}, ?, ?)" for _workflow, version, _state, _event in known)
    values = [text for workflow, _version, state, event in known for text in (workflow, state, event)]
    return _expression(unit, f"(i.workflow, i.version, i.state, {{}}) IN (VALUES {rows})", values)


def _expression(unit: Unit, is_deadline: str, values: list[Any]) -> Expression:
    """`is_deadline` is the condition on the name of a timer, which stands before the `values` that it binds."""
    text = _TEXT_ON_POSTGRES if unit.is_postgres else _TEXT_ON_SQLITE
    since, timer = (text.format(name) for name in (SINCE, "timer"))
    since = f"CAST({since} AS timestamp)" if unit.is_postgres else since  # SQLite would make a number of it
    named = f"CASE WHEN r.event = ? THEN COALESCE({timer}, r.event) ELSE r.event END"
    sql = _DEADLINE.format(timer=is_deadline.format("t.event"), since=since, entry=is_deadline.format(named))
    return sql, [*values, SKIP_EVENT, SKIP_EVENT, *values]


_TEXT_ON_SQLITE = "json_extract(NULLIF(r.data, ''), '$.{}')"
_TEXT_ON_POSTGRES = "(CAST(NULLIF(r.data, '') AS json) ->> '{}')"
_DEADLINE = (
    "(SELECT MIN(d.due) FROM (SELECT t.due_at AS due FROM timer t WHERE t.instance_id = i.id AND {timer} "
    "UNION ALL SELECT CASE WHEN {since} < r.due_at OR r.due_at IS NULL THEN {since} ELSE r.due_at END "
    "FROM history r WHERE r.instance_id = i.id AND r.source = r.target AND (r.due_at IS NOT NULL OR r.event = ?) "
    "AND r.seq > (SELECT MAX(e.seq) FROM history e WHERE e.instance_id = i.id AND e.source <> e.target) "
    "AND {entry}) d)"
)
