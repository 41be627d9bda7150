"""Deadlines of instances, told in three ways that must agree: by the row, by its timers and history, and to pages."""

from __future__ import annotations

from datetime import datetime

from engine.operations.census import standing
from engine.operations.deadline_sql import deadline_events, deadline_in_state
from engine.runtime.engine import Engine
from engine.store.base import NEVER, from_db


def held_deadlines(engine: Engine, numbers: tuple[int, ...] = ()) -> dict[int, datetime | None]:
    """The deadlines that the rows of instances hold, all or those of `numbers`; None where none is set. Each row must
    hold what counts."""
    found, places = _held(engine, numbers)
    assert not {number for number, (known, _due) in found.items() if not known and places[number]}
    return {number: due for number, (_known, due) in found.items()}


def unknown_deadlines(engine: Engine) -> set[int]:
    """The instances in states with deadlines whose rows do not hold theirs. What the other rows hold must be right."""
    found, places = _held(engine)
    return {number for number, (known, _due) in found.items() if not known and places[number]}


def _held(
    engine: Engine, numbers: tuple[int, ...] = ()
) -> tuple[dict[int, tuple[bool, datetime | None]], dict[int, tuple[str, ...]]]:
    some = f"WHERE id IN ({', '.join('?' * len(numbers))})" if numbers else ""
    places = deadline_events(tuple(engine.workflows.values()))
    found, events_of = {}, {}
    with engine.store.reading() as unit:
        rows = unit.rows(
            f"SELECT id, workflow, version, state, seq, deadline_seq, deadline_at FROM instance {some} ORDER BY id",
            numbers,
        )
        told = standing(engine, [row[0] for row in rows])
        for number, workflow, version, state, seq, as_of, held in rows:
            events = events_of[number] = places.get((workflow, version, state), ())
            due = from_db(held) if held is not None and from_db(held) != from_db(NEVER) else None
            found[number] = as_of >= seq, due
            worked_out = None
            if events:
                sql, values = deadline_in_state(unit, events)
                worked_out = unit.rows(f"SELECT {sql} FROM instance i WHERE i.id = ?", [*values, number])[0][0]
            worked_out = from_db(worked_out) if worked_out is not None else None
            assert worked_out == told[number].deadline, number
            if as_of >= seq:
                assert due == worked_out, (number, state)
                assert (held is not None) == bool(events), (number, state, held)
    return found, events_of
