"""The store on SQLite: one machine, one writer at a time, in the order of asking. See the top of `base`.

Commits are group commits (`shared_commits`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import peewee as pw

from engine.definition import Instance
from engine.errors import Busy, UnknownInstance
from engine.store.base import (
    A_CHANNEL_IS_PAUSED,
    INSTANCE_AND_TIMERS,
    LONGEST_WAIT,
    VERSION_IS_PAUSED,
    Clock,
    Due,
    Opened,
    OpenedMany,
    Row,
    SiteDatabase,
    Statement,
    Store,
    Violation,
    instance_of,
    instances_and_timers,
    time_or_never,
    to_db,
)
from engine.store.fair_lock import FairLock, Work
from engine.store.shared_commits import shared_error, work_off
from engine.store.sqlite_unit import SqliteUnit, error_of, violation
from engine.store.with_lock import Riding

T = TypeVar("T")


class SqliteDatabase(SiteDatabase, pw.SqliteDatabase):
    """SQLite as the site needs it: durable (WAL, `synchronous=FULL`), with foreign keys, one writer at a time.

    Writers take turns in the order of asking. A thread keeps its connection, because opening a new one costs more than
    keeping it.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            pragmas={
                "journal_mode": "wal",
                "synchronous": "full",
                "foreign_keys": 1,
                "cache_size": -16384,
                "temp_store": "memory",  # what a savepoint remembers is then never written to a file
            },
            timeout=LONGEST_WAIT,
            cached_statements=512,  # more than the site has; by default the driver keeps 128
        )
        self.writer = FairLock()
        self.manual = self.manual_commit()  # tells peewee that a transaction is open and not its own

    def only_look(self) -> None:
        """See `SiteDatabase.only_look`."""
        self.pragma("query_only", 1, permanent=True)

    def refuses_to_write(self, error: BaseException) -> bool:
        """See `SiteDatabase.refuses_to_write`."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary one (https://sqlite.org/rescode.html)
        return isinstance(error, sqlite3.Error) and code == sqlite3.SQLITE_READONLY

    def store(self, clock: Clock | None = None) -> Store:
        """See `SiteDatabase.store`."""
        return SqliteStore(self, clock)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See `SiteDatabase.exclusive`."""
        with self.writer, self.atomic("IMMEDIATE"):
            yield

    def violation_of(self, error: pw.IntegrityError) -> Exception:
        """See `SiteDatabase.violation_of`."""
        cause = error.__cause__ or error.__context__
        found = violation(cause) if isinstance(cause, sqlite3.IntegrityError) else error
        return found if isinstance(found, Violation) else error


_FLUSHES, _FLUSHES_NOTHING = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
_NEW = f"SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'instance'), {VERSION_IS_PAUSED}"
_READ = INSTANCE_AND_TIMERS.replace(" FROM instance i", f", {A_CHANNEL_IS_PAUSED} FROM instance i")
_DUE = INSTANCE_AND_TIMERS.replace(
    " FROM instance i LEFT JOIN timer t ON t.instance_id = i.id WHERE i.id = ?",
    " FROM (SELECT instance_id FROM timer WHERE wake_at <= ? ORDER BY wake_at LIMIT ?) d "
    "CROSS JOIN instance i ON i.id = d.instance_id CROSS JOIN timer t ON t.instance_id = i.id",  # in that order
)


def _unjoin(rows: list[Row], instance_id: int) -> tuple[Instance, list[Due]]:
    if not rows:
        raise UnknownInstance(f"There is no procedure {instance_id}.")
    instance = instance_of(rows[0])
    if rows[0][12]:
        instance.paused = True
    return instance, [Due(row[9], time_or_never(row[10]), row[11]) for row in rows if row[9] is not None]


class _Transaction:
    """A write transaction, from `BEGIN IMMEDIATE` in fair order to the end of the block; rolled back unless it was
    committed."""

    __slots__ = ("db", "flushes", "unit")

    def __init__(self, db: SqliteDatabase, flushes: bool) -> None:
        self.db = db
        self.flushes = flushes

    def __enter__(self) -> SqliteUnit:
        db = self.db
        if db.transaction_depth():
            raise RuntimeError("the engine owns its transaction: do not call it inside another one")
        if not db.writer.acquire(LONGEST_WAIT):
            raise Busy
        try:
            connection = db.connection()
            try:
                if not self.flushes:
                    connection.execute(_FLUSHES_NOTHING)
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise error_of(error) from error
        except BaseException:
            db.writer.release()
            raise
        db.push_transaction(db.manual)
        self.unit = SqliteUnit(connection)
        return self.unit

    def __exit__(self, *_: object) -> None:
        try:
            self.db.pop_transaction()
            if not self.unit.committed and self.unit.connection.in_transaction:
                self.unit.connection.execute("ROLLBACK")
        finally:
            try:
                if not self.flushes:
                    self.unit.connection.execute(_FLUSHES)
            finally:
                self.db.writer.release()


class SqliteStore:
    """The store for one machine: WAL, `synchronous=FULL`, one writer at a time in the order of asking."""

    at_once = 64  # instances; other writers wait for so many

    def __init__(self, db: SqliteDatabase, clock: Clock | None = None) -> None:
        self.db = db
        self.clock = clock

    def now(self) -> datetime:
        """This machine's time, aware in UTC, or that of `clock`."""
        return self.clock() if self.clock is not None else datetime.now(UTC)

    def begin(self, *, flushes: bool = True) -> _Transaction:
        """See `Store.begin`. Raises Busy where other writers have held the database for LONGEST_WAIT seconds."""
        return _Transaction(self.db, flushes)

    def open_new(
        self, unit: SqliteUnit, workflow: str, version: int, riding: Riding | None = None
    ) -> tuple[int, datetime, bool]:
        """See `Store.open_new`. Numbers are never reused, even after rows were erased: an old link must not fit a new
        instance."""
        last, paused = unit.rows(_NEW, (f"workflow {workflow} {version}",))[0]  # as `version_target`
        return (last or 0) + 1, self.now(), bool(paused)

    def open(
        self,
        unit: SqliteUnit,
        instance_id: int,
        *,
        skip_locked: bool = False,
        also: Statement | None = None,
        riding: Riding | None = None,
    ) -> Opened | None:
        """See `Store.open`. The transaction itself is the lock, and no round trip is spared."""
        if also is not None:
            unit.also = unit.rows(*also)
        rows = unit.rows(INSTANCE_AND_TIMERS, (instance_id,))
        if skip_locked and not rows:
            return None
        return *_unjoin(rows, instance_id), self.now()

    def commit(self, unit: SqliteUnit) -> None:
        """See `Store.commit`."""
        try:
            unit.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise error_of(error) from error
        unit.committed = True

    def open_due(self, unit: SqliteUnit, moment: datetime, limit: int) -> OpenedMany:
        """See `Store.open_due`. The transaction itself is the lock."""
        # An instance is found as often as it has timers that are due.
        return instances_and_timers(unit.rows(_DUE, (to_db(moment), limit))), self.now()

    def run(self, call: Callable[[SqliteUnit], T], *, many: bool = False) -> T:
        """See `Store.run`. The work may share its commit with others (`shared_commits`). Raises Busy after LONGEST_WAIT
        seconds."""
        db = self.db
        if db.transaction_depth():
            raise RuntimeError("the engine owns its transaction: do not call it inside another one")
        work = db.writer.acquire_or_queue(call, LONGEST_WAIT)
        if work.leads:
            self._lead(work)
        if work.error is not None:
            raise work.error
        result: T = work.result
        return result

    def _lead(self, own: Work) -> None:
        """Do one's own work and what has queued meanwhile, in one commit. The lock is held, and released at the end."""
        db = self.db
        batch = [own]
        try:
            connection = db.connection()
            db.push_transaction(db.manual)
            try:
                work_off(db.writer, connection, batch)
                if connection.in_transaction:
                    self.commit(SqliteUnit(connection))
            finally:
                db.pop_transaction()
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except BaseException as error:  # the batch was rolled back: each caller must hear of it
            for work in batch:
                work.error = work.error or (error if work is own else shared_error(error))
            if not isinstance(error, Exception):
                raise
        finally:
            db.writer.release()
            for work in batch[1:]:
                work.gate.release()

    @contextmanager
    def reading(self) -> Iterator[SqliteUnit]:
        """See `Store.reading`: a snapshot. Readers of a WAL database wait for nobody."""
        connection = self.db.connection()
        if connection.in_transaction:  # that of a unit, a look or `atomic` around it
            with self.db.bound():
                yield SqliteUnit(connection)
            return
        connection.execute("BEGIN")
        self.db.push_transaction(self.db.manual)
        try:
            yield SqliteUnit(connection)
        finally:
            self.db.pop_transaction()
            connection.execute("ROLLBACK")

    snapshot = reading

    def read(self, unit: SqliteUnit, instance_id: int) -> Opened:
        """See `Store.read`."""
        rows = unit.rows(_READ, (instance_id,))
        unit.channels_paused = bool(rows and rows[0][13])
        return *_unjoin(rows, instance_id), self.now()

    def read_each(self, unit: SqliteUnit, instance_ids: Sequence[int]) -> OpenedMany:
        """See `Store.read_each`."""
        some = f"i.id IN ({', '.join('?' * len(instance_ids))})"
        rows = unit.rows(_READ.replace("i.id = ?", some), instance_ids)
        unit.channels_paused = bool(rows and rows[0][13])
        return instances_and_timers(rows), self.now()
