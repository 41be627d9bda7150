"""Group commit on SQLite: one flush for the work of all callers that queued.

A transition costs little but its flush. So a thread that finds no writer becomes the writer: it does its own work,
takes along the work that has queued behind it meanwhile, commits once, and only then tells anybody. A refusal harms no
other caller. Most refuse before they have written anything. Where one has written, the batch is rolled back and done
again with each piece of work in a savepoint of its own; doing so always would cost more. A lone caller pays nothing for
this: its transaction is its own, and no other thread takes part. Work is what `SqliteStore.run` is given; a caller of
`begin` takes a turn of its own in the same queue. The order of asking holds for both.
"""

from __future__ import annotations

import sqlite3

from engine.errors import Busy, DatabaseAway
from engine.store.fair_lock import FairLock, Work
from engine.store.sqlite_unit import execute

_MOST_AT_ONCE = 64  # pieces of work in one commit: it bounds how long the first of them waits for the last


class _NotAlone(Exception):
    """A piece of work has written what must not be kept, after others in the same transaction."""


def work_off(writer: FairLock, connection: sqlite3.Connection, batch: list[Work]) -> None:
    """Do the first work of the batch and what has queued meanwhile, which joins the batch, in one transaction that is
    left open. Raises DatabaseAway."""
    try:
        _do(writer, connection, batch)
    except _NotAlone:
        connection.execute("ROLLBACK")
        _do_each_in_a_savepoint(connection, batch)


def _do(writer: FairLock, connection: sqlite3.Connection, batch: list[Work]) -> None:
    """Do the first work of the batch and what has queued, which joins it. Raises _NotAlone, DatabaseAway."""
    work: Work | None = batch[0]
    while work is not None:
        if not connection.in_transaction:
            execute(connection, "BEGIN IMMEDIATE")
        before = connection.total_changes
        keep = work.do(connection)
        if not connection.in_transaction:  # SQLite gave the whole transaction up: a full disk, for one
            raise DatabaseAway
        if not keep and connection.total_changes != before:
            if len(batch) > 1:
                raise _NotAlone
            connection.execute("ROLLBACK")
        work = writer.next_work() if len(batch) < _MOST_AT_ONCE else None
        if work is not None:
            batch.append(work)


def _do_each_in_a_savepoint(connection: sqlite3.Connection, batch: list[Work]) -> None:
    execute(connection, "BEGIN IMMEDIATE")
    for work in batch:
        execute(connection, "SAVEPOINT work")
        keep = work.do(connection)
        if not connection.in_transaction:
            raise DatabaseAway
        if not keep:
            execute(connection, "ROLLBACK TO work")
        execute(connection, "RELEASE work")


def shared_error(error: BaseException) -> BaseException:
    """The error for the other callers of a batch whose commit failed."""
    return error if isinstance(error, Busy | DatabaseAway) else DatabaseAway(f"{DatabaseAway.__doc__} ({error!r})")
