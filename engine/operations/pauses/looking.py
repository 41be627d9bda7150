"""Views of pauses: what is paused, since when, and what resuming would set going. Read-only."""

from __future__ import annotations

from engine.errors import EventNotPossible
from engine.operations.pauses import standing
from engine.runtime.engine import Engine
from engine.runtime.pauses.rows import PAUSE, effects_in, open_pause, pause_of
from engine.runtime.pauses.scopes import Pause, Resuming, Scope, WaitingEffect
from engine.store import outbox_rows
from engine.store.base import INSTANCE_TARGETS


def paused(engine: Engine, most: int = 1000, skip: int = 0) -> list[Pause]:
    """The lasting pauses, the oldest first, at most `most` after the first `skip`."""
    with engine.store.reading() as unit:
        rows = unit.rows(
            f"SELECT {PAUSE} FROM pause p WHERE p.ended_at IS NULL ORDER BY p.number LIMIT ? OFFSET ?", (most, skip)
        )
    return [pause_of(row) for row in rows]


def pause_numbered(engine: Engine, number: int) -> Pause | None:
    """The lasting pause with this number; None where there is none."""
    with engine.store.reading() as unit:
        rows = unit.rows(f"SELECT {PAUSE} FROM pause p WHERE p.number = ? AND p.ended_at IS NULL", (number,))
    return pause_of(rows[0]) if rows else None


def pauses(engine: Engine, most: int = 1000) -> list[Pause]:
    """The last pauses, the newest first, ended ones included, at most `most`."""
    with engine.store.reading() as unit:
        rows = unit.rows(f"SELECT {PAUSE} FROM pause p ORDER BY p.number DESC LIMIT ?", (most,))
    return [pause_of(row) for row in rows]


def pauses_of(engine: Engine, instance_id: int) -> list[Pause]:
    """The lasting pauses that halt an instance: its own, and that of its version."""
    with engine.store.reading() as unit:
        rows = unit.rows(
            f"SELECT {PAUSE} FROM instance i JOIN pause p ON p.ended_at IS NULL AND p.target IN "
            f"({INSTANCE_TARGETS}) WHERE i.id = ? ORDER BY p.number",
            (instance_id,),
        )
    return [pause_of(row) for row in rows]


def what_resumes(engine: Engine, scope: Scope, most: int = 20) -> Resuming:
    """What resuming `scope` would set going, the first `most` of each named. What another pause halts as well is left
    out. Raises EventNotPossible where `scope` is not paused."""
    now = engine.store.now()
    with engine.store.snapshot() as unit:
        lasting = open_pause(unit, scope)
        if lasting is None:
            raise EventNotPossible(f"There is no pause of {scope}.")
        timers, timer_count, put_off = standing.resuming(engine, unit, lasting, now, most)
        condition, params = effects_in(scope)
        condition += (
            f" AND NOT EXISTS (SELECT 1 FROM pause p WHERE p.ended_at IS NULL AND p.number <> ? AND p.target IN "
            f"({INSTANCE_TARGETS}, 'channel ' || o.kind, 'channel ' || o.kind || ':' || o.recipient))"
        )
        effect_count, effects = outbox_rows.waiting(unit, condition, (*params, lasting.number), most)
    return Resuming(
        lasting,
        tuple(timers),
        timer_count,
        tuple(WaitingEffect(r[0], r[1], r[2], r[3], r[4], bool(r[5])) for r in effects),
        effect_count,
        put_off,
    )
