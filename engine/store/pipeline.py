"""Pipelining: several statements in one round trip to PostgreSQL.

psycopg's own pipeline mode is made for convenience and costs 30–50 µs of Python per statement. This one sends prepared
statements through the libpq that psycopg wraps (`psycopg.pq`): it parses each text once per connection, binds and
executes all of them, syncs once, then reads the answers. psycopg still loads the values and maps the errors. Waiting is
done in `poll`, never inside libpq, so that other threads run meanwhile: one of them may hold the lock that is waited
for.
"""

from __future__ import annotations

import re
import select
from collections.abc import Sequence
from datetime import date
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import lookup
from psycopg.pq import DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

Row = tuple[Any, ...]
Statement = tuple[str, Sequence[Any]]

_TEXT, _BINARY = Format.TEXT, Format.BINARY
_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
_OUTDATED = ("0A000", "26000")  # cached plan must not change result type; prepared statement does not exist


class Wire:
    """The prepared statements of one connection.

    Texts have `?` marks. Values are str, int, float, bytes, bool, date or None, or a list of values of one type, which
    becomes an array.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._pgconn: PGconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._names: dict[str, bytes] = {}
        self._made = 0

    def send(self, statements: Sequence[Statement]) -> list[PGresult]:
        """Send all statements, then wait for all answers.

        Raises psycopg's error for the first statement that failed; those after it did not run. Any other failure on the
        way (a broken connection, an interrupt) closes the connection, because its answers can no longer be told apart.
        """
        pgconn = self._pgconn
        calls = [(sql, *_encode(params)) for sql, params in statements]
        fresh: list[str] = []
        try:
            pgconn.nonblocking = 1
            pgconn.enter_pipeline_mode()
            for sql, values, formats in calls:
                name = self._names.get(sql)
                if name is None:
                    self._made += 1
                    name = self._names[sql] = b"tz_%d" % self._made
                    fresh.append(sql)
                    pgconn.send_prepare(name, _marks(sql))
                pgconn.send_query_prepared(name, values, param_formats=formats)
            pgconn.pipeline_sync()
            results = self._read()
            pgconn.exit_pipeline_mode()
        except BaseException:
            pgconn.finish()
            raise
        return self._answers(calls, frozenset(fresh), results)

    def _answers(
        self, calls: Sequence[tuple[str, Any, Any]], fresh: frozenset[str], results: Sequence[PGresult]
    ) -> list[PGresult]:
        """One answer for each call. A statement that was prepared on the way has a further answer before its own."""
        answers: list[PGresult] = []
        prepared: set[str] = set()
        remaining = iter(results)
        for sql, _, _ in calls:
            if sql in fresh and sql not in prepared:
                self._check(next(remaining), fresh - prepared)
                prepared.add(sql)
            answer = next(remaining)
            self._check(answer, fresh - prepared)
            answers.append(answer)
        return answers

    def _check(self, result: PGresult, unprepared: frozenset[str]) -> None:
        """Raise the server's error, without the DETAIL that shows the row: it may be personal (I8)."""
        if result.status in _GOOD:
            return
        for sql in unprepared:  # behind the failure nothing was prepared; a new name is always right
            self._names.pop(sql, None)
        state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
        message = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
        if state in _OUTDATED:
            # A table changed under a prepared statement. This connection's others may be no better: begin anew.
            self._pgconn.finish()
            raise psycopg.OperationalError(f"{message} [{state}]", info=result)
        try:
            kind = lookup(state)
        except KeyError:
            kind = psycopg.DatabaseError
        raise kind(f"{message} [{state}]", info=result)

    def rows(self, result: PGresult) -> list[Row]:
        """The rows of an answer, as tuples."""
        transformer = self._transformer
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)

    def _read(self) -> list[PGresult]:
        pgconn = self._pgconn
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN)
        while pgconn.flush():
            poll.modify(pgconn.socket, select.POLLIN | select.POLLOUT)
            poll.poll()
            pgconn.consume_input()
        poll.modify(pgconn.socket, select.POLLIN)
        results: list[PGresult] = []
        while True:
            while pgconn.is_busy():
                poll.poll()
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)


def _marks(sql: str) -> bytes:
    """A text with PostgreSQL's numbered marks (`$1`) for `?`."""
    parts = sql.split("?")
    return "".join(part + (f"${n}" if n < len(parts) else "") for n, part in enumerate(parts, start=1)).encode()


def _encode(params: Sequence[Any]) -> tuple[list[bytes | None], list[int]]:
    values: list[bytes | None] = []
    formats: list[int] = []
    for value in params:
        kind = _TEXT
        if value is None:
            values.append(None)
        elif isinstance(value, str):
            if "\0" in value:
                raise psycopg.DataError("PostgreSQL texts cannot hold a NUL")
            values.append(value.encode())
        elif isinstance(value, bool):
            values.append(b"t" if value else b"f")
        elif isinstance(value, int):
            values.append(b"%d" % value)
        elif isinstance(value, bytes | memoryview):
            values.append(bytes(value))
            kind = _BINARY
        elif isinstance(value, date | float):
            values.append(str(value).encode())
        elif isinstance(value, list):
            values.append(_array(value))
        else:
            raise psycopg.DataError(f"cannot send a {type(value).__name__}")
        formats.append(kind)
    return values, formats


_UNSAFE = re.compile(r'["\\\\]')


def _array(values: list[Any]) -> bytes:
    """An array as PostgreSQL parses it: `{1,NULL,"two"}`."""
    return ("{" + ",".join(map(_element, values)) + "}").encode()


def _element(value: Any) -> str:
    if isinstance(value, str):
        if "\0" in value:
            raise psycopg.DataError("PostgreSQL texts cannot hold a NUL")
        return f'"{_UNSAFE.sub(_escaped, value)}"'
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return f'"\\\\x{value.hex()}"'
    if isinstance(value, date | float):
        return f'"{value}"'
    raise psycopg.DataError(f"cannot send a {type(value).__name__} in an array")


def _escaped(match: re.Match[str]) -> str:
    return "\\" + match[0]


_wires: WeakKeyDictionary[psycopg.Connection[Any], Wire] = WeakKeyDictionary()


def wire_of(connection: psycopg.Connection[Any]) -> Wire:
    """The wire of a connection; both live equally long."""
    wire = _wires.get(connection)
    if wire is None:
        wire = _wires[connection] = Wire(connection)
    return wire
