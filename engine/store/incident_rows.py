"""Incidents as operators list, narrow and count them: effects and timers in one order. Read-only.

An effect that is an incident is in the index `outbox_incident`, in the order of time and with everything by which it
can be narrowed, and in `outbox_incident_kind`, by which it is counted. A broken timer is in `timer_failed`. So a list
costs the same however many effects and timers are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.store.base import LARGEST, Row, Statement, Unit, to_db

TIMER = "timer"
"""The channel of broken timers, among those of effects."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which incidents: those that meet every criterion that is given.

    `channel` is a kind of effects (`mail`), that kind to one recipient (`mail:applicant`), or `timer`. `reason` is the
    code with which the error begins (`550`, `deadline`, `KeyError`), `host` the mail host of the recipient, in small
    letters. `before` and `after` bound the time since when it is an incident, both aware: at `before` or earlier, and
    later than `after`. `act` leaves out those that this act cannot settle: a timer cannot be skipped, and only a mail
    that was not delivered can be amended.
    """

    channel: str = ""
    workflow: str = ""
    reason: str = ""
    host: str = ""
    before: datetime | None = None
    after: datetime | None = None
    act: str = ""


ALL = Criteria()

# Not EXISTS: PostgreSQL would look for the first instance of a workflow among all of them.
_OF_WORKFLOW = "(SELECT i.workflow FROM instance i WHERE i.id = {}.instance_id) = ?"


def _effects(criteria: Criteria, kind_column: str = "o.kind") -> tuple[str, list[Any]] | None:
    """The condition on effects `o`, with what it binds; None where no effect can meet it."""
    if criteria.channel == TIMER:
        return None
    conditions, params = ["o.state = 'incident'"], []
    kind, _, recipient = criteria.channel.partition(":")
    for column, wanted in ((kind_column, kind), ("o.recipient", recipient), ("o.reason", criteria.reason)):
        if wanted:
            conditions.append(f"{column} = ?")
            params.append(wanted)
    if criteria.host:
        conditions.append("o.host = ?")
        params.append(criteria.host)
    if criteria.act == "amend":
        conditions.append("o.kind = 'mail' AND o.delivered = 0")
    return _with_times("o", criteria, conditions, params)


def _timers(criteria: Criteria) -> tuple[str, list[Any]] | None:
    """The condition on timers `t`, with what it binds; None where no timer can meet it."""
    if criteria.channel not in ("", TIMER) or criteria.host or criteria.act in ("skip", "amend"):
        return None
    conditions, params = ["t.failures > 0"], []
    if criteria.reason:
        conditions.append(f"substr(t.error || ':', 1, {len(criteria.reason) + 1}) = ?")
        params.append(f"{criteria.reason}:")
    return _with_times("t", criteria, conditions, params)


def _with_times(table: str, criteria: Criteria, conditions: list[str], params: list[Any]) -> tuple[str, list[Any]]:
    for sign, moment in (("<=", criteria.before), (">", criteria.after)):
        if moment is not None:
            conditions.append(f"{table}.due_at {sign} ?")
            params.append(to_db(moment))
    if criteria.workflow:
        conditions.append(_OF_WORKFLOW.format(table))
        params.append(criteria.workflow)
    return " AND ".join(conditions), params


_PLACES = {
    "outbox o": "o.due_at, o.instance_id, o.seq, o.position, '' AS event",
    "timer t": "t.due_at, t.instance_id, 0 AS seq, 0 AS position, t.event",
}


def _met(criteria: Criteria, kind_column: str = "o.kind") -> list[tuple[str, str, list[Any]]]:
    """The tables in which incidents can meet the criteria, each with its condition and what that binds."""
    found = ("outbox o", _effects(criteria, kind_column)), ("timer t", _timers(criteria))
    return [(table, *condition) for table, condition in found if condition is not None]


def _branches(criteria: Criteria, *, by_time: bool = False) -> list[tuple[str, list[Any]]]:
    """The statements of the effects and of the timers that meet the criteria, each with what it binds. `by_time` says
    that the first of many are wanted: SQLite is then kept from reading the index of kinds, and sorting what it finds
    there."""
    return [
        (f"SELECT {_PLACES[table]} FROM {table} WHERE {sql}", params)
        for table, sql, params in _met(criteria, "o.kind || ''" if by_time else "o.kind")
    ]


def keys(criteria: Criteria) -> Statement:
    """The statement of all incidents that meet the criteria, without an order, as (due_at, instance_id, seq, position,
    event): an effect has no event, and a timer neither seq nor position."""
    branches = _branches(criteria)
    if not branches:
        return "SELECT due_at, instance_id, seq, position, '' AS event FROM outbox WHERE 1 = 0", ()
    return " UNION ALL ".join(sql for sql, _ in branches), [param for _, params in branches for param in params]


ORDER = "due_at, instance_id, seq, position, event"
"""The oldest incident first."""

_ROWS = (
    "SELECT k.instance_id, k.seq, k.position, k.event, k.due_at, i.subject, i.workflow, i.version, i.state, o.kind, "
    "o.name, o.recipient, o.attempts, o.error, o.delivered, o.reason, o.host, o.answer, t.failures, t.error, "
    "o.language, o.figures "
    "FROM ({}) k JOIN instance i ON i.id = k.instance_id "
    "LEFT JOIN outbox o ON k.event = '' AND o.instance_id = k.instance_id AND o.seq = k.seq "
    "AND o.position = k.position "
    "LEFT JOIN timer t ON k.event <> '' AND t.instance_id = k.instance_id AND t.event = k.event "
    "ORDER BY k.due_at, k.instance_id, k.seq, k.position, k.event"
)
# Each branch is limited by itself, so that its index is read no further than to the page that is asked for. Where there
# is but one, what is skipped is skipped in its index.
_FIRST = f"SELECT * FROM ({{}} ORDER BY {ORDER} LIMIT ?) b"
_SOME = f"{{}} ORDER BY {ORDER} LIMIT ? OFFSET ?"
_OF_ONE_KIND = ORDER.removesuffix(", event")  # as the index has it: all effects have the same event, which is none
_FROM_END = ", ".join(f"{column} DESC" for column in _OF_ONE_KIND.split(", "))
_BROKEN = "SELECT 1 FROM timer WHERE failures > 0 LIMIT 1"


def listed(unit: Unit, criteria: Criteria, most: int, skip: int, total: int | None = None) -> list[Row]:
    """The incidents that meet the criteria, the oldest first, at most `most` after the first `skip`. Of `total`, where
    that is known as of the same moment, what is nearer to the end is read from there. Each is (instance,
    seq, position, event, since, subject, workflow, version, state of the instance, kind, name, recipient, attempts,
    error, delivered, reason, host, answer, failures, error of the timer, language, figures as JSON)."""
    branches = _branches(criteria, by_time=not criteria.host)
    if not branches:
        return []
    if criteria.channel != TIMER and (len(branches) == 1 or not unit.rows(_BROKEN)):  # as nearly always
        sql, params = branches[0]
        order = _OF_ONE_KIND
        if total is not None and skip < total < 2 * skip:
            order, most, skip = _FROM_END, min(most, total - skip), max(total - skip - most, 0)
        return unit.rows(_ROWS.format(f"{sql} ORDER BY {order} LIMIT ? OFFSET ?"), (*params, most, skip))
    last = min(most + skip, LARGEST)
    sql = " UNION ALL ".join(_FIRST.format(branch) for branch, _ in branches)
    params = [param for _, bound in branches for param in (*bound, last)]
    return unit.rows(_ROWS.format(_SOME.format(sql)), (*params, most, skip))


def one(unit: Unit, instance_id: int, within: tuple[int, int] | str) -> Row | None:
    """One open incident, as `listed` has it: an effect by seq and position, or a timer by its event. None where it is
    none."""
    if isinstance(within, str):
        sql = (
            "SELECT due_at, instance_id, 0 AS seq, 0 AS position, event FROM timer WHERE instance_id = ? AND event = ? "
            "AND failures > 0"
        )
        rows = unit.rows(_ROWS.format(sql), (instance_id, within))
    else:
        sql = (
            "SELECT due_at, instance_id, seq, position, '' AS event FROM outbox WHERE instance_id = ? AND seq = ? "
            "AND position = ? AND state = 'incident'"
        )
        rows = unit.rows(_ROWS.format(sql), (instance_id, *within))
    return rows[0] if rows else None


def count(unit: Unit, criteria: Criteria) -> int:
    """How many incidents meet the criteria."""
    return sum(
        unit.rows(f"SELECT COUNT(*) FROM {table} WHERE {sql}", params)[0][0] for table, sql, params in _met(criteria)
    )


def count_few(unit: Unit, criteria: Criteria, most: int) -> int:
    """How many incidents meet the criteria, up to `most`: no more of them are read."""
    total = 0
    for table, sql, params in _met(criteria, "o.kind || ''"):
        some = f"SELECT 1 FROM {table} WHERE {sql} LIMIT ?"
        total += unit.rows(f"SELECT COUNT(*) FROM ({some}) c", (*params, most))[0][0]
    return min(total, most)


_KIND = "SELECT kind, recipient, reason FROM outbox WHERE state = 'incident'{} ORDER BY kind, recipient, reason LIMIT 1"
_NEXT_KIND = (  # another reason, else another recipient, else another kind: SQLite reads no further than to the next
    "SELECT * FROM ({}) a UNION ALL SELECT * FROM ({}) b UNION ALL SELECT * FROM ({}) c".format(
        _KIND.format(" AND kind = ? AND recipient = ? AND reason > ?"),
        _KIND.format(" AND kind = ? AND recipient > ?"),
        _KIND.format(" AND kind > ?"),
    )
    + " ORDER BY 1, 2, 3 LIMIT 1"
)
_OF_KIND = "SELECT COUNT(*) FROM outbox WHERE state = 'incident' AND kind = ? AND recipient = ? AND reason = ?"


def by_channel(unit: Unit) -> list[Row]:
    """The open incidents of effects, as (kind, recipient, reason, count). The index is searched from one kind to the
    next, and each is counted in it: PostgreSQL would read the table to group them."""
    found: list[Row] = []
    rows = unit.rows(_KIND.format(""))
    while rows:
        found += rows
        kind, recipient, reason = rows[0]
        rows = unit.rows(_NEXT_KIND, (kind, recipient, reason, kind, recipient, kind))
    counts = unit.rows_of([(_OF_KIND, one) for one in found]) if found else []
    return [(*one, number) for one, [(number,)] in zip(found, counts, strict=True) if number]


def timer_errors(unit: Unit, most: int) -> list[Row]:
    """The errors of broken timers, as (error, count), at most `most` different ones."""
    return unit.rows(
        "SELECT error, COUNT(*) FROM timer WHERE failures > 0 GROUP BY error ORDER BY error LIMIT ?", (most,)
    )


def are_there(unit: Unit) -> bool:
    """Whether an effect is an incident."""
    return bool(unit.rows("SELECT 1 FROM outbox o WHERE o.state = 'incident' LIMIT 1"))


STOPPED = "i.incidents > 0"
"""The condition that an effect of the instance `i` is an incident. The database counts them in its row (migration 16),
and has an index of these rows by workflow, version and state."""


def of_instance(unit: Unit, instance_id: int, most: int) -> list[Row]:
    """The (seq, position) of the effects of an instance that are incidents, the first written first, at most `most`."""
    return unit.rows(
        "SELECT seq, position FROM outbox WHERE instance_id = ? AND state = 'incident' ORDER BY seq, position LIMIT ?",
        (instance_id, most),
    )


def since(instance_id: int, within: tuple[int, int] | str) -> Statement:
    """The statement that reads since when an effect or a timer is an incident; no row where it is none."""
    if isinstance(within, str):
        return "SELECT due_at FROM timer WHERE instance_id = ? AND event = ? AND failures > 0", (instance_id, within)
    return (
        "SELECT due_at FROM outbox WHERE instance_id = ? AND seq = ? AND position = ? AND state = 'incident'",
        (instance_id, *within),
    )
