"""The store on SQLite: one machine, one writer at a time, in the order of asking. See the top of `base`.

**Commits are shared.** What a transition costs is mostly its flush. So who finds no writer becomes it, does its own
work, and takes along the work of whoever queued behind it meanwhile, then one COMMIT, and only then is anybody told. A
refusal harms no other: most refuse before they have written anything, and where one has, the batch is rolled back and
done again with each piece in a savepoint of its own, which costs more than the few that need it are worth otherwise. A
lone client pays nothing for it: its transaction is what it was, and no other thread takes part. Work is what
`SqliteStore.run` is given; who uses `begin` takes a turn of its own in the same queue. The order of asking holds for
both.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context, copy_context
from datetime import UTC, datetime
from typing import Any, TypeVar

import peewee as pw

from engine.definition import Instance
from engine.errors import Busy, DatabaseAway, UnknownInstance
from engine.store.base import (
    A_CHANNEL_IS_PAUSED,
    INSTANCE_AND_TIMERS,
    LONGEST_WAIT,
    VERSION_IS_PAUSED,
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
    to_db,
)

T = TypeVar("T")

_MOST_AT_ONCE = 64  # pieces of work in one commit: it bounds how long the first of them waits for the last


class Turn:
    """Somebody's place in the queue of a `FairLock`; whoever waits there sleeps at `gate`."""

    __slots__ = ("gate",)

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()


class Work(Turn):
    """A piece of work in the queue. Its turn comes, and it `leads`; or another writer took it along, and it is done."""

    __slots__ = ("call", "context", "error", "leads", "result")

    def __init__(self, call: Callable[[SqliteUnit], Any]) -> None:
        super().__init__()
        self.call = call
        self.context: Context = copy_context()  # what it speaks is for the reader of the thread that asked
        self.leads = False
        self.result: Any = None
        self.error: BaseException | None = None

    def do(self, connection: sqlite3.Connection) -> bool:
        """Do it; whether what it may have written is to be kept."""
        unit = SqliteUnit(connection)
        self.error = None
        try:
            self.result = self.context.run(self.call, unit)
        except Exception as error:
            self.error = error
        return self.error is None and not unit.unchanged


class FairLock:
    """A mutex that is handed over in the order in which it was asked for."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[Turn] = deque()
        self._held = False

    def acquire(self, timeout: float = -1) -> bool:
        """Wait for one's turn, at most `timeout` seconds unless it is negative; whether it came."""
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            turn = Turn()
            self._waiting.append(turn)
        return self._wait(turn, timeout)

    def _wait(self, turn: Turn, timeout: float) -> bool:
        if turn.gate.acquire(timeout=timeout):
            return True
        with self._mutex:
            try:
                self._waiting.remove(turn)
                return False
            except ValueError:  # its turn came at the last moment
                pass
        turn.gate.acquire()
        return True

    def acquire_or_queue(self, call: Callable[[SqliteUnit], Any], timeout: float) -> Work:
        """Work that leads, and the lock is held; or that was done meanwhile by another writer.

        Raises Busy after `timeout` seconds in which nobody has begun it.
        """
        work = Work(call)
        with self._mutex:
            if not self._held:
                self._held = work.leads = True
                return work
            self._waiting.append(work)
        if not self._wait(work, timeout):
            raise Busy
        return work

    def next_work(self) -> Work | None:
        """The work of whoever waits longest, for who holds the lock to do; None where that one wants the lock."""
        if not self._waiting:  # nobody else takes from it while the lock is held, so looking needs no mutex
            return None
        with self._mutex:
            if self._waiting and isinstance(self._waiting[0], Work):
                found = self._waiting.popleft()
                assert isinstance(found, Work)
                return found
        return None

    def release(self) -> None:
        """Hand over to whoever has waited longest."""
        with self._mutex:
            if self._waiting:
                turn = self._waiting.popleft()
                if isinstance(turn, Work):
                    turn.leads = True
                turn.gate.release()
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


_NEW = f"SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'instance'), {VERSION_IS_PAUSED}"
_READ = INSTANCE_AND_TIMERS.replace(" FROM instance i", f", {A_CHANNEL_IS_PAUSED} FROM instance i")
_DUE = INSTANCE_AND_TIMERS.replace(
    " FROM instance i LEFT JOIN timer t ON t.instance_id = i.id WHERE i.id = ?",
    " FROM (SELECT instance_id FROM timer WHERE wake_at <= ? ORDER BY wake_at LIMIT ?) d "
    "CROSS JOIN instance i ON i.id = d.instance_id CROSS JOIN timer t ON t.instance_id = i.id",  # in that order
)


def _unjoin(rows: list[Row], instance: int) -> tuple[Instance, list[Due]]:
    if not rows:
        raise UnknownInstance(f"There is no procedure {instance}.")
    found = instance_of(rows[0])
    if rows[0][12]:
        found.paused = True
    return found, [Due(row[9], from_db(row[10]), row[11]) for row in rows if row[9] is not None]


class SqliteUnit(Unit):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.committed = False
        self._cursor = connection.cursor()  # one for all: to make one takes as long as some statements

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return self._cursor.execute(sql, params).fetchall()

    def rows_of(self, statements: Sequence[Statement]) -> list[list[Row]]:
        return [self.rows(sql, params) for sql, params in statements]

    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        try:
            self._cursor.execute(sql, params)
        except sqlite3.Error as error:
            raise _error(error) from error

    def changed(self, sql: str, params: Sequence[Any] = ()) -> int:
        try:
            return self._cursor.execute(sql, params).rowcount
        except sqlite3.Error as error:
            raise _error(error) from error

    def begin_part(self) -> None:
        self.write("SAVEPOINT part")

    def end_part(self) -> None:
        self.write("RELEASE part")

    def undo_part(self) -> None:
        self.write("ROLLBACK TO part")
        self.write("RELEASE part")


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


def _execute(connection: sqlite3.Connection, statement: str) -> None:
    try:
        connection.execute(statement)
    except sqlite3.Error as error:
        raise _error(error) from error


def _shared(error: BaseException) -> BaseException:
    """What failed the commit of a batch, for those who were in it."""
    return error if isinstance(error, Busy | DatabaseAway) else DatabaseAway(f"{DatabaseAway.__doc__} ({error!r})")


class _NotAlone(Exception):
    """A piece of work has written what is not to be kept, and others' writes stand before it."""


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

    at_once = 64  # whoever writes meanwhile waits for that many

    def __init__(self, db: SqliteDatabase, clock: Clock | None = None) -> None:
        self.db = db
        self.clock = clock

    def now(self) -> datetime:
        """This machine's time, in UTC."""
        return self.clock() if self.clock is not None else datetime.now(UTC)

    def begin(self) -> _Transaction:
        """See `Store.begin`. Raises Busy when another process held the database for half a minute."""
        return _Transaction(self.db)

    def open_new(self, unit: SqliteUnit, workflow: str, version: int) -> tuple[int, datetime, bool]:
        """Ids never come back, even where rows were erased: a link of old must not fit a new instance."""
        last, paused = unit.rows(_NEW, (f"workflow {workflow} {version}",))[0]  # as `version_target`
        return (last or 0) + 1, self.now(), bool(paused)

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

    def open_due(
        self, unit: SqliteUnit, moment: datetime, limit: int
    ) -> tuple[list[tuple[Instance, list[Due]]], datetime]:
        """See `Store.open_due`; the lock is the transaction's."""
        opened: dict[int, tuple[Instance, list[Due]]] = {}
        known: set[tuple[int, str]] = set()  # an instance is found as often as it has timers that are due
        for row in unit.rows(_DUE, (to_db(moment), limit)):
            found = opened.get(row[0])
            if found is None:
                found = opened[row[0]] = instance_of(row), []
                found[0].paused = bool(row[12])
            if (row[0], row[9]) not in known:
                known.add((row[0], row[9]))
                found[1].append(Due(row[9], from_db(row[10]), row[11]))
        return list(opened.values()), self.now()

    def run(self, call: Callable[[SqliteUnit], T], *, many: bool = False) -> T:
        """See `Store.run`."""
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
        """Do one's own work and that of whoever queued meanwhile, in one commit. The lock is held."""
        db = self.db
        batch = [own]
        try:
            connection = db.connection()
            db.push_transaction(db.manual)
            try:
                try:
                    self._do(connection, batch)
                except _NotAlone:
                    connection.execute("ROLLBACK")
                    self._do_each_in_a_savepoint(connection, batch)
                if connection.in_transaction:
                    self.commit(SqliteUnit(connection))
            finally:
                db.pop_transaction()
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except BaseException as error:  # nothing of the batch was kept: each must hear of it
            for work in batch:
                work.error = work.error or (error if work is own else _shared(error))
            if not isinstance(error, Exception):
                raise
        finally:
            db.writer.release()
            for work in batch[1:]:
                work.gate.release()

    def _do(self, connection: sqlite3.Connection, batch: list[Work]) -> None:
        """Do the first of the batch and what has queued, which joins it. Raises _NotAlone."""
        writer = self.db.writer
        work: Work | None = batch[0]
        while work is not None:
            if not connection.in_transaction:
                _execute(connection, "BEGIN IMMEDIATE")
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

    @staticmethod
    def _do_each_in_a_savepoint(connection: sqlite3.Connection, batch: list[Work]) -> None:
        _execute(connection, "BEGIN IMMEDIATE")
        for work in batch:
            _execute(connection, "SAVEPOINT work")
            keep = work.do(connection)
            if not connection.in_transaction:
                raise DatabaseAway
            if not keep:
                _execute(connection, "ROLLBACK TO work")
            _execute(connection, "RELEASE work")

    @contextmanager
    def reading(self) -> Iterator[SqliteUnit]:
        """A snapshot: WAL readers wait for nobody."""
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

    def read(self, unit: SqliteUnit, instance: int) -> Opened:
        """See `Store.read`."""
        rows = unit.rows(_READ, (instance,))
        unit.channels_paused = bool(rows and rows[0][13])
        return *_unjoin(rows, instance), self.now()
