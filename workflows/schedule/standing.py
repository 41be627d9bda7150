"""How schedules stand: when each is due next, and how its last run went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.store.base import Row, Store, from_db

_STANDINGS = """
    SELECT s.instance, s.name, s.plugin, s.recurrence, s.missed, t.due_at, s.last_at, s.tried_at, s.outcome, s.reason,
        s.failing_since, s.done_at
    FROM schedule s LEFT JOIN timer t ON t.instance_id = s.instance AND t.event = 'run' ORDER BY s.name
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule that the site keeps, with the number of its procedure. Times are aware, in UTC.

    `next_at` is when it is due next; None while it is being planned. `last_at` is the occurrence that was tried last,
    at `tried_at`, with `outcome` ("accepted", "deferred", "failed") and `reason`; None and empty where none was.
    `failing_since` is when the tries that were not accepted began, `done_at` when one was accepted.
    """

    instance: int
    name: str
    plugin: str
    recurrence: str
    missed: str
    next_at: datetime | None
    last_at: datetime | None
    tried_at: datetime | None
    outcome: str
    reason: str
    failing_since: datetime | None
    done_at: datetime | None


def standings(store: Store) -> tuple[Standing, ...]:
    """Every schedule that the site keeps, by name. Read-only."""
    with store.reading() as unit:
        rows: list[Row] = unit.rows(_STANDINGS)
    return tuple(
        Standing(*row[:5], *(_time(value) for value in row[5:8]), *row[8:10], *(_time(value) for value in row[10:]))
        for row in rows
    )


def _time(value: object) -> datetime | None:
    return from_db(value) if value is not None else None
