"""Deadlines as SQL, so that a database puts instances in their order, however many there are.

A deadline is what `Standing.deadline` is: the first due time that the present state had set for a person, even where
that has passed and only led to a reminder. The row of an instance holds it (`engine.runtime.deadlines`), and an index
gives the instances of a state in the order of theirs. Where a row does not (`UNKNOWN`), the expressions here work it
out: a timer that left its state as it was has another time by now; its first one is in history.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from engine.definition import Workflow
from engine.operations.awaited import Pinned
from engine.runtime.deadlines import SINCE, SKIP_EVENT
from engine.store.base import NEVER, Unit

Events = Mapping[Pinned, tuple[str, ...]]
"""The events of the timers that are deadlines, by state; states without one are left out."""
Expression = tuple[str, list[Any]]
"""A scalar expression, and its parameters."""

# As the indexes of migration 14 have it. With equality PostgreSQL would not find that a query asks for the same.
KNOWN, UNKNOWN = "i.deadline_seq >= i.seq", "i.deadline_seq < i.seq"
DATED = f"i.deadline_at IS NOT NULL AND {KNOWN} AND i.deadline_at < '{NEVER}'"
UNDATED = f"i.deadline_at IS NOT NULL AND {KNOWN} AND i.deadline_at = '{NEVER}'"
"""Conditions on the row of the instance `i`, in a state with deadlines: whether it holds one, or that none is set."""


@lru_cache(maxsize=16)
def deadline_events(workflows: tuple[Workflow, ...]) -> Events:
    """The events of the deadlines of every state of these definitions."""
    return {
        (workflow.name, workflow.version, state): events
        for workflow in workflows
        for state, events in workflow.deadlines.items()
    }


def deadline_in_state(unit: Unit, events: Collection[str]) -> Expression:
    """The deadline of the instance `i`, which is in a state with deadlines of these events, worked out from its timers
    and its history; NULL where none is set."""
    is_deadline, values = f"{{}} IN ({', '.join('?' * len(events))})", list(events)
    text = _TEXT_ON_POSTGRES if unit.is_postgres else _TEXT_ON_SQLITE
    since, timer = (text.format(name) for name in (SINCE, "timer"))
    since = f"CAST({since} AS timestamp)" if unit.is_postgres else since  # SQLite would make a number of it
    named = f"CASE WHEN r.event = ? THEN COALESCE({timer}, r.event) ELSE r.event END"
    sql = _DEADLINE.format(timer=is_deadline.format("t.event"), since=since, entry=is_deadline.format(named))
    return sql, [*values, SKIP_EVENT, SKIP_EVENT, *values]


def unknown_places(unit: Unit, places: Iterable[Pinned]) -> list[Pinned]:
    """Those of these states in which there are instances whose rows do not hold their deadlines."""
    asked = list(places)
    if not asked:
        return []
    there = "FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ?"
    each = (f"SELECT {at} AS place WHERE EXISTS (SELECT 1 {there} AND {UNKNOWN})" for at in range(len(asked)))
    rows = unit.rows(" UNION ALL ".join(each), [value for place in asked for value in place])
    return [asked[at] for (at,) in rows]


def in_places(places: Collection[Pinned]) -> Expression:
    """Whether the instance `i` is in one of these states."""
    if not places:
        return "(1 = 0)", []
    rows = ", ".join(f"(?, {version}, ?)" for _workflow, version, _state in places)
    values = [text for workflow, _version, state in places for text in (workflow, state)]
    return f"((i.workflow, i.version, i.state) IN (VALUES {rows}))", values


_TEXT_ON_SQLITE = "json_extract(NULLIF(r.data, ''), '$.{}')"
_TEXT_ON_POSTGRES = "(CAST(NULLIF(r.data, '') AS json) ->> '{}')"
_DEADLINE = (
    "(SELECT MIN(d.due) FROM (SELECT t.due_at AS due FROM timer t WHERE t.instance_id = i.id AND {timer} "
    "UNION ALL SELECT CASE WHEN {since} < r.due_at OR r.due_at IS NULL THEN {since} ELSE r.due_at END "
    "FROM history r WHERE r.instance_id = i.id AND r.source = r.target AND (r.due_at IS NOT NULL OR r.event = ?) "
    "AND r.seq > (SELECT MAX(e.seq) FROM history e WHERE e.instance_id = i.id AND e.source <> e.target) "
    "AND {entry}) d)"
)
