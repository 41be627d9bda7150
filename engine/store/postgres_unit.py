"""One open transaction on PostgreSQL, which holds writes back until the next read or the COMMIT."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.errors import (
    DeadlockDetected,
    ForeignKeyViolation,
    LockNotAvailable,
    QueryCanceled,
    SerializationFailure,
    UniqueViolation,
)
from psycopg.pq.abc import PGresult

from engine.errors import Busy, DatabaseAway, TransitionConflict
from engine.store.base import Row, Statement, Unit, Violation
from engine.store.batches import Sets
from engine.store.pipeline import wire_of

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
        except psycopg.OperationalError as error:
            raise DatabaseAway from error

    def take_pending(self) -> list[Statement]:
        """Take the pending statements, in order to send them."""
        pending, self.pending = self.pending, []
        return pending

    def forget_pending(self) -> None:
        """Discard the pending statements unsent."""
        self.pending.clear()

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

    lock_suffix = ""


class UnitOfMany(PostgresUnit):
    """A unit about many instances, whose writes are batched (`batches`)."""

    def __init__(self, connection: psycopg.Connection[Row], types: ColumnTypes) -> None:
        super().__init__(connection)
        self.types = types
        self.owned: list[tuple[int, str, Sequence[Any]]] = []

    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        self.owned.append((self.owner, sql, params))

    def forget_pending(self) -> None:
        """See `PostgresUnit.forget_pending`."""
        super().forget_pending()
        self.owned.clear()

    def flush(self) -> None:
        """See `PostgresUnit.flush`."""
        if self.owned or self.pending:
            self.send(self.take_pending())

    def take_pending(self) -> list[Statement]:
        """See `PostgresUnit.take_pending`."""
        owned, self.owned = self.owned, []
        pending = super().take_pending()
        return [*pending, *Sets(self._types_of).of(owned)] if owned else pending

    def _types_of(self, table: str) -> dict[str, str]:
        """The column types of a table. The server is asked once per table, until a batch fails."""
        found = self.types.get(table)
        if found is None:
            answer = self.wire.rows(self.send([(_TYPES, (table,))])[0])
            found = self.types[table] = dict(answer)
        return found
