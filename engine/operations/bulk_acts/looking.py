"""Views of bulk acts: what one would settle, how far each is, and what it could not settle. Read-only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.operations.incidents import Criteria, Incident, incidents
from engine.outcomes import effect_ref
from engine.runtime.engine import Engine
from engine.store import incident_rows
from engine.store.base import Row, Unit, from_db, to_db

ACT = (
    "b.number, b.act, b.criteria, b.new_host, b.actor, b.reason, b.begun_at, b.total, b.state, b.changed_at, "
    "b.changed_by, b.changed_reason, b.done, b.settled, b.refused"
)
# What is skipped is skipped in the index of numbers, without reading the acts.
_FROM = (
    f"SELECT {ACT} FROM bulk_act b WHERE b.number <= (SELECT f.number FROM bulk_act f ORDER BY f.number DESC LIMIT 1 "
    "OFFSET ?) ORDER BY b.number DESC LIMIT ?"
)
_COUNTS = "SELECT outcome, COUNT(*) FROM bulk_act_item WHERE act_number = ? GROUP BY outcome"
_REFUSED = (
    "SELECT place, instance_id, seq, position, event, why FROM bulk_act_item WHERE act_number = ? AND "
    "outcome = 'refused' ORDER BY place LIMIT ? OFFSET ?"
)


@dataclass(frozen=True, slots=True)
class BulkAct:
    """An act on many incidents: `act` is `retry`, `skip` or `amend`, and `new_host` the mail host that amending writes.

    `state` is `running`, `stopped` or `ended`; it has been so since `changed_at`, by whom and why the next two say,
    empty where nobody has stopped or resumed it. Of `total` incidents `done` were settled by it, `settled` by somebody
    else before, and `refused` could not be settled. Times are aware, in UTC.
    """

    number: int
    act: str
    criteria: Criteria
    new_host: str
    actor: str
    reason: str
    begun_at: datetime
    total: int
    state: str
    changed_at: datetime
    changed_by: str
    changed_reason: str
    done: int
    settled: int
    refused: int

    @property
    def left(self) -> int:
        """How many incidents it has not come to."""
        return self.total - self.done - self.settled - self.refused


@dataclass(frozen=True, slots=True)
class Item:
    """An incident that an act could not settle, and why."""

    ref: str
    instance_id: int
    why: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an act would settle: how many incidents, the first of them, and how many it leaves out, because they meet
    the criteria and this act cannot settle them. `criteria` are those that `begin` needs for exactly these."""

    count: int
    examples: Sequence[Incident]
    left_out: int
    criteria: Criteria


def foresee(engine: Engine, act: str, criteria: Criteria, most: int = 5) -> Foreseen:
    """What `act` would settle now, with at most `most` examples. Read-only."""
    criteria = replace(criteria, before=criteria.before or engine.store.now())
    narrowed = replace(criteria, act=act)
    with engine.store.reading() as unit:
        count = incident_rows.count(unit, narrowed)
        more = incident_rows.count(unit, criteria)
    return Foreseen(count, incidents(engine, narrowed, most), more - count, narrowed)


def bulk_acts(engine: Engine, most: int = 20, skip: int = 0) -> list[BulkAct]:
    """The acts, the newest first, at most `most` after the first `skip`. Read-only."""
    with engine.store.reading() as unit:
        rows = unit.rows(_FROM, (skip, most))
        return [act_of(unit, row) for row in rows]


def bulk_act(engine: Engine, number: int) -> BulkAct | None:
    """The act of this number; None where there is none. Read-only."""
    with engine.store.reading() as unit:
        rows = unit.rows(f"SELECT {ACT} FROM bulk_act b WHERE b.number = ?", (number,))
        return act_of(unit, rows[0]) if rows else None


def refused(engine: Engine, number: int, most: int = 20, skip: int = 0) -> list[Item]:
    """What an act could not settle, in its order; nothing once its items are forgotten. Read-only."""
    with engine.store.reading() as unit:
        rows = unit.rows(_REFUSED, (number, most, skip))
    return [Item(f"{row[1]}.{row[4]}" if row[4] else effect_ref(*row[1:4]), row[1], row[5]) for row in rows]


def act_of(unit: Unit, row: Row) -> BulkAct:
    """The act of a row with the columns `ACT`."""
    counts = {"done": row[12], "settled": row[13], "refused": row[14]}
    if row[8] != "ended":
        counts |= {outcome: number for outcome, number in unit.rows(_COUNTS, (row[0],)) if outcome}
    return BulkAct(
        number=row[0],
        act=row[1],
        criteria=criteria_of(row[2]),
        new_host=row[3],
        actor=row[4],
        reason=row[5],
        begun_at=from_db(row[6]),
        total=row[7],
        state=row[8],
        changed_at=from_db(row[9]),
        changed_by=row[10],
        changed_reason=row[11],
        **counts,
    )


def criteria_text(criteria: Criteria) -> str:
    """The criteria as the table keeps them: JSON, those alone that are given."""
    said: dict[str, Any] = {
        name: getattr(criteria, name)
        for name in ("channel", "workflow", "reason", "host", "act")
        if getattr(criteria, name)
    }
    said |= {name: to_db(moment) for name in ("before", "after") if (moment := getattr(criteria, name)) is not None}
    return json.dumps(said, ensure_ascii=False, sort_keys=True)


def criteria_of(text: str) -> Criteria:
    """The criteria that `criteria_text` has written."""
    said: Mapping[str, str] = json.loads(text)
    times = {name: from_db(said[name]) for name in ("before", "after") if name in said}
    return Criteria(**{name: value for name, value in said.items() if name not in times}, **times)  # type: ignore[arg-type]
