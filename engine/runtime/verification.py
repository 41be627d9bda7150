"""Verification of all histories: a broken instance is reported and stops no other (I8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.errors import DatabaseAway, UnknownInstance
from engine.runtime import checkpoints, history
from engine.runtime.catching_up import LONGEST_WAIT
from engine.runtime.checkpoints import Sealing
from engine.runtime.history_rows import entries_of
from engine.store import outbox_rows
from engine.store.base import INSTANCE, IS_PAUSED, NEVER, Row, Unit, from_db, instance_of, to_db

_STEP = 1000
_PAUSED = f"SELECT 1 FROM instance i WHERE i.id = ? AND {IS_PAUSED}"
# Whatever is left of an instance: where its row was removed, its history or its timers still tell of it.
_NUMBERS = " UNION ".join(
    f"SELECT n FROM (SELECT DISTINCT {column} AS n FROM {table} WHERE {column} > ? ORDER BY {column} LIMIT ?) {table}_"
    for table, column in (
        ("instance", "id"),
        ("history", "instance_id"),
        ("timer", "instance_id"),
        ("outbox", "instance_id"),
        ("checkpoint_item", "instance_id"),
    )
)


def faults(engine: Sealing, number: int) -> list[str]:
    """The faults of one instance, as sentences; empty where all holds. Raises UnknownInstance where nothing shows that
    there ever was such an instance."""
    return list(finding(engine, number).faults)


def finding(engine: Sealing, number: int) -> history.Finding:
    """The same as `faults`, with the part of the history that no key verifies any more."""
    with engine.store.snapshot() as unit:
        found = _finding(engine, unit, number)
    return found if isinstance(found, history.Finding) else history.Finding(tuple(found))


def all_faults(engine: Sealing) -> Iterator[tuple[int, list[str]]]:
    """The same as `all_findings`, with the faults alone."""
    return ((number, list(finding.faults)) for number, finding in all_findings(engine))


def all_findings(engine: Sealing) -> Iterator[tuple[int, history.Finding]]:
    """Every instance of which any row is left, with its finding; at the end the finding of the checkpoints, as number
    0."""
    last = 0
    while True:
        with engine.store.reading() as unit:
            rows = unit.rows(_NUMBERS, (last, _STEP) * 5)
        numbers = sorted(row[0] for row in rows)[:_STEP]
        if not numbers:
            break
        for number in numbers:
            try:
                yield number, finding(engine, number)
            except UnknownInstance:  # it was removed meanwhile
                continue
        last = numbers[-1]
    with engine.store.snapshot() as unit:
        yield 0, history.Finding(tuple(_of_checkpoints(engine, unit)))


def _asleep(engine: Sealing, unit: Unit, number: int, timers: Iterable[Row]) -> list[str]:
    """The timers that would not be looked at when they are due. No seal covers `wake_at`: it is later than the due time
    where a timer could not fire, by at most one backoff, or while the instance is paused."""
    latest = engine.store.now() + LONGEST_WAIT
    return [
        f"the timer {event!r} is due at {to_db(from_db(due))}, and put off until {to_db(from_db(wake))}"
        for event, due, wake in timers
        if from_db(wake) > max(from_db(due), latest)
        and not (to_db(from_db(wake)) == NEVER and unit.rows(_PAUSED, (number,)))
    ]


def _of_checkpoints(engine: Sealing, unit: Unit) -> Iterator[str]:
    try:
        yield from checkpoints.faults_of_chain(engine, checkpoints.checkpoints(unit))
    except DatabaseAway:
        raise
    except Exception as error:  # whatever somebody wrote there
        yield f"checkpoints cannot be read: {type(error).__name__}: {error}"


def _finding(engine: Sealing, unit: Unit, number: int) -> history.Finding | list[str]:
    try:
        rows = unit.rows(INSTANCE, (number,))
        instance = instance_of(rows[0]) if rows else None
        entries = entries_of(unit, number)
        timers = unit.rows("SELECT event, due_at, wake_at FROM timer WHERE instance_id = ?", (number,))
        if instance is None and number in checkpoints.removals(engine, unit):
            return [] if not entries and not timers else ["it was removed on purpose, and not all of it is gone"]
        listed = checkpoints.faults_of_instance(unit, number, instance, entries)
        if instance is not None:
            there = {event: to_db(from_db(due)) for event, due, _ in timers}
            chained = history.verified(engine.history_keys, instance, entries, to_db)
            moved = history.faults_of_timers(entries, there) + _asleep(engine, unit, number, timers)
            wrong = (*chained.faults, *listed) or tuple(moved)
            return history.Finding(wrong, chained.unverifiable)
        left = [what for what, some in (("its history", entries), ("timers of it", timers)) if some]
        if left:
            return [f"its row is gone, {' and '.join(left)} still there", *listed]
        if listed:
            return listed
        if outbox_rows.is_any_of(unit, number):
            return ["its row and its history are gone, effects of it are still there"]
    except DatabaseAway:
        raise
    except Exception as error:  # whatever was written there: that is the finding
        return [f"it cannot be read: {type(error).__name__}: {error}"]
    raise UnknownInstance(f"There is no procedure {number}.")
