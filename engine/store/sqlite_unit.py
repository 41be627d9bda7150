"""One open transaction on SQLite, and the meaning of its errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from engine.errors import Busy, DatabaseAway
from engine.store.base import Row, Statement, Unit, Violation


class SqliteUnit(Unit):
    """A unit on SQLite: each statement runs where it is written."""

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
            raise error_of(error) from error

    def changed(self, sql: str, params: Sequence[Any] = ()) -> int:
        try:
            return self._cursor.execute(sql, params).rowcount
        except sqlite3.Error as error:
            raise error_of(error) from error

    def begin_part(self) -> None:
        self.write("SAVEPOINT part")

    def end_part(self) -> None:
        self.write("RELEASE part")

    def undo_part(self) -> None:
        self.write("ROLLBACK TO part")
        self.write("RELEASE part")


def execute(connection: sqlite3.Connection, statement: str) -> None:
    """Execute a statement. Raises Violation, Busy, DatabaseAway."""
    try:
        connection.execute(statement)
    except sqlite3.Error as error:
        raise error_of(error) from error


def error_of(error: sqlite3.Error) -> Exception:
    """The engine's error for one of the driver: Violation, Busy or DatabaseAway; any other error unchanged."""
    if isinstance(error, sqlite3.IntegrityError):
        return violation(error)
    return _trouble(error) if isinstance(error, sqlite3.OperationalError) else error


def _trouble(error: sqlite3.OperationalError) -> Exception:
    """Busy for a locked database, DatabaseAway for one that is full or unreadable; a mistake in a statement
    unchanged."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return Busy()
    if any(word in text for word in ("disk", "full", "unable to open", "readonly")):
        return DatabaseAway(f"{DatabaseAway.__doc__} ({text})")
    return error


def violation(error: sqlite3.IntegrityError) -> Exception:
    """The Violation for `UNIQUE constraint failed: account.customer_id, account.email`; any other error unchanged."""
    text = str(error)
    if not text.startswith("UNIQUE constraint failed: "):
        return error
    columns = [part.strip().split(".", 1) for part in text.split(": ", 1)[1].split(",")]
    if any(len(column) != 2 for column in columns):
        return error
    return Violation(columns[0][0], tuple(column[1] for column in columns), text)
