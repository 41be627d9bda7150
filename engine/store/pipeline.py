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
from contextlib import suppress
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
        self._sent: list[str] = []  # what waits for its answers
        self._fresh: set[str] = set()  # what was prepared on the way
        self._syncs = 0

    @property
    def waits(self) -> bool:
        """Whether statements were sent whose answers are not read yet."""
        return self._syncs > 0

    def send(self, statements: Sequence[Statement]) -> list[PGresult]:
        """Send all statements, then wait for all answers.

        Raises psycopg's error for the first statement that failed; those after it did not run. Any other failure on the
        way (a broken connection, an interrupt) closes the connection, because its answers can no longer be told apart.
        """
        self.start(statements)
        return self._finish()[-len(statements) :] if statements else self._finish()[:0]

    def start(self, statements: Sequence[Statement]) -> None:
        """Send statements and wait for nothing, so that the server works meanwhile. The next `send` reads their answers
        first, and raises their errors; `forget` reads them too, and raises nothing."""
        pgconn = self._pgconn
        calls = [(sql, *_encode(params)) for sql, params in statements]
        try:
            if not self._syncs:
                pgconn.nonblocking = 1
                pgconn.enter_pipeline_mode()
            for sql, values, formats in calls:
                name = self._names.get(sql)
                if name is None:
                    self._made += 1
                    name = self._names[sql] = b"tz_%d" % self._made
                    self._fresh.add(sql)
                    pgconn.send_prepare(name, _marks(sql))
                pgconn.send_query_prepared(name, values, param_formats=formats)
                self._sent.append(sql)
            pgconn.pipeline_sync()
            self._syncs += 1
            pgconn.flush()
        except BaseException:
            self._close()
            raise

    def forget(self) -> None:
        """Read the answers that are waited for, and forget them."""
        if self._syncs:
            with suppress(psycopg.Error):  # a connection that broke is closed, and whoever uses it next hears of that
                self._finish()

    def _finish(self) -> list[PGresult]:
        """Read all answers that are waited for."""
        try:
            results = self._read()
            self._pgconn.exit_pipeline_mode()
        except BaseException:
            self._close()
            raise
        sent, fresh = self._sent, frozenset(self._fresh)
        self._sent, self._fresh, self._syncs = [], set(), 0
        return self._answers(sent, fresh, results)

    def _close(self) -> None:
        self._pgconn.finish()
        self._syncs = 0

    def _answers(self, sent: Sequence[str], fresh: frozenset[str], results: Sequence[PGresult]) -> list[PGresult]:
        """One answer for each statement. One that was prepared on the way has a further answer before its own."""
        answers: list[PGresult] = []
        prepared: set[str] = set()
        remaining = iter(results)
        for sql in sent:
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
        syncs = self._syncs
        while syncs:
            while pgconn.is_busy():
                poll.poll()
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                syncs -= 1
            else:
                results.append(result)
        return results


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
    """An array as PostgreSQL parses it: `{1,NULL,"two"}`. A column of many rows is mostly of one type, and often of one
    value."""
    first = values[0] if values else None
    if values.count(first) == len(values) and len({*map(type, values)}) == 1:
        return ("{" + ",".join([_element(first)] * len(values)) + "}").encode()
    kinds = {*map(type, values)}
    if kinds == {int}:
        return ("{" + ",".join(map(str, values)) + "}").encode()
    if kinds == {bytes}:
        return ('{"\\\\x' + '","\\\\x'.join(map(bytes.hex, values)) + '"}').encode()
    if kinds == {str}:
        text = "".join(values)
        if _UNSAFE.search(text) is None and "\0" not in text:
            return ('{"' + '","'.join(values) + '"}').encode()
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
