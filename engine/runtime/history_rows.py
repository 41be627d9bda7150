"""Histories as the tables hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from engine.runtime import history
from engine.store.base import INSTANCE, Row, Unit, from_db, instance_of, time_in, to_db

HISTORY = (
    "SELECT seq, event, source, target, actor, at, due_at, data, mac, timers FROM history "
    "WHERE instance_id = ? ORDER BY seq"
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entry_of(row: Row) -> history.Entry:
    """The entry of a row with the columns of `HISTORY`."""
    seq, event, source, target, actor, at, due, data, mac, timers = row
    due_at = from_db(due) if due is not None else None
    return history.Entry(seq, event, source, target, actor, from_db(at), due_at, data, bytes(mac), timers)


def entry_shown(row: Row) -> history.Entry:
    """The same, to be shown: an entry whose time is spoilt is of 1 January 1970."""
    seq, event, source, target, actor, at, due, data, mac, timers = row
    when = time_in(at) or _EPOCH
    return history.Entry(seq, event, source, target, actor, when, time_in(due), data, bytes(mac), timers)


def legible(rows: Sequence[Row]) -> tuple[history.Entry, ...] | str:
    """The entries of rows of `HISTORY`; where a row was tampered with and is no entry, why it cannot be read."""
    try:
        return tuple(map(entry_of, rows))
    except (ValueError, TypeError) as error:
        return f"it cannot be read: {type(error).__name__}: {error}"


def entries_of(
    unit: Unit, instance_id: int, read: Callable[[Row], history.Entry] = entry_of
) -> tuple[history.Entry, ...]:
    """Every entry of an instance's history, oldest first, as `read` reads its row."""
    return tuple(map(read, unit.rows(HISTORY, (instance_id,))))


_ENTRY = (
    "SELECT seq, event, source, target, actor, at, due_at, data, mac, timers FROM history "
    "WHERE instance_id = ? AND seq = ?"
)


def entry_at(unit: Unit, instance_id: int, seq: int) -> history.Entry:
    """The entry `seq` of an instance's history, which there must be."""
    return entry_of(unit.rows(_ENTRY, (instance_id, seq))[0])


_LAST = HISTORY.replace("ORDER BY seq", "AND seq < ? ORDER BY seq DESC LIMIT ?")


def last_entries_of(unit: Unit, instance_id: int, most: int, before: int) -> tuple[history.Entry, ...]:
    """The last entries of an instance's history before the entry `before`, to be shown: at most `most`, oldest
    first."""
    return tuple(entry_shown(row) for row in reversed(unit.rows(_LAST, (instance_id, before, most))))


_SEALED_TIMES = (
    "SELECT timers FROM history WHERE instance_id = ? AND (timers IS NULL OR timers <> '') ORDER BY seq DESC LIMIT 1"
)


def sealed_times(unit: Unit, instance_id: int) -> dict[str, datetime] | None:
    """The due times, by event, that history says are set; None where its entries are older than the sealing of due
    times."""
    rows = unit.rows(_SEALED_TIMES, (instance_id,))
    if not rows or rows[0][0] is None:
        return None
    return {event: from_db(due) for event, due in json.loads(rows[0][0]).items()}


def as_sealed(unit: Unit, instance_id: int, events: Collection[str]) -> dict[str, str]:
    """The sealed due times of the timers `events`. A timer that somebody moved in the table is so not sealed where it
    is now."""
    sealed = sealed_times(unit, instance_id) or {}
    return {event: to_db(due) for event, due in sealed.items() if event in events}


def ends_with_a_seal_of(keys: Sequence[bytes], unit: Unit, instance_id: int) -> bool:
    """Whether one of the history keys sealed the last entry of an instance."""
    rows = unit.rows(INSTANCE, (instance_id,))
    entries = entries_of(unit, instance_id)
    if not rows or not entries:
        return False
    before = entries[-2].mac if len(entries) > 1 else b""
    known = instance_of(rows[0])
    return history.is_genuine(keys, known, known.version, entries[-1], before, to_db)
