"""The store on PostgreSQL: few round trips, the database's clock, row locks. See the top of `base`.

READ COMMITTED is enough, because every rule over several rows is held by a unique index or a lock on the row that
they share. Statements travel through `pipeline`: sent together, answered together.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from weakref import WeakSet

import peewee as pw
import psycopg
from playhouse.pool import MaxConnectionsExceeded
from playhouse.postgres_ext import PooledPsycopg3Database
from psycopg.errors import (
    IdleInTransactionSessionTimeout,
    ReadOnlySqlTransaction,
    UniqueViolation,
)
from psycopg.pq.abc import PGresult

from engine.errors import DatabaseAway, OutcomeUnknown, UnknownInstance
from engine.store.base import (
    A_CHANNEL_IS_PAUSED,
    COLUMNS,
    INSTANCE_AND_TIMERS,
    IS_PAUSED,
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
    T,
    Violation,
    from_db,
    instance_of,
    instances_and_timers,
    to_db,
    version_target,
)
from engine.store.current_database import entered, left
from engine.store.drivers import give_psycopg
from engine.store.postgres_unit import ColumnTypes, PostgresUnit, ReadingUnit, UnitOfMany
from engine.store.with_lock import Riding

give_psycopg()

# A step shares the lock of its instance's version with other steps, until its transaction ends; an act that pauses or
# resumes the version holds the lock exclusively. So whether it is paused is known once the next statement is answered.
_SHARE_VERSION = "pg_advisory_xact_lock_shared(hashtextextended(i.workflow, i.version))"
_LOCK = f"SELECT {COLUMNS}, {_SHARE_VERSION} FROM instance i WHERE i.id = ? FOR UPDATE"
_LOCK_OR_SKIP = _LOCK + " SKIP LOCKED"
_TIMERS_AND_CLOCK = (
    f"SELECT clock_timestamp() AT TIME ZONE 'UTC', t.event, t.due_at, t.failures, {IS_PAUSED} "
    "FROM instance i LEFT JOIN timer t ON t.instance_id = i.id WHERE i.id = ?"
)
_INSTANCE_TIMERS_CLOCK = INSTANCE_AND_TIMERS.replace(
    " FROM instance", f", clock_timestamp() AT TIME ZONE 'UTC', {A_CHANNEL_IS_PAUSED} FROM instance"
)
_EACH = _INSTANCE_TIMERS_CLOCK.replace("i.id = ?", "i.id = ANY(?)")
_DUE = (
    f"SELECT {COLUMNS}, {_SHARE_VERSION} FROM timer t JOIN instance i ON i.id = t.instance_id "
    "WHERE t.wake_at <= ? ORDER BY t.wake_at LIMIT ? FOR UPDATE OF i SKIP LOCKED"
)
_TIMERS_OF = "SELECT t.instance_id, t.event, t.due_at, t.failures FROM timer t WHERE t.instance_id = ANY(?)"
_PAUSED_OF = f"SELECT i.id FROM instance i WHERE i.id = ANY(?) AND {IS_PAUSED}"
_CLOCK = "SELECT clock_timestamp() AT TIME ZONE 'UTC'"
# A statement sees what was there when it began, and this one may have waited for the lock since then. A pause that it
# does not see has drawn a number, which no transaction hides: then whether the version is paused is NULL, and it is
# asked again.
_NEW = """
    WITH named AS MATERIALIZED (SELECT ?::text AS workflow, ?::integer AS version),
    held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(hashtextextended(workflow, version)) FROM named)
    SELECT nextval('instance_id_seq'), clock_timestamp() AT TIME ZONE 'UTC', CASE
    WHEN pg_sequence_last_value('pause_number_seq') IS DISTINCT FROM (SELECT MAX(number) FROM pause) THEN NULL
    ELSE EXISTS (SELECT 1 FROM pause p WHERE p.ended_at IS NULL
    AND p.target = (SELECT 'workflow ' || workflow || ' ' || version FROM named)) END FROM held
"""
_VERSION = f"SELECT {VERSION_IS_PAUSED}"

_SET_UP = f"""
    SET client_encoding = 'UTF8';
    SET default_transaction_isolation = 'read committed';
    SET lock_timeout = '{LONGEST_WAIT:.0f}s';
    SET idle_in_transaction_session_timeout = '120s';
    SET tcp_user_timeout = '60s'
"""


_FLUSHES_NOTHING = "SET LOCAL synchronous_commit = off"  # until the end of the transaction
_NOT_NOW = (ReadOnlySqlTransaction, IdleInTransactionSessionTimeout)  # which psycopg calls internal errors
_TIME_HOLDS = 60.0  # seconds; a crystal goes wrong by a few milliseconds in as many


class PostgresDatabase(SiteDatabase, PooledPsycopg3Database):
    """A pool of connections to PostgreSQL. A peewee query inside a unit's transaction sees the unit's writes."""

    is_shared = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.local = threading.local()
        self._set_up: WeakSet[Any] = WeakSet()
        self._begin_with = _SET_UP
        self._asked: tuple[float, datetime] | None = None  # the database's time, and when by the monotonic clock

    def _connect(self) -> Any:
        """A connection, new or from the pool, that depends on no default of the server and has a limit for every
        wait."""
        connection = super()._connect()
        if connection not in self._set_up:
            try:
                # After a rollback psycopg deallocates every prepared statement, the wire's too, if it prepared one.
                connection.prepare_threshold = None
                connection.execute(self._begin_with)
            except BaseException:
                self._close(connection, close_conn=True)  # its place is free again
                raise
            self._set_up.add(connection)
        return connection

    def connect(self, reuse_if_open: bool = False) -> bool:
        """See `pw.Database.connect`. An exhausted pool raises OperationalError, as any other reason for having no
        connection."""
        try:
            return bool(super().connect(reuse_if_open))
        except MaxConnectionsExceeded as error:
            raise pw.OperationalError(str(error)) from error

    def now(self) -> datetime:
        """The database's time, so that machines agree: asked once a minute, and carried on by the monotonic clock.

        Raises DatabaseAway where the database has never answered yet.
        """
        asked = self._asked
        if asked is None or (monotonic() - asked[0] > _TIME_HOLDS and getattr(self.local, "unit", None) is None):
            try:
                began = monotonic()
                found = from_db(self.execute_sql(_CLOCK).fetchone()[0])
                asked = self._asked = ((began + monotonic()) / 2, found)
            except pw.DatabaseError as error:
                if asked is None:
                    raise DatabaseAway from error
        return asked[1] + timedelta(seconds=monotonic() - asked[0])

    def give_back(self) -> None:
        """Return the thread's connection to the pool, which discards broken ones. Idempotent."""
        if not self.is_closed():
            self.close()

    def only_look(self) -> None:
        """See `SiteDatabase.only_look`. Open connections are closed, and opened again on demand."""
        self._begin_with = f"{_SET_UP}; SET default_transaction_read_only = on"
        self.give_back()
        self.close_all()

    def refuses_to_write(self, error: BaseException) -> bool:
        """See `SiteDatabase.refuses_to_write`."""
        return isinstance(error, ReadOnlySqlTransaction)

    def store(self, clock: Clock | None = None) -> Store:
        """See `SiteDatabase.store`."""
        return PostgresStore(self, clock)

    def violation_of(self, error: pw.IntegrityError) -> Exception:
        """See `SiteDatabase.violation_of`."""
        cause = error.__cause__ or error.__context__
        if not isinstance(cause, UniqueViolation):
            return error
        diagnosis = cause.diag
        return Violation(
            diagnosis.table_name or "", (diagnosis.constraint_name or "",), diagnosis.message_primary or ""
        )

    def execute_sql(self, sql: str, params: Any = None, **options: Any) -> Any:
        """Send what is pending in an open unit, then the statement. Raises DatabaseAway where the connection breaks."""
        unit = getattr(self.local, "unit", None)
        if unit is not None:
            unit.flush()
            unit.ahead = None
        else:
            self.replace_broken()
        try:
            return super().execute_sql(sql, params, **options)
        except pw.OperationalError as error:
            if not self.is_closed() and self.connection().closed:
                raise DatabaseAway from error
            raise
        except pw.InternalError as error:  # of a standby, or of a server that has become one
            if isinstance(error.__cause__ or error.__context__, _NOT_NOW):
                raise pw.OperationalError(str(error)) from error
            raise

    def replace_broken(self) -> None:
        """Discard the thread's connection where it broke, so that the next query gets a new one. An open transaction
        keeps it: its owner must hear of the error."""
        if not self.is_closed() and self.connection().closed and not self.transaction_depth():
            self.close()

    def _is_closed(self, connection: psycopg.Connection[Row]) -> bool:
        """Whether a pooled connection is dead. On an idle connection the server sends nothing but its farewell."""
        if connection.closed:
            return True
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN)
        return bool(waiting.poll(0))


class PostgresStore:
    """The store for several machines: row locks, SKIP LOCKED, the database's clock."""

    at_once = 500  # only callers that need one of its instances wait for a batch

    def __init__(self, db: PostgresDatabase, clock: Clock | None = None) -> None:
        self.db = db
        self.clock = clock
        self._types: ColumnTypes = {}

    def now(self) -> datetime:
        """The database's time, aware in UTC, or that of `clock`. Raises DatabaseAway."""
        if self.clock is not None:
            return self.clock()
        self._connection()
        return from_db(self.db.execute_sql(_CLOCK).fetchone()[0])

    def _connection(self) -> Any:
        """The thread's connection, a new one where the last one broke. Raises DatabaseAway."""
        self.db.replace_broken()
        try:
            return self.db.connection()
        except pw.OperationalError as error:
            raise DatabaseAway from error

    def begin(self, *, flushes: bool = True) -> AbstractContextManager[PostgresUnit]:
        """See `Store.begin`. BEGIN itself travels with the first statement."""
        return self._begin(PostgresUnit, flushes)

    @contextmanager
    def _begin(
        self, make: Callable[[psycopg.Connection[Row]], PostgresUnit], flushes: bool = True
    ) -> Iterator[PostgresUnit]:
        db = self.db
        if db.transaction_depth():
            raise RuntimeError("the engine owns its transaction: do not call it inside another one")
        connection = self._connection()
        unit = make(connection)
        unit.pending.append(("BEGIN", ()))
        if not flushes:
            unit.pending.append((_FLUSHES_NOTHING, ()))
        db.push_transaction(db.manual_commit())
        db.local.unit = unit
        try:
            yield unit
        finally:
            db.local.unit = None
            db.pop_transaction()
            if not unit.committed:
                unit.forget_pending()
                with suppress(psycopg.Error):  # a broken connection has rolled back; the first error is the one to tell
                    connection.rollback()

    def run(self, call: Callable[[PostgresUnit], T], *, many: bool = False) -> T:
        """See `Store.run`. Each commit is its caller's own here: PostgreSQL itself shares flushes among connections."""
        try:
            with self._begin(self._unit_of_many if many else PostgresUnit) as unit:
                result = call(unit)
                if not unit.unchanged:
                    self.commit(unit)
        except BaseException:
            if many:
                self._types.clear()  # a table that changed its columns is one of the reasons
            raise
        return result

    def _unit_of_many(self, connection: psycopg.Connection[Row]) -> UnitOfMany:
        return UnitOfMany(connection, self._types)

    def open_due(self, unit: PostgresUnit, moment: datetime, limit: int) -> OpenedMany:
        """See `Store.open_due`: timers and clock are read after the locks are held."""
        opened = {row[0]: (instance_of(row), list[Due]()) for row in unit.rows(_DUE, (to_db(moment), limit))}
        numbers = list(opened)
        timed, paused, clock = unit.rows_of([(_TIMERS_OF, (numbers,)), (_PAUSED_OF, (numbers,)), (_CLOCK, ())])
        for number, event, due_at, failures in timed:
            opened[number][1].append(Due(event, from_db(due_at), failures))
        for (number,) in paused:
            opened[number][0].paused = True
        return list(opened.values()), self.clock() if self.clock is not None else from_db(clock[0][0])

    def open_new(
        self, unit: PostgresUnit, workflow: str, version: int, riding: Riding | None = None
    ) -> tuple[int, datetime, bool]:
        """See `Store.open_new`. A sequence never yields a number twice."""
        answers = _ridden(unit, [*unit.take_pending(), (_NEW, (workflow, version))], riding)
        number, now, paused = unit.wire.rows(answers[-1])[0]
        if paused is None:
            paused = unit.rows(_VERSION, (version_target(workflow, version),))[0][0]
        return number, self.clock() if self.clock is not None else from_db(now), paused

    def open(
        self,
        unit: PostgresUnit,
        instance_id: int,
        *,
        skip_locked: bool = False,
        also: Statement | None = None,
        riding: Riding | None = None,
    ) -> Opened | None:
        """See `Store.open`: the clock and the timers are read by a statement of their own, after the lock is held."""
        pending = unit.take_pending()
        lock = _LOCK_OR_SKIP if skip_locked else _LOCK
        statements = [*pending, (lock, (instance_id,)), (_TIMERS_AND_CLOCK, (instance_id,))]
        if also is not None:
            statements.append(also)
        answers = _ridden(unit, statements, riding)
        rows = unit.wire.rows
        if also is not None:
            unit.also = rows(answers.pop())
        locked = rows(answers[-2])
        if not locked:
            if skip_locked:
                return None
            raise UnknownInstance(f"There is no procedure {instance_id}.")
        timed = rows(answers[-1])
        timers = [Due(row[1], from_db(row[2]), row[3]) for row in timed if row[1] is not None]
        now = self.clock() if self.clock is not None else from_db(timed[0][0])
        instance = instance_of(locked[0])
        if timed[0][4]:
            instance.paused = True
        return instance, timers, now

    def commit(self, unit: PostgresUnit) -> None:
        """See `Store.commit`. The pending writes and the COMMIT are one round trip. Raises OutcomeUnknown where it
        breaks."""
        pending = unit.take_pending()
        try:
            unit.send([*pending, ("COMMIT", ())])
        except DatabaseAway as error:
            raise OutcomeUnknown from error
        unit.committed = True

    @contextmanager
    def reading(self) -> Iterator[PostgresUnit]:
        """See `Store.reading`. Each statement has a snapshot of its own."""
        unit = ReadingUnit(self._connection())
        entered(self.db)
        try:
            yield unit
        finally:
            left(self.db)

    @contextmanager
    def snapshot(self) -> Iterator[PostgresUnit]:
        """See `Store.snapshot`: a REPEATABLE READ, READ ONLY transaction."""
        connection = self._connection()
        unit = ReadingUnit(connection)
        unit.pending.append(("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ()))
        entered(self.db)
        try:
            yield unit
        finally:
            left(self.db)
            unit.pending.clear()
            with suppress(psycopg.Error):
                connection.rollback()

    def read(self, unit: PostgresUnit, instance_id: int) -> Opened:
        """See `Store.read`."""
        rows = unit.rows(_INSTANCE_TIMERS_CLOCK, (instance_id,))  # one statement, so that they fit together
        if not rows:
            raise UnknownInstance(f"There is no procedure {instance_id}.")
        timers = [Due(row[9], from_db(row[10]), row[11]) for row in rows if row[9] is not None]
        instance = instance_of(rows[0])
        _, instance.paused, now, unit.channels_paused = rows[0][11:]
        return instance, timers, self.clock() if self.clock is not None else from_db(now)

    def read_each(self, unit: PostgresUnit, instance_ids: Sequence[int]) -> OpenedMany:
        """See `Store.read_each`."""
        rows = unit.rows(_EACH, (list(instance_ids),))
        if not rows:
            return [], self.now()
        now, unit.channels_paused = rows[0][13:]
        return instances_and_timers(rows), self.clock() if self.clock is not None else from_db(now)


def _ridden(unit: PostgresUnit, statements: Sequence[Statement], riding: Riding | None) -> list[PGresult]:
    """Send statements, and what rides along with them. Returns the answers to the former; the unit knows the rest."""
    more = riding.statements(unit.lock_suffix) if riding is not None else []
    answers = unit.send([*statements, *more])
    if riding is not None and more:
        unit.ahead = riding.known([unit.wire.rows(answer) for answer in answers[len(statements) :]])
    return answers[: len(statements)]
