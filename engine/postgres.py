"""The store on PostgreSQL: few round trips, the database's clock, row locks. See the top of `store`.

READ COMMITTED is enough, because every rule over several rows is held by a unique index or a lock on the row that
they share. Statements travel through `wire`: sent together, answered together.
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
from psycopg.pq.abc import PGresult

from engine.errors import Busy, UnknownInstance
from engine.store import (
    INSTANCE,
    Clock,
    Due,
    Opened,
    Row,
    SiteDatabase,
    Statement,
    Unit,
    Violation,
    from_db,
    instance_of,
)
from engine.wire import wire_of

_LOCK = INSTANCE + " FOR UPDATE"
_LOCK_OR_SKIP = _LOCK + " SKIP LOCKED"
_TIMERS_AND_CLOCK = (
    "SELECT clock_timestamp() AT TIME ZONE 'UTC', t.event, t.due_at, t.failures "
    "FROM (SELECT 1) one LEFT JOIN timer t ON t.instance_id = ?"
)
_NEW = "SELECT nextval('instance_id_seq'), clock_timestamp() AT TIME ZONE 'UTC'"


class PostgresDatabase(SiteDatabase, PooledPsycopg3Database):
    """A pool of connections. What peewee sends inside a unit's transaction sees the unit's writes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.local = threading.local()

    def _connect(self) -> Any:
        connection = super()._connect()
        # After a rollback psycopg deallocates every prepared statement, the wire's too, if it prepared one of its own.
        connection.prepare_threshold = None
        return connection

    def give_back(self) -> None:
        """Return the thread's connection to the pool, which throws away those that broke."""
        if not self.is_closed():
            self.close()

    def execute_sql(self, sql: str, params: Any = None, **options: Any) -> Any:
        """Send what an open unit holds back, then the statement."""
        unit = getattr(self.local, "unit", None)
        if unit is not None:
            unit.flush()
        return super().execute_sql(sql, params, **options)


class _PostgresUnit(Unit):
    lock_suffix = " FOR NO KEY UPDATE"  # whoever only refers to the row need not wait

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.wire = wire_of(connection)
        self.committed = False
        self.held: list[Statement] = []

    def send(self, statements: Sequence[Statement]) -> list[PGresult]:
        """Send statements in one round trip; their answers. Raises Violation, Busy."""
        try:
            return self.wire.send(statements)
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
        return self.wire.rows(self.send([*held, (sql, params)])[-1])

    def rows_of(self, statements: Sequence[Statement]) -> list[list[Row]]:
        held, self.held = self.held, []
        answers = self.send([*held, *statements])
        return [self.wire.rows(answer) for answer in answers[len(held) :]]

    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        self.held.append((sql, params))

    def changed(self, sql: str, params: Sequence[Any] = ()) -> int:
        held, self.held = self.held, []
        return self.send([*held, (sql, params)])[-1].command_tuples or 0


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
        answers = unit.send(statements if also is None else [*statements, also])
        rows = unit.wire.rows
        if also is not None:
            unit.also = rows(answers.pop())
        found = rows(answers[-2])
        if not found:
            if skip_locked:
                return None
            raise UnknownInstance(f"There is no procedure {instance}.")
        timed = rows(answers[-1])
        timers = [Due(row[1], from_db(row[2]), row[3]) for row in timed if row[1] is not None]
        now = self.clock() if self.clock is not None else from_db(timed[0][0])
        return instance_of(found[0]), timers, now

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
        found, timed = unit.rows_of([(INSTANCE, (instance,)), (_TIMERS_AND_CLOCK, (instance,))])
        if not found:
            raise UnknownInstance(f"There is no procedure {instance}.")
        timers = [Due(row[1], from_db(row[2]), row[3]) for row in timed if row[1] is not None]
        return instance_of(found[0]), timers, self.clock() if self.clock is not None else from_db(timed[0][0])
