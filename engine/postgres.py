"""The store on PostgreSQL: few round trips, the database's clock, row locks. See the top of `store`.

READ COMMITTED is enough, because every rule over several rows is held by a unique index or a lock on the row that
they share. Statements travel in libpq's pipeline mode: sent together, answered together.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from playhouse.postgres_ext import PooledPsycopg3Database
from psycopg.errors import LockNotAvailable, QueryCanceled, UniqueViolation

from engine.errors import Busy, UnknownInstance
from engine.store import INSTANCE, TIMERS, Clock, Due, Opened, Row, Statement, Unit, Violation, from_db, instance_of

_LOCK = INSTANCE + " FOR UPDATE"
_LOCK_OR_SKIP = _LOCK + " SKIP LOCKED"
_TIMERS_AND_CLOCK = (
    "SELECT clock_timestamp() AT TIME ZONE 'UTC', t.event, t.due_at, t.failures "
    "FROM (SELECT 1) one LEFT JOIN timer t ON t.instance_id = ?"
)
_NEW = "SELECT nextval('instance_id_seq'), clock_timestamp() AT TIME ZONE 'UTC'"

_texts: dict[str, str] = {}


def _text(sql: str) -> str:
    """A statement with psycopg's marks."""
    found = _texts.get(sql)
    if found is None:
        found = _texts[sql] = sql.replace("%", "%%").replace("?", "%s")
    return found


class PostgresDatabase(PooledPsycopg3Database):
    """A pool of connections. What peewee sends inside a unit's transaction sees the unit's writes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.local = threading.local()

    def execute_sql(self, sql: str, params: Any = None, **options: Any) -> Any:
        """Send what an open unit holds back, then the statement."""
        unit = getattr(self.local, "unit", None)
        if unit is not None:
            unit.flush()
        return super().execute_sql(sql, params, **options)


class _PostgresUnit(Unit):
    lock_suffix = " FOR UPDATE"

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.connection = connection
        self.committed = False
        self.held: list[tuple[str, Sequence[Any]]] = []

    def send(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[psycopg.Cursor[Row]]:
        """Send statements together; their cursors, once all are answered."""
        connection = self.connection
        try:
            if len(statements) == 1:
                sql, params = statements[0]
                return [connection.execute(_text(sql), params, prepare=True)]
            cursors = []
            with connection.pipeline():
                for sql, params in statements:
                    cursor = connection.cursor()
                    cursor.execute(_text(sql), params, prepare=True)
                    cursors.append(cursor)
            return cursors
        except UniqueViolation as error:
            raise Violation(error.diag.table_name or "", (error.diag.constraint_name or "",), str(error)) from error
        except (LockNotAvailable, QueryCanceled) as error:
            raise Busy from error

    def flush(self) -> None:
        """Send what was held back."""
        if self.held:
            held, self.held = self.held, []
            self.send(held)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        held, self.held = self.held, []
        return self.send([*held, (sql, params)])[-1].fetchall()

    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        self.held.append((sql, params))

    def changed(self, sql: str, params: Sequence[Any] = ()) -> int:
        held, self.held = self.held, []
        return self.send([*held, (sql, params)])[-1].rowcount


class PostgresStore:
    """Several machines: row locks, SKIP LOCKED, the database's clock."""

    def __init__(self, db: PostgresDatabase, clock: Clock | None = None) -> None:
        self.db = db
        self.clock = clock

    def now(self) -> datetime:
        """The database's time, in UTC, or the given clock's."""
        if self.clock is not None:
            return self.clock()
        return from_db(self.db.execute_sql("SELECT clock_timestamp() AT TIME ZONE 'UTC'").fetchone()[0])

    @contextmanager
    def begin(self) -> Iterator[_PostgresUnit]:
        """See `Store.begin`. BEGIN itself travels with the first statement."""
        db = self.db
        if db.transaction_depth():
            raise RuntimeError("the engine owns its transaction: do not call it inside another one")
        connection = db.connection()
        unit = _PostgresUnit(connection)
        unit.held.append(("BEGIN", ()))
        db.push_transaction(db.manual_commit())
        db.local.unit = unit
        try:
            yield unit
        finally:
            db.local.unit = None
            db.pop_transaction()
            if not unit.committed:
                unit.held.clear()
                if not connection.closed:
                    connection.rollback()

    def open_new(self, unit: _PostgresUnit) -> tuple[int, datetime]:
        """See `Store.open_new`; a sequence never gives a number twice."""
        number, now = unit.rows(_NEW)[0]
        return number, self.clock() if self.clock is not None else from_db(now)

    def open(
        self, unit: _PostgresUnit, instance: int, *, skip_locked: bool = False, also: Statement | None = None
    ) -> Opened | None:
        """See `Store.open`: the clock and the timers are read by a statement of their own, after the lock is held."""
        held, unit.held = unit.held, []
        lock = _LOCK_OR_SKIP if skip_locked else _LOCK
        statements = [*held, (lock, (instance,)), (_TIMERS_AND_CLOCK, (instance,))]
        cursors = unit.send(statements if also is None else [*statements, also])
        if also is not None:
            unit.also = cursors.pop().fetchall()
        found = cursors[-2].fetchone()
        if found is None:
            if skip_locked:
                return None
            raise UnknownInstance(f"There is no procedure {instance}.")
        rows = cursors[-1].fetchall()
        timers = [Due(row[1], from_db(row[2]), row[3]) for row in rows if row[1] is not None]
        now = self.clock() if self.clock is not None else from_db(rows[0][0])
        return instance_of(found), timers, now

    def commit(self, unit: _PostgresUnit) -> None:
        """See `Store.commit`: what was held back and the COMMIT are one round trip."""
        held, unit.held = unit.held, []
        unit.send([*held, ("COMMIT", ())])
        unit.committed = True

    @contextmanager
    def reading(self) -> Iterator[_PostgresUnit]:
        """Plain statements: nothing is locked."""
        yield _PostgresUnit(self.db.connection())

    def read(self, unit: _PostgresUnit, instance: int) -> Opened:
        """See `Store.read`."""
        cursors = unit.send([(INSTANCE, (instance,)), (TIMERS, (instance,))])
        found = cursors[0].fetchone()
        if found is None:
            raise UnknownInstance(f"There is no procedure {instance}.")
        timers = [Due(row[0], from_db(row[1]), row[2]) for row in cursors[1].fetchall()]
        return instance_of(found), timers, self.now()
