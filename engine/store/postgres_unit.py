"""One open transaction on PostgreSQL, which holds writes back until the next read or the COMMIT."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.errors import (
    DeadlockDetected,
    ForeignKeyViolation,
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
    QueryCanceled,
    ReadOnlySqlTransaction,
    SerializationFailure,
    UniqueViolation,
)
from psycopg.pq.abc import PGresult

from engine.errors import Busy, DatabaseAway, TransitionConflict
from engine.store.base import Row, Statement, Unit, Violation, Wanted
from engine.store.batches import Sets
from engine.store.pipeline import wire_of
from engine.store.read_ahead import ReadAhead
from engine.store.statements import bind, plans, whole

ColumnTypes = dict[str, dict[str, str]]
"""The types of columns as PostgreSQL names them, by table and column."""

# An act that pauses or resumes a version holds its lock exclusively; a step of an instance shares it.
_LOCK_VERSION_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(?, ?))"
_TYPES = (
    "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
    "WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped"
)


class PostgresUnit(Unit):
    """A unit that holds writes back, to send them together with the next read or the COMMIT."""

    is_postgres = True
    only_reads = False
    lock_suffix = " FOR NO KEY UPDATE"  # a transaction that only refers to the row need not wait

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.wire = wire_of(connection)
        self.committed = False
        self.pending: list[Statement] = []

    def send(self, statements: Sequence[Statement]) -> list[PGresult]:
        """Send statements in one round trip. Returns their answers. Raises Violation, Busy, DatabaseAway, and
        TransitionConflict where a row that was read is gone by now, and another one was to refer to it."""
        try:
            return self.wire.send(statements)
        except UniqueViolation as error:
            raise Violation(error.diag.table_name or "", (error.diag.constraint_name or "",), str(error)) from error
        except ForeignKeyViolation as error:
            raise TransitionConflict from error
        except (LockNotAvailable, QueryCanceled, DeadlockDetected, SerializationFailure) as error:
            raise Busy from error
        except ReadOnlySqlTransaction as error:
            if self.only_reads:  # and a rule wanted to write
                raise
            raise DatabaseAway from error
        except (psycopg.OperationalError, IdleInTransactionSessionTimeout) as error:
            raise DatabaseAway from error

    def take_pending(self) -> list[Statement]:
        """Take the pending statements, in order to send them."""
        pending, self.pending = self.pending, []
        return pending

    def forget_pending(self) -> None:
        """Discard the pending statements unsent."""
        self.pending.clear()
        self.ahead = None

    def flush(self) -> None:
        """Send the pending statements. Raises Violation, Busy, DatabaseAway."""
        if self.pending:
            self.send(self.take_pending())

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return self.wire.rows(self.send([*self.take_pending(), (sql, params)])[-1])

    def rows_of(self, statements: Sequence[Statement]) -> list[list[Row]]:
        pending = self.take_pending()
        answers = self.send([*pending, *statements])
        return [self.wire.rows(answer) for answer in answers[len(pending) :]]

    def take_turns(self, name: bytes) -> None:
        number = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big", signed=True)
        self.write("SELECT pg_advisory_xact_lock(?)", (number,))

    def stop_steps(self, workflow: str, version: int) -> None:
        self.rows(_LOCK_VERSION_ALONE, (workflow, version))

    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        self.pending.append((sql, params))

    def changed(self, sql: str, params: Sequence[Any] = ()) -> int:
        return self.send([*self.take_pending(), (sql, params)])[-1].command_tuples or 0

    def begin_part(self) -> None:
        self.send([*self.take_pending(), ("SAVEPOINT part", ())])

    def end_part(self) -> None:
        self.send([*self.take_pending(), ("RELEASE SAVEPOINT part", ())])

    def undo_part(self) -> None:
        self.forget_pending()
        self.send([("ROLLBACK TO SAVEPOINT part", ()), ("RELEASE SAVEPOINT part", ())])


class ReadingUnit(PostgresUnit):
    """A unit that only reads: who looks locks nothing and waits for nobody, whatever a rule asks for (I4)."""

    only_reads = True

    lock_suffix = ""


_SOON = 64  # instances whose writes are sent while those of the next ones are worked out


class UnitOfMany(PostgresUnit):
    """A unit about many instances, whose writes are batched (`batches`).

    The server writes what the first instances leave behind while the next ones are worked out: what it answers is read
    with the next statement that waits.
    """

    def __init__(self, connection: psycopg.Connection[Row], types: ColumnTypes) -> None:
        super().__init__(connection)
        self.types = types
        self.owned: list[tuple[int, str, Sequence[Any]]] = []
        self._owners = 0

    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        owned = self.owned
        if not owned or owned[-1][0] != self.owner:
            if self._owners == _SOON:
                self.wire.start(self.take_pending())
                owned = self.owned
            self._owners += 1
        owned.append((self.owner, sql, params))

    def forget_pending(self) -> None:
        """See `PostgresUnit.forget_pending`."""
        super().forget_pending()
        self.owned.clear()
        self._owners = 0
        self.wire.forget()

    def flush(self) -> None:
        """See `PostgresUnit.flush`."""
        if self.owned or self.pending or self.wire.waits:
            self.send(self.take_pending())

    def take_pending(self) -> list[Statement]:
        """See `PostgresUnit.take_pending`."""
        owned, self.owned, self._owners = self.owned, [], 0
        pending = super().take_pending()
        return [*pending, *Sets(self._types_of).of(owned)] if owned else pending

    def read_ahead(self, wanted: Iterable[Wanted]) -> None:
        """See `Unit.read_ahead`: all rows of one shape are one statement."""
        ahead = ReadAhead()
        groups: dict[tuple[Any, tuple[str, ...]], dict[tuple[Any, ...], Mapping[str, Any]]] = {}
        for model, equal in wanted:
            groups.setdefault((model, tuple(equal)), {})[tuple(equal.values())] = equal
        if not groups:
            return
        statements = [self._rows_ahead(model, names, list(asked.values())) for (model, names), asked in groups.items()]
        answers = self.rows_of(statements)
        for (model, _names), asked, rows in zip(groups, groups.values(), answers, strict=True):
            found = {row[0]: row[1:] for row in rows}
            for number, equal in enumerate(asked.values(), start=1):
                ahead.put(model, frozenset(equal.items()), found.get(number))
        self.ahead = ahead

    def _rows_ahead(self, model: Any, names: tuple[str, ...], asked: Sequence[Mapping[str, Any]]) -> Statement:
        """The statement that reads, for each of `asked`, its number and its row."""
        plan = plans.select(model, names)
        types, columns = self._types_of(whole(model)._meta.table_name), plans.columns(model, names)
        arrays = ", ".join(f"?::{types[column]}[]" for column in columns)
        marks = ", ".join(f"p{index}" for index in range(len(columns)))
        parts = plan.sql.split("?")
        each = "".join(part + (f"v.p{index}" if index < len(columns) else "") for index, part in enumerate(parts))
        bound = zip(*(bind(list(equal.values()), plan) for equal in asked), strict=True)
        return (
            f"SELECT v.n, f.* FROM unnest({arrays}) WITH ORDINALITY AS v({marks}, n) CROSS JOIN LATERAL ({each}) f",
            [list(column) for column in bound],
        )

    def _types_of(self, table: str) -> dict[str, str]:
        """The column types of a table. The server is asked once per table, until a batch fails."""
        found = self.types.get(table)
        if found is None:
            answer = self.wire.rows(self.send([(_TYPES, (table,))])[0])
            found = self.types[table] = dict(answer)
        return found
