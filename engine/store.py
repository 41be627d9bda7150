"""The engine's tables and the one transaction around them, on SQLite and on PostgreSQL with one behaviour (I9).

A `Unit` is one open transaction. It is opened by what it is about (an instance that must be locked, or a new one), it
reads at once and it may hold writes back, to send them together with the COMMIT:

- on SQLite every statement runs where it is written; a fair lock stands before `BEGIN IMMEDIATE`, because SQLite's own
  waiting lets one thread starve;
- on PostgreSQL each round trip costs more than the statement in it. Opening is one round trip (BEGIN, lock, timers,
  clock) and writing is one (all statements and the COMMIT), however many statements there are. Any read in between
  sends the held-back writes first, so a read always sees the writes before it.

Statements on the way of every transition are constant texts, which both drivers prepare once; peewee's query builder
would cost more than the database does. Everything else may use peewee: records inside a unit's transaction are in it.

Times are aware and in UTC in Python, and naive UTC in the tables, always with six decimals, so that they sort as text.
The clock is read after the lock is held: by the database on PostgreSQL, so that several machines agree.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections import deque, namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import urlsplit

import peewee as pw

from engine.definition import Conflict, Instance
from engine.errors import Busy, ConfigurationError, DatabaseAway, UnknownInstance

Clock = Callable[[], datetime]
Row = tuple[Any, ...]

database = pw.DatabaseProxy()

LONGEST_WAIT = 30.0  # seconds that anybody waits for a lock of the database before it is Busy


def to_db(moment: datetime) -> str:
    """An aware time as both databases take it: naive UTC with six decimals."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds")[:26]


def from_db(value: Any) -> datetime:
    """A time as either database gives it, aware in UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return cast(datetime, value).replace(tzinfo=UTC)


class UtcField(pw.DateTimeField):
    """An aware datetime in UTC; the column holds it naive."""

    def db_value(self, value: datetime | None) -> str | None:
        """Aware in, text out. A naive time is an error of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{self.name}: expected an aware time, got the naive {value!r}")
        return to_db(value)

    def python_value(self, value: Any) -> datetime | None:
        """Naive in, aware out."""
        return None if value is None else from_db(value)


class Record(pw.Model):
    """A table of the site."""

    class Meta:
        database = database
        legacy_table_names = False


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


class SiteDatabase(pw.Database):
    """A peewee database that knows when a thread has done with it for now."""

    def give_back(self) -> None:
        """The thread needs its connection no more until it asks again."""


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


def open_database(url: str, *, pool: int = 32) -> SiteDatabase:
    """Open `sqlite:///path` or `postgresql://…` and make it the one that all records use.

    Raises ConfigurationError when the URL is of neither form or its driver is not installed.
    """
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if not path:
            raise ConfigurationError("DATABASE_URL: sqlite:/// needs a path, as in sqlite:///var/tetsuzuki.db")
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # SQLite says it better
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # it holds what is personal
        opened: SiteDatabase = SqliteDatabase(path)
    elif urlsplit(url).scheme in ("postgresql", "postgres"):
        try:
            from engine.postgres import PostgresDatabase
        except ImportError as error:
            raise ConfigurationError(
                f"DATABASE_URL: PostgreSQL needs its driver: pip install tetsuzuki[pg] ({error})"
            ) from error
        opened = PostgresDatabase(url, max_connections=pool, stale_timeout=600, timeout=30)
    else:
        raise ConfigurationError(
            "DATABASE_URL: expected sqlite:///path or postgresql://user@host/name, "
            f"got one that begins with {url.split(':', 1)[0]!r}"
        )
    database.initialize(opened)
    return opened


@contextmanager
def transaction() -> Iterator[None]:
    """A write transaction for records: all or nothing, in fair order on SQLite; a part of one that is open already."""
    current = database.obj
    if current.transaction_depth():
        with current.savepoint():  # `atomic` refuses to be inside a unit
            yield
    elif isinstance(current, SqliteDatabase):
        with current.writer, current.atomic("IMMEDIATE"):
            yield
    else:
        with current.atomic():
            yield


@dataclass(slots=True)
class Due:
    """A timer as the database knows it."""

    event: str
    due_at: datetime
    failures: int = 0


Opened = tuple[Instance, list[Due], datetime]
Statement = tuple[str, Sequence[Any]]


def storable(text: str, most: int = 1000) -> str:
    """A text that both databases can hold, shortened; without the row that PostgreSQL shows behind DETAIL (I8)."""
    readable = text.split("\nDETAIL", 1)[0].replace("\0", "�").encode("utf-8", "replace").decode()
    return readable[:most]


def violation_of(error: pw.IntegrityError) -> Exception:
    """What peewee reports of a unique index, as a Violation; anything else as it is."""
    cause = error.__cause__ or error.__context__ or getattr(error, "orig", None)
    if isinstance(cause, sqlite3.IntegrityError):
        return _sqlite_violation(cause)
    diagnosis = getattr(cause, "diag", None)
    if diagnosis is not None and getattr(cause, "sqlstate", None) == "23505":
        return Violation(
            diagnosis.table_name or "", (diagnosis.constraint_name or "",), diagnosis.message_primary or ""
        )
    return error


class Violation(Exception):
    """A unique index was violated. `names` tells its index or its columns, as the database reported them."""

    def __init__(self, table: str, names: tuple[str, ...], detail: str) -> None:
        self.table, self.names = table, names
        super().__init__(detail)

    def of(self, conflict: Conflict) -> bool:
        """Whether it is this index."""
        return self.table == conflict.table and self.names in ((conflict.index,), conflict.columns)


class _Plan(NamedTuple):
    sql: str
    convert: tuple[tuple[int, Callable[[Any], Any]], ...]


class RecordPlans:
    """SQL for the three shapes in which guards and writes use records, made once per model and set of columns."""

    def __init__(self) -> None:
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        self._shapes: dict[Any, tuple[Any, tuple[tuple[int, Callable[[Any], Any]], ...]]] = {}

    @staticmethod
    def _fields(model: Any, names: Sequence[str]) -> list[pw.Field]:
        known = model._meta.combined
        unknown = [name for name in names if name not in known]
        if unknown:
            raise TypeError(f"{model.__name__} has no column {unknown[0]!r}; it has {', '.join(sorted(known))}")
        return [known[name] for name in names]

    @staticmethod
    def _converters(fields: Sequence[pw.Field], method: str) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
        return tuple(
            (index, getattr(field, method))
            for index, field in enumerate(fields)
            if isinstance(field, pw.DateTimeField | pw.DateField | pw.BooleanField)
        )

    def insert(self, model: Any, names: tuple[str, ...]) -> _Plan:
        """INSERT of the named columns and of the model's constant defaults."""
        plan = self._plans.get((model, "insert", names))
        if plan is None:
            fields = self._fields(model, names)
            columns = ", ".join(f'"{field.column_name}"' for field in fields)
            marks = ", ".join("?" * len(fields))
            plan = _Plan(
                f'INSERT INTO "{model._meta.table_name}" ({columns}) VALUES ({marks})',
                self._converters(fields, "db_value"),
            )
            self._plans[model, "insert", names] = plan
        return plan

    def update(self, model: Any, names: tuple[str, ...], where: tuple[str, ...]) -> _Plan:
        """UPDATE of the named columns."""
        plan = self._plans.get((model, "update", names, where))
        if plan is None:
            fields, keys = self._fields(model, names), self._fields(model, where)
            changes = ", ".join(f'"{field.column_name}" = ?' for field in fields)
            plan = _Plan(
                f'UPDATE "{model._meta.table_name}" SET {changes}{self._where(keys)}',
                self._converters([*fields, *keys], "db_value"),
            )
            self._plans[model, "update", names, where] = plan
        return plan

    def delete(self, model: Any, where: tuple[str, ...]) -> _Plan:
        """DELETE by equality."""
        plan = self._plans.get((model, "delete", where))
        if plan is None:
            keys = self._fields(model, where)
            plan = _Plan(
                f'DELETE FROM "{model._meta.table_name}"{self._where(keys)}', self._converters(keys, "db_value")
            )
            self._plans[model, "delete", where] = plan
        return plan

    def select(self, model: Any, where: tuple[str, ...]) -> _Plan:
        """SELECT of one row by equality."""
        plan = self._plans.get((model, "select", where))
        if plan is None:
            keys = self._fields(model, where)
            columns = ", ".join(f'"{field.column_name}"' for field in model._meta.sorted_fields)
            plan = _Plan(
                f'SELECT {columns} FROM "{model._meta.table_name}"{self._where(keys)} LIMIT 1',
                self._converters(keys, "db_value"),
            )
            self._plans[model, "select", where] = plan
        return plan

    def touch(self, model: Any, where: tuple[str, ...]) -> _Plan:
        """SELECT of nothing from rows by equality: whether there is one, or to lock them."""
        plan = self._plans.get((model, "touch", where))
        if plan is None:
            keys = self._fields(model, where)
            table = model._meta.table_name
            plan = _Plan(f'SELECT 1 FROM "{table}"{self._where(keys)}', self._converters(keys, "db_value"))
            self._plans[model, "touch", where] = plan
        return plan

    def row(self, model: Any, values: Row) -> Any:
        """One row as a light, read-only object whose attributes are the model's columns."""
        shape = self._shapes.get(model)
        if shape is None:
            fields = model._meta.sorted_fields
            columns = [field.column_name for field in fields]
            shape = namedtuple(model.__name__, columns), self._converters(fields, "python_value")
            self._shapes[model] = shape
        make, converters = shape
        if converters:
            changed = list(values)
            for index, convert in converters:
                changed[index] = convert(changed[index])
            return make(*changed)
        return make(*values)

    @staticmethod
    def _where(keys: Sequence[pw.Field]) -> str:
        if not keys:
            raise TypeError("records are named by at least one column")
        return " WHERE " + " AND ".join(f'"{field.column_name}" = ?' for field in keys)


plans = RecordPlans()


def _bind(values: list[Any], plan: _Plan) -> list[Any]:
    for index, convert in plan.convert:
        values[index] = convert(values[index])
    return values


class Unit(ABC):
    """One open transaction: `Records` for guards and writes, plain SQL for the engine. See the top of this file."""

    lock_suffix = ""
    also: Sequence[Row] = ()

    @abstractmethod
    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Read now, seeing every write before."""

    @abstractmethod
    def rows_of(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Several reads at once."""

    def take_turns(self, name: bytes) -> None:  # noqa: B027  (on SQLite writers take turns anyway)
        """Let whoever takes turns under the same name wait until this transaction ends."""

    @abstractmethod
    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        """Write now or together with what follows. Raises Violation, here or at commit, for a unique index."""

    @abstractmethod
    def changed(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Write now and tell how many rows it was."""

    def get(self, model: Any, **equal: Any) -> Any | None:
        """See `Records.get`."""
        plan = plans.select(model, tuple(equal))
        found = self.rows(plan.sql, _bind(list(equal.values()), plan))
        return plans.row(model, found[0]) if found else None

    def exists(self, model: Any, **equal: Any) -> bool:
        """See `Records.exists`."""
        plan = plans.touch(model, tuple(equal))
        return bool(self.rows(f"SELECT EXISTS ({plan.sql})", _bind(list(equal.values()), plan))[0][0])

    def get_each(self, *wanted: tuple[Any, Mapping[str, Any]]) -> list[Any | None]:
        """See `Records.get_each`."""
        statements: list[Statement] = []
        for model, equal in wanted:
            plan = plans.select(model, tuple(equal))
            statements.append((plan.sql, _bind(list(equal.values()), plan)))
        answers = self.rows_of(statements)
        return [plans.row(model, rows[0]) if rows else None for (model, _), rows in zip(wanted, answers, strict=True)]

    def hold(self, model: Any, **equal: Any) -> None:
        """See `Records.hold`. On SQLite whoever writes holds everything."""
        if self.lock_suffix:
            plan = plans.touch(model, tuple(equal))
            self.write(plan.sql + self.lock_suffix, _bind(list(equal.values()), plan))

    def insert(self, model: Any, **values: Any) -> None:
        """See `Records.insert`."""
        for field, default in model._meta.defaults.items():
            if field.name not in values and field.column_name not in values:
                values[field.name] = default() if callable(default) else default
        plan = plans.insert(model, tuple(values))
        self.write(plan.sql, _bind(list(values.values()), plan))

    def update(self, model: Any, where: Mapping[str, Any], **values: Any) -> None:
        """See `Records.update`."""
        plan = plans.update(model, tuple(values), tuple(where))
        self.write(plan.sql, _bind([*values.values(), *where.values()], plan))

    def delete(self, model: Any, **equal: Any) -> None:
        """See `Records.delete`."""
        plan = plans.delete(model, tuple(equal))
        self.write(plan.sql, _bind(list(equal.values()), plan))


class Store(Protocol):
    """What the runtime needs of a database. `clock` replaces the database's own time in tests."""

    clock: Clock | None

    def now(self) -> datetime:
        """The time that decides: the database's on PostgreSQL, this machine's on SQLite, or the given clock's."""

    def begin(self) -> Any:
        """A context manager: an open write transaction as a `Unit`; rolled back unless `commit`ted."""

    def open_new(self, unit: Any) -> tuple[int, datetime]:
        """The id of a new instance, and the time."""

    def open(
        self, unit: Any, instance: int, *, skip_locked: bool = False, also: Statement | None = None
    ) -> Opened | None:
        """Lock and read an instance with its timers, then the clock.

        None only with `skip_locked`, where somebody else holds it or it is gone.

        `also` is read in the same breath, after the lock is held; its rows are in `unit.also`.
        """

    def commit(self, unit: Any) -> None:
        """Make the unit durable. Raises Violation, and nothing of it is kept."""

    def reading(self) -> Any:
        """A context manager: a `Unit` for looking only, which locks nothing and never waits for a writer."""

    def snapshot(self) -> Any:
        """`reading`, where everything that is read must be of one moment."""

    def read(self, unit: Any, instance: int) -> Opened:
        """An instance with its timers, unlocked, and the time."""


INSTANCE = (
    "SELECT i.id, i.workflow, i.version, i.subject, i.state, i.seq, i.generation, i.head FROM instance i WHERE i.id = ?"
)
INSTANCE_AND_TIMERS = (
    "SELECT i.id, i.workflow, i.version, i.subject, i.state, i.seq, i.generation, i.head, "
    "t.event, t.due_at, t.failures FROM instance i LEFT JOIN timer t ON t.instance_id = i.id WHERE i.id = ?"
)
TIMERS = "SELECT event, due_at, failures FROM timer WHERE instance_id = ?"


def instance_of(row: Row) -> Instance:
    """An instance of the columns of `INSTANCE`."""
    return Instance(row[0], row[1], row[2], row[3], row[4], row[5], row[6], bytes(row[7]))


def _unjoin(rows: list[Row], instance: int) -> tuple[Instance, list[Due]]:
    if not rows:
        raise UnknownInstance(f"There is no procedure {instance}.")
    return instance_of(rows[0]), [Due(row[8], from_db(row[9]), row[10]) for row in rows if row[8] is not None]


class _SqliteUnit(Unit):
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
            raise _sqlite_error(error) from error

    def changed(self, sql: str, params: Sequence[Any] = ()) -> int:
        try:
            return self.connection.execute(sql, params).rowcount
        except sqlite3.Error as error:
            raise _sqlite_error(error) from error


def _sqlite_error(error: sqlite3.Error) -> Exception:
    if isinstance(error, sqlite3.IntegrityError):
        return _sqlite_violation(error)
    return _sqlite_trouble(error) if isinstance(error, sqlite3.OperationalError) else error


def _sqlite_trouble(error: sqlite3.OperationalError) -> Exception:
    """A database that is locked, full or unreadable, as what people are told; a mistake in a statement as it is."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return Busy()
    if any(word in text for word in ("disk", "full", "unable to open", "readonly")):
        return DatabaseAway(f"{DatabaseAway.__doc__} ({text})")
    return error


def _sqlite_violation(error: sqlite3.IntegrityError) -> Exception:
    """`UNIQUE constraint failed: account.customer_id, account.email` as a Violation; anything else as it is."""
    text = str(error)
    if not text.startswith("UNIQUE constraint failed: "):
        return error
    columns = [part.strip().split(".", 1) for part in text.split(": ", 1)[1].split(",")]
    if any(len(column) != 2 for column in columns):
        return error
    return Violation(columns[0][0], tuple(column[1] for column in columns), text)


class _SqliteTransaction:
    """From `BEGIN IMMEDIATE`, in fair order, to the end of the block; rolled back unless it was committed."""

    __slots__ = ("db", "unit")

    def __init__(self, db: SqliteDatabase) -> None:
        self.db = db

    def __enter__(self) -> _SqliteUnit:
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
                raise _sqlite_error(error) from error
        except BaseException:
            db.writer.release()
            raise
        db.push_transaction(db.manual)
        self.unit = _SqliteUnit(connection)
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

    def begin(self) -> _SqliteTransaction:
        """See `Store.begin`. Raises Busy when another process held the database for half a minute."""
        return _SqliteTransaction(self.db)

    def open_new(self, unit: _SqliteUnit) -> tuple[int, datetime]:
        """Ids never come back, even where rows were erased: a link of old must not fit a new instance."""
        found = unit.rows("SELECT seq FROM sqlite_sequence WHERE name = 'instance'")
        return (found[0][0] if found else 0) + 1, self.now()

    def open(
        self, unit: _SqliteUnit, instance: int, *, skip_locked: bool = False, also: Statement | None = None
    ) -> Opened | None:
        """See `Store.open`; the lock is the transaction's."""
        if also is not None:
            unit.also = unit.rows(*also)
        rows = unit.rows(INSTANCE_AND_TIMERS, (instance,))
        if skip_locked and not rows:
            return None
        return *_unjoin(rows, instance), self.now()

    def commit(self, unit: _SqliteUnit) -> None:
        """See `Store.commit`."""
        try:
            unit.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _sqlite_error(error) from error
        unit.committed = True

    @contextmanager
    def reading(self) -> Iterator[_SqliteUnit]:
        """A snapshot: WAL readers wait for nobody."""
        connection = self.db.connection()
        if connection.in_transaction:
            yield _SqliteUnit(connection)
            return
        connection.execute("BEGIN")
        self.db.push_transaction(self.db.manual)
        try:
            yield _SqliteUnit(connection)
        finally:
            self.db.pop_transaction()
            connection.execute("ROLLBACK")

    snapshot = reading

    def read(self, unit: _SqliteUnit, instance: int) -> Opened:
        """See `Store.read`."""
        return *_unjoin(unit.rows(INSTANCE_AND_TIMERS, (instance,)), instance), self.now()


def store_for(db: SiteDatabase, clock: Clock | None = None) -> Store:
    """The store that fits an opened database."""
    if isinstance(db, SqliteDatabase):
        return SqliteStore(db, clock)
    from engine.postgres import PostgresDatabase, PostgresStore

    if not isinstance(db, PostgresDatabase):
        raise ConfigurationError(f"expected a database from open_database(), got {type(db).__name__}")
    return PostgresStore(db, clock)


def as_date(value: Any) -> date:
    """A date column's value as either database gives it."""
    return date.fromisoformat(value) if isinstance(value, str) else cast(date, value)
