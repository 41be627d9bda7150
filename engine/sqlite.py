"""The store on SQLite: one machine, one writer at a time, in the order of asking. See the top of `store`."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import peewee as pw

from engine.definition import Instance
from engine.errors import Busy, DatabaseAway, UnknownInstance
from engine.store import (
    INSTANCE_AND_TIMERS,
    LONGEST_WAIT,
    Clock,
    Due,
    Opened,
    Row,
    SiteDatabase,
    Statement,
    Store,
    Unit,
    Violation,
    from_db,
    instance_of,
)


class FairLock:
    """A mutex that is handed over in the order in which it was asked for."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self, timeout: float = -1) -> bool:
        """Wait for one's turn, at most `timeout` seconds unless it is negative; whether it came."""
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        if gate.acquire(timeout=timeout):
            return True
        with self._mutex:
            try:
                self._waiting.remove(gate)
            except ValueError:
                return True  # it was handed over at the last moment
            return False

    def release(self) -> None:
        """Hand over to whoever has waited longest."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False

    def __enter__(self) -> None:
        if not self.acquire(LONGEST_WAIT):
            raise Busy

    def __exit__(self, *_: object) -> None:
        self.release()


class SqliteDatabase(SiteDatabase, pw.SqliteDatabase):
    """SQLite as the site needs it: durable, with foreign keys, one writer at a time in fair order.

    A thread keeps its connection: opening one anew costs more than it holds.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            pragmas={"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "cache_size": -16384},
            timeout=LONGEST_WAIT,
        )
        self.writer = FairLock()
        self.manual = self.manual_commit()  # tells peewee that a transaction is open and not its own

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


def _unjoin(rows: list[Row], instance: int) -> tuple[Instance, list[Due]]:
    if not rows:
        raise UnknownInstance(f"There is no procedure {instance}.")
    return instance_of(rows[0]), [Due(row[8], from_db(row[9]), row[10]) for row in rows if row[8] is not None]


class SqliteUnit(Unit):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.committed = False

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return self.connection.execute(sql, params).fetchall()

    def rows_of(self, statements: Sequence[Statement]) -> list[list[Row]]:
        return [self.rows(sql, params) for sql, params in statements]

    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        try:
            self.connection.execute(sql, params)
        except sqlite3.Error as error:
            raise _error(error) from error

    def changed(self, sql: str, params: Sequence[Any] = ()) -> int:
        try:
            return self.connection.execute(sql, params).rowcount
        except sqlite3.Error as error:
            raise _error(error) from error


def _error(error: sqlite3.Error) -> Exception:
    if isinstance(error, sqlite3.IntegrityError):
        return violation(error)
    return _trouble(error) if isinstance(error, sqlite3.OperationalError) else error


def _trouble(error: sqlite3.OperationalError) -> Exception:
    """A database that is locked, full or unreadable, as what people are told; a mistake in a statement as it is."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return Busy()
    if any(word in text for word in ("disk", "full", "unable to open", "readonly")):
        return DatabaseAway(f"{DatabaseAway.__doc__} ({text})")
    return error


def violation(error: sqlite3.IntegrityError) -> Exception:
    """`UNIQUE constraint failed: account.customer_id, account.email` as a Violation; anything else as it is."""
    text = str(error)
    if not text.startswith("UNIQUE constraint failed: "):
        return error
    columns = [part.strip().split(".", 1) for part in text.split(": ", 1)[1].split(",")]
    if any(len(column) != 2 for column in columns):
        return error
    return Violation(columns[0][0], tuple(column[1] for column in columns), text)


class _Transaction:
    """From `BEGIN IMMEDIATE`, in fair order, to the end of the block; rolled back unless it was committed."""

    __slots__ = ("db", "unit")

    def __init__(self, db: SqliteDatabase) -> None:
        self.db = db

    def __enter__(self) -> SqliteUnit:
        db = self.db
        if db.transaction_depth():
            raise RuntimeError("the engine owns its transaction: do not call it inside another one")
        if not db.writer.acquire(LONGEST_WAIT):
            raise Busy
        try:
            connection = db.connection()
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise _error(error) from error
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
            self.db.writer.release()


class SqliteStore:
    """One machine: WAL, synchronous FULL, one writer at a time in the order of asking."""

    def __init__(self, db: SqliteDatabase, clock: Clock | None = None) -> None:
        self.db = db
        self.clock = clock

    def now(self) -> datetime:
        """This machine's time, in UTC."""
        return self.clock() if self.clock is not None else datetime.now(UTC)

    def begin(self) -> _Transaction:
        """See `Store.begin`. Raises Busy when another process held the database for half a minute."""
        return _Transaction(self.db)

    def open_new(self, unit: SqliteUnit) -> tuple[int, datetime]:
        """Ids never come back, even where rows were erased: a link of old must not fit a new instance."""
        found = unit.rows("SELECT seq FROM sqlite_sequence WHERE name = 'instance'")
        return (found[0][0] if found else 0) + 1, self.now()

    def open(
        self, unit: SqliteUnit, instance: int, *, skip_locked: bool = False, also: Statement | None = None
    ) -> Opened | None:
        """See `Store.open`; the lock is the transaction's."""
        if also is not None:
            unit.also = unit.rows(*also)
        rows = unit.rows(INSTANCE_AND_TIMERS, (instance,))
        if skip_locked and not rows:
            return None
        return *_unjoin(rows, instance), self.now()

    def commit(self, unit: SqliteUnit) -> None:
        """See `Store.commit`."""
        try:
            unit.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _error(error) from error
        unit.committed = True

    @contextmanager
    def reading(self) -> Iterator[SqliteUnit]:
        """A snapshot: WAL readers wait for nobody."""
        connection = self.db.connection()
        if connection.in_transaction:
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

    def read(self, unit: SqliteUnit, instance: int) -> Opened:
        """See `Store.read`."""
        return *_unjoin(unit.rows(INSTANCE_AND_TIMERS, (instance,)), instance), self.now()
