"""Commits are shared on SQLite: one flush for all that queued.

What a transition costs is mostly its flush. So who finds no writer becomes it, does its own work, and takes along the
work of whoever queued behind it meanwhile, then one COMMIT, and only then is anybody told. A refusal harms no other:
most refuse before they have written anything, and where one has, the batch is rolled back and done again with each
piece in a savepoint of its own, which costs more than the few that need it are worth otherwise. A lone client pays
nothing for it: its transaction is what it was, and no other thread takes part. Work is what `SqliteStore.run` is given;
who uses `begin` takes a turn of its own in the same queue. The order of asking holds for both.
"""

from __future__ import annotations

import sqlite3

from engine.errors import Busy, DatabaseAway
from engine.store.fair_lock import FairLock, Work
from engine.store.sqlite_unit import execute

_MOST_AT_ONCE = 64  # pieces of work in one commit: it bounds how long the first of them waits for the last


class _NotAlone(Exception):
    """A piece of work has written what is not to be kept, and others' writes stand before it."""


def work_off(writer: FairLock, connection: sqlite3.Connection, batch: list[Work]) -> None:
    """Do the first of the batch and what has queued meanwhile, which joins the batch, in one transaction that is left
    open. Raises DatabaseAway."""
    try:
        _do(writer, connection, batch)
    except _NotAlone:
        connection.execute("ROLLBACK")
        _do_each_in_a_savepoint(connection, batch)


def _do(writer: FairLock, connection: sqlite3.Connection, batch: list[Work]) -> None:
    """Do the first of the batch and what has queued, which joins it. Raises _NotAlone."""
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
    """What failed the commit of a batch, for those who were in it."""
    return error if isinstance(error, Busy | DatabaseAway) else DatabaseAway(f"{DatabaseAway.__doc__} ({error!r})")
