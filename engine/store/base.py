"""The engine's tables and the one transaction around them, on SQLite and on PostgreSQL with one behaviour (I9).

A `Unit` is one open transaction. It is opened for an instance, which it locks, or for a new one. It reads at once, and
may hold writes back, to send them together with the COMMIT:

- on SQLite every statement runs where it is written; a fair lock stands before `BEGIN IMMEDIATE`, because SQLite's own
  waiting lets one thread starve;
- on PostgreSQL each round trip costs more than the statement in it. Opening is one round trip (BEGIN, lock, timers,
  clock) and writing is one (all statements and the COMMIT), however many statements there are. Any read in between
  sends the held-back writes first, so a read always sees the writes before it.

Statements on the way of every transition are constant texts, which both drivers prepare once; peewee's query builder
would cost more than the database does. Everything else may use peewee: records that are used inside a unit take part in
its transaction.

Times are aware and in UTC in Python, and naive UTC in the tables, always with six decimals, so that they sort as text.
The clock is read after the lock is held: by the database on PostgreSQL, so that several machines agree.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

import peewee as pw

from engine.definition import Conflict, Instance
from engine.errors import ConfigurationError
from engine.store.current_database import Bound, CurrentDatabase, left, open_here
from engine.store.read_ahead import UNKNOWN, ReadAhead
from engine.store.statements import bind, plans
from engine.store.with_lock import Riding

Clock = Callable[[], datetime]
T = TypeVar("T")
Row = tuple[Any, ...]

database = CurrentDatabase()

NEVER = "9999-12-31 00:00:00.000000"  # for what is paused: resuming brings it forward
LONGEST_WAIT = 30.0  # seconds that anybody waits for a lock of the database before it is Busy
LARGEST = 2**63 - 1  # what a column of whole numbers holds, in either database


def to_db(moment: datetime) -> str:
    """An aware time as the tables hold it: naive UTC with six decimals, such as `2026-04-01 00:00:00.000000`."""
    global _written, _before
    known, text = _written  # a transition writes the time of its transaction several times, and due times between
    if known is moment:
        return text
    known, text = _before
    if known is not moment:
        text = _to_db(moment)
    _before, _written = _written, (moment, text)
    return text


_written: tuple[datetime | None, str] = (None, "")
_before: tuple[datetime | None, str] = (None, "")


def _to_db(moment: datetime) -> str:
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds")[:26]


def from_db(value: Any) -> datetime:
    """A time as a driver returns it (a text or a naive datetime), aware in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value + "+00:00")
    return cast(datetime, value).replace(tzinfo=UTC)


def time_in(value: Any) -> datetime | None:
    """The same; None for NULL, and for a text that is no time, as somebody has written it by hand: `verify` names it,
    and what looks at many goes on behind it."""
    try:
        return None if value is None else from_db(value)
    except ValueError:
        return None


def time_or_never(value: Any) -> datetime:
    """The same, and NEVER for a text that is no time: the database too sorts it behind all times."""
    return time_in(value) or from_db(NEVER)


class UtcField(pw.DateTimeField):
    """A column for an aware datetime in UTC; the table holds it naive."""

    def db_value(self, value: datetime | None) -> str | None:
        """The text for an aware time. Raises ValueError for a naive one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{self.name}: expected an aware time, got the naive {value!r}")
        return to_db(value)

    def python_value(self, value: Any) -> datetime | None:
        """The aware time for what a driver returns; None for NULL."""
        return None if value is None else from_db(value)


class Record(pw.Model):
    """The base of all records: a peewee model whose database is the current one (`current_database`)."""

    class Meta:
        database = database
        legacy_table_names = False


_push, _pop = pw.Database.push_transaction, pw.Database.pop_transaction


class SiteDatabase(pw.Database):
    """A peewee database in which records are while one of its transactions is open (`current_database`)."""

    is_shared = False  # whether processes on several machines may work on it at once

    def bound(self) -> Bound:
        """Bind records to this database inside the `with` block, unless a transaction on another one is opened in it.

        For a process that has opened several databases, and outside of their transactions; see `current_database`.
        """
        return Bound(self)

    def push_transaction(self, transaction: Any) -> None:
        """Extends `pw.Database.push_transaction`: records are in this database until the transaction ends."""
        open_here.databases.append(self)
        _push(self, transaction)

    def pop_transaction(self) -> Any:
        """Extends `pw.Database.pop_transaction`: records are no longer in this database on account of that
        transaction."""
        databases = open_here.databases
        if databases and databases[-1] is self:  # as nearly always
            del databases[-1]
        else:
            left(self)
        return _pop(self)

    def now(self) -> datetime:
        """The time, aware in UTC, outside of any unit: this machine's, unless several machines share the database."""
        return datetime.now(UTC)

    def give_back(self) -> None:
        """Return the thread's connection until its next query. Idempotent. On SQLite a thread keeps its connection."""

    def only_look(self) -> None:
        """Make the database read-only: it refuses writes on this thread's connection and on all that are opened
        later."""
        raise ConfigurationError(f"expected a database from open_database(), got {type(self).__name__}")

    def refuses_to_write(self, error: BaseException) -> bool:
        """Whether `error`, of the driver, says that the database or the connection is read-only."""
        return False

    def store(self, clock: Clock | None = None) -> Store:
        """The engine's store on this database. `clock` replaces the database's time."""
        raise ConfigurationError(f"expected a database from open_database(), got {type(self).__name__}")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """A write transaction for records, in fair order on SQLite."""
        with self.atomic():
            yield

    def violation_of(self, error: pw.IntegrityError) -> Exception:
        """The Violation that peewee's error means, where a unique index was violated; any other error unchanged."""
        return error


@contextmanager
def transaction() -> Iterator[None]:
    """A write transaction for records on the current database (`current_database`): all or nothing, in fair order on
    SQLite. Inside an open transaction it is a savepoint."""
    current = database.obj
    if current.transaction_depth():
        with current.savepoint():  # `atomic` refuses to be inside a unit
            yield
    else:
        with current.exclusive():
            yield


@dataclass(slots=True)
class Due:
    """A running timer. `due_at` is aware, in UTC; `failures` counts its tries that failed since it was set."""

    event: str
    due_at: datetime
    failures: int = 0


Opened = tuple[Instance, list[Due], datetime]
OpenedMany = tuple[list[tuple[Instance, list[Due]]], datetime]
Statement = tuple[str, Sequence[Any]]
Wanted = tuple[Any, Mapping[str, Any]]
"""A row that somebody wants: its model, or some columns of it (`only`), and the values of the columns that name it."""


def storable(text: str, most: int = 1000) -> str:
    """A text that both databases can hold, at most `most` characters. The row that PostgreSQL shows behind DETAIL is
    left out, because it may be personal (I8)."""
    readable = text.split("\nDETAIL", 1)[0].replace("\0", "�").encode("utf-8", "replace").decode()
    return readable[:most]


def table_of(error: BaseException) -> str:
    """The table that an error of the driver names, as PostgreSQL's do; empty where it names none."""
    return getattr(getattr(error, "diag", None), "table_name", None) or ""


class Violation(Exception):
    """A unique index was violated. `names` holds the index or its columns, as the database reported them."""

    def __init__(self, table: str, names: tuple[str, ...], detail: str) -> None:
        self.table, self.names = table, names
        super().__init__(detail)

    @property
    def index(self) -> str:
        """The name of the index. SQLite reports columns only; the name is then derived from them, as peewee names
        indexes."""
        return self.names[0] if self.names[0].startswith(f"{self.table}_") else "_".join((self.table, *self.names))

    def of(self, conflict: Conflict) -> bool:
        """Whether the violated index is the one that `conflict` declares."""
        return self.table == conflict.table and self.names in ((conflict.index,), conflict.columns)


class Unit(ABC):
    """One open transaction: `Records` for guards and writes, plain SQL for the engine. See the top of this file."""

    lock_suffix = ""
    is_postgres = False  # whose SQL reads what is within a JSON text otherwise
    owner = 0  # the instance whose statements follow, in a unit about many
    also: Sequence[Row] = ()
    channels_paused = False  # whether some channel was paused when an instance was read
    unchanged = False  # set by work whose transaction is to be rolled back
    ahead: ReadAhead | None = None  # what was read ahead, and has not changed since

    @abstractmethod
    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Read at once; the rows reflect every write before."""

    @abstractmethod
    def rows_of(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Read several statements, in one round trip where the database is remote. Returns the rows of each."""

    def flush(self) -> None:  # noqa: B027  (on SQLite nothing is pending)
        """Send the pending writes. Raises Violation."""

    def stop_steps(self, workflow: str, version: int) -> None:  # noqa: B027  (on SQLite nobody else writes anyway)
        """Lock a version: wait until no instance of it is being stepped, and keep every step waiting until this
        transaction ends."""

    def take_turns(self, name: bytes) -> None:  # noqa: B027  (on SQLite writers take turns anyway)
        """Lock a name: wait for the transaction that holds it, and keep others waiting until this transaction ends."""

    @abstractmethod
    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        """Write at once or together with what follows. Raises Violation, here or at the commit, where a unique index is
        violated."""

    @abstractmethod
    def changed(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Write at once. Returns the number of rows that were written. Raises Violation."""

    @abstractmethod
    def begin_part(self) -> None:
        """Set a savepoint; only one at a time. `end_part` or `undo_part` ends it."""

    @abstractmethod
    def end_part(self) -> None:
        """Release the savepoint and keep its writes. Their errors are raised here at the latest."""

    @abstractmethod
    def undo_part(self) -> None:
        """Roll back to the savepoint and release it, whatever has failed since."""

    def read_ahead(self, wanted: Iterable[Wanted]) -> None:  # noqa: B027  (SQLite answers at once, whenever it is asked)
        """Read rows together that will be asked for one by one (`read_ahead`)."""

    def get(self, model: Any, **equal: Any) -> Any | None:
        """See `Records.get`."""
        if self.ahead and (known := self.ahead.get(model, equal)) is not UNKNOWN:
            return known
        plan = plans.select(model, tuple(equal))
        rows = self.rows(plan.sql, bind(list(equal.values()), plan))
        return plans.row(model, rows[0]) if rows else None

    def exists(self, model: Any, **equal: Any) -> bool:
        """See `Records.exists`."""
        if self.ahead and (known := self.ahead.exists(model, equal)) is not UNKNOWN:
            return bool(known)
        plan = plans.touch(model, tuple(equal))
        return bool(self.rows(f"SELECT EXISTS ({plan.sql})", bind(list(equal.values()), plan))[0][0])

    def get_each(self, *wanted: Wanted) -> list[Any | None]:
        """See `Records.get_each`."""
        if self.ahead:
            known = [self.ahead.get(model, equal) for model, equal in wanted]
            if not any(row is UNKNOWN for row in known):
                return known
        statements: list[Statement] = []
        for model, equal in wanted:
            plan = plans.select(model, tuple(equal))
            statements.append((plan.sql, bind(list(equal.values()), plan)))
        answers = self.rows_of(statements)
        return [plans.row(model, rows[0]) if rows else None for (model, _), rows in zip(wanted, answers, strict=True)]

    def lock_rows(self, model: Any, **equal: Any) -> None:
        """See `Records.lock_rows`. On SQLite a write transaction has locked the whole database already."""
        if self.lock_suffix and not (self.ahead and self.ahead.holds(model, equal)):
            plan = plans.touch(model, tuple(equal))
            self.write(plan.sql + self.lock_suffix, bind(list(equal.values()), plan))
            if self.ahead:
                self.ahead = None

    def insert(self, model: Any, **values: Any) -> None:
        """See `Records.insert`."""
        plan = plans.insert(model, tuple(values))
        row = [*values.values(), *(default() if callable(default) else default for default in plan.defaults)]
        self.write(plan.sql, bind(row, plan))
        if self.ahead:
            self.ahead.forget(model)

    def update(self, model: Any, where: Mapping[str, Any], **values: Any) -> None:
        """See `Records.update`."""
        plan = plans.update(model, tuple(values), tuple(where))
        self.write(plan.sql, bind([*values.values(), *where.values()], plan))
        if self.ahead:
            self.ahead.forget(model)

    def delete(self, model: Any, **equal: Any) -> None:
        """See `Records.delete`."""
        plan = plans.delete(model, tuple(equal))
        self.write(plan.sql, bind(list(equal.values()), plan))
        if self.ahead:
            self.ahead = None


class Store(Protocol):
    """The database as the runtime needs it. `clock` replaces the database's own time in tests."""

    clock: Clock | None
    at_once: int  # how many instances may share a transaction when timers are fired

    def now(self) -> datetime:
        """The time that decides, aware in UTC: the database's on PostgreSQL, this machine's on SQLite, or that of
        `clock`."""

    def begin(self, *, flushes: bool = True) -> Any:
        """A context manager for a write transaction, as a `Unit`; it is rolled back unless `commit` was called.

        A commit that does not flush waits for no disk. It outlives its process, and everybody sees it at once; whoever
        commits next with a flush, as all do who have seen it and act on it, flushes it too. Until then a power cut
        undoes it. It is for steps of a work that a worker finds again and goes on with.
        """

    def run(self, call: Callable[[Any], T], *, many: bool = False) -> T:
        """Call `call` with a unit in a write transaction and commit. Returns what `call` returns, once that is durable.

        The transaction is rolled back where `call` raises or sets `unit.unchanged`. `call` may run in another thread,
        with the context variables of this one, and share its commit with other callers' work. It may be called again,
        after a rollback of the first time.

        With `many`, the work concerns many instances: `unit.owner` names the one whose statements follow, and
        statements of different instances may be sent together and in another order (see `batches`). Raises Violation,
        Busy, DatabaseAway, OutcomeUnknown.
        """

    def open_new(
        self, unit: Any, workflow: str, version: int, riding: Riding | None = None
    ) -> tuple[int, datetime, bool]:
        """The number of a new instance, the time, and whether its version is paused. No pause of the version begins
        before the unit ends. `riding` is as in `open`."""

    def open(
        self,
        unit: Any,
        instance_id: int,
        *,
        skip_locked: bool = False,
        also: Statement | None = None,
        riding: Riding | None = None,
    ) -> Opened | None:
        """Lock and read an instance with its timers and whether it is paused, then the clock.

        Neither the instance nor its version is paused from then on until the unit ends: no step comes after a pause.
        `also` is a further statement, read after the lock is held; its rows are in `unit.also`. `riding` are rows that
        rules will ask for: read after the lock is held, too, where that spares a round trip (`with_lock`).
        Returns None only with `skip_locked`, where another worker has locked the instance or it is gone. Raises
        UnknownInstance, Busy.
        """

    def open_due(self, unit: Any, moment: datetime, limit: int) -> OpenedMany:
        """Lock and read at most `limit` instances with a timer that is to be looked at by `moment`, the longest overdue
        first, with all their timers; then read the clock. Instances that another worker has locked are skipped."""

    def commit(self, unit: Any) -> None:
        """Commit the unit. Raises Violation, and the transaction is then rolled back; OutcomeUnknown where the
        connection broke."""

    def reading(self) -> Any:
        """A context manager for a read-only `Unit`, which locks nothing and never waits for a writer."""

    def snapshot(self) -> Any:
        """The same as `reading`, with everything that is read as of one moment."""

    def read(self, unit: Any, instance_id: int) -> Opened:
        """An instance with its timers, unlocked, and the time. Raises UnknownInstance."""

    def read_each(self, unit: Any, instance_ids: Sequence[int]) -> OpenedMany:
        """The same for many at once, in no order, without those that are gone."""


COLUMNS = "i.id, i.workflow, i.version, i.subject, i.state, i.seq, i.generation, i.head, i.nonce"
INSTANCE = f"SELECT {COLUMNS} FROM instance i WHERE i.id = ?"
# By the names of what may be paused, so that it is one look into an index however much is paused; and not even their
# names are made where nothing is.
IS_PAUSED = (
    "CASE WHEN EXISTS (SELECT 1 FROM pause WHERE ended_at IS NULL) THEN EXISTS (SELECT 1 FROM pause p WHERE "
    "p.ended_at IS NULL AND p.target IN ('instance ' || i.id, 'workflow ' || i.workflow || ' ' || i.version)) "
    "ELSE FALSE END"
)
VERSION_IS_PAUSED = "EXISTS (SELECT 1 FROM pause p WHERE p.ended_at IS NULL AND p.target = ?)"
A_CHANNEL_IS_PAUSED = "EXISTS (SELECT 1 FROM pause p WHERE p.ended_at IS NULL AND p.scope = 'channel')"
INSTANCE_AND_TIMERS = (
    f"SELECT {COLUMNS}, t.event, t.due_at, t.failures, {IS_PAUSED} "
    "FROM instance i LEFT JOIN timer t ON t.instance_id = i.id WHERE i.id = ?"
)


def instance_of(row: Row) -> Instance:
    """The instance of a row with the columns of `INSTANCE`."""
    return Instance(row[0], row[1], row[2], row[3], row[4], row[5], row[6], bytes(row[7]), bytes(row[8]))


def instances_and_timers(rows: Iterable[Row]) -> list[tuple[Instance, list[Due]]]:
    """The instances of rows with the columns of `INSTANCE_AND_TIMERS`, each with its timers, however often these are
    named."""
    found: dict[int, tuple[Instance, list[Due]]] = {}
    known: set[tuple[int, str]] = set()
    for row in rows:
        one = found.get(row[0])
        if one is None:
            one = found[row[0]] = instance_of(row), []
            one[0].paused = bool(row[12])
        if row[9] is not None and (row[0], row[9]) not in known:
            known.add((row[0], row[9]))
            one[1].append(Due(row[9], time_or_never(row[10]), row[11]))
    return list(found.values())


# The names of what halts an instance, as SQL of its row `i`.
INSTANCE_TARGETS = "'instance ' || i.id, 'workflow ' || i.workflow || ' ' || i.version"


def version_target(workflow: str, version: int) -> str:
    """The name of a version among the targets of pauses, as `IS_PAUSED` builds it."""
    return f"workflow {workflow} {version}"
