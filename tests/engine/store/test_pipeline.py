"""Values and statements on their way to PostgreSQL, and what comes back where one of several fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from engine.store.pipeline import Wire, _encode, _marks, wire_of


def test_values_are_sent_as_texts_and_bytes_as_they_are() -> None:
    given = [None, "日本", "", True, False, 7, -1, b"\0x", memoryview(b"y"), date(2026, 4, 1), 1.5, [1, 2]]
    given.append(datetime(2026, 4, 1, 12, tzinfo=UTC))
    assert _encode(given) == (
        [
            None,
            "日本".encode(),
            b"",
            b"t",
            b"f",
            b"7",
            b"-1",
            b"\0x",
            b"y",
            b"2026-04-01",
            b"1.5",
            b"{1,2}",
            b"2026-04-01 12:00:00+00:00",
        ],
        [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0],
    )
    assert _encode(()) == ([], [])


def test_an_array_has_each_kind_of_value_as_postgresql_reads_it() -> None:
    given = [None, "a", "NULL", 'b"', "c\\", "", True, False, 7, b"\0\xff", memoryview(b"y"), date(2026, 4, 1), 1.5]
    array = r'{NULL,"a","NULL","b\"","c\\","",t,f,7,"\\x00ff","\\x79","2026-04-01","1.5"}'
    assert _encode([given]) == ([array.encode()], [0])
    assert _encode([[]]) == ([b"{}"], [0])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a\0", "PostgreSQL texts cannot hold a NUL"),
        (["a", "\0"], "PostgreSQL texts cannot hold a NUL"),
        ({}, "cannot send a dict"),
        ([[]], "cannot send a list in an array"),
    ],
)
def test_what_postgresql_cannot_take_is_said_before_anything_is_sent(value: Any, said: str) -> None:
    with pytest.raises(psycopg.DataError) as refused:
        _encode([value])
    assert str(refused.value) == said


def test_marks_are_numbered() -> None:
    assert _marks("SELECT ?, a FROM b WHERE c = ?") == b"SELECT $1, a FROM b WHERE c = $2"
    assert _marks("SELECT 1") == b"SELECT 1"


# -- on a connection ---------------------------------------------------------------------------------------------------


@pytest.fixture
def connection(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        yield opened


def rows(wire: Wire, *statements: tuple[str, tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    return [wire.rows(answer) for answer in wire.send(statements)]


def prepared(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """The server's names for texts, in the order in which they were made."""
    found = connection.execute("SELECT name, statement FROM pg_prepared_statements ORDER BY prepare_time, name")
    return found.fetchall()


def test_each_text_is_prepared_once_on_a_connection(connection: psycopg.Connection[Any]) -> None:
    wire = wire_of(connection)
    assert wire_of(connection) is wire
    one, two = "SELECT ?::int + 1", "SELECT ?::text"
    assert rows(wire, (one, (1,)), (two, ("a",)), (one, (2,))) == [[(2,)], [("a",)], [(3,)]]
    assert rows(wire, (one, (3,))) == [[(4,)]]
    assert rows(wire) == []
    assert rows(wire, ("SELECT generate_series(1, 3)", ())) == [[(1,), (2,), (3,)]]
    assert prepared(connection) == [
        ("tz_1", "SELECT $1::int + 1"),
        ("tz_2", "SELECT $1::text"),
        ("tz_3", "SELECT generate_series(1, 3)"),
    ]


def test_the_first_that_fails_is_told_without_the_row_and_those_after_it_are_not_run(
    connection: psycopg.Connection[Any],
) -> None:
    wire = wire_of(connection)
    connection.execute("CREATE TABLE note (text TEXT PRIMARY KEY)")
    insert, other = "INSERT INTO note VALUES (?)", "INSERT INTO note VALUES (? || '!')"
    wire.send([(insert, ("secret",))])
    with pytest.raises(psycopg.errors.UniqueViolation) as failed:
        wire.send([("BEGIN", ()), (insert, ("secret",)), (other, ("b",)), ("SELECT 1 / 0", ())])
    assert str(failed.value) == 'duplicate key value violates unique constraint "note_pkey" [23505]'
    assert failed.value.diag.table_name == "note"
    connection.execute("ROLLBACK")
    assert [statement for _name, statement in prepared(connection)] == ["INSERT INTO note VALUES ($1)", "BEGIN"]
    wire.send([(other, ("b",)), (insert, ("c",))])  # what was not prepared is prepared now
    assert connection.execute("SELECT text FROM note ORDER BY text").fetchall() == [("b!",), ("c",), ("secret",)]
    names = {statement: name for name, statement in prepared(connection)}
    assert len(names) == 3


def test_a_text_that_is_no_sql_is_told_each_time(connection: psycopg.Connection[Any]) -> None:
    wire = wire_of(connection)
    for _time in range(2):
        with pytest.raises(psycopg.errors.SyntaxError, match=r'syntax error at or near "SELEC" \[42601\]'):
            wire.send([("SELECT 1", ()), ("SELEC 1", ()), ("SELECT 2", ())])
    assert rows(wire, ("SELECT 2", ()), ("SELECT 1", ())) == [[(2,)], [(1,)]]


def test_an_error_of_a_kind_that_nobody_knows_is_an_error_of_the_database(connection: psycopg.Connection[Any]) -> None:
    wire = wire_of(connection)
    with pytest.raises(psycopg.DatabaseError) as failed:
        wire.send([("DO $$ BEGIN RAISE 'odd' USING ERRCODE = 'ZZ999', DETAIL = 'of a person'; END $$", ())])
    assert type(failed.value) is psycopg.DatabaseError
    assert str(failed.value) == "odd [ZZ999]"
    assert rows(wire, ("SELECT 1", ())) == [[(1,)]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE note ADD COLUMN more INT", "cached plan must not change result type [0A000]"),
        ("DEALLOCATE ALL", 'prepared statement "tz_1" does not exist [26000]'),
    ],
)
def test_a_connection_whose_statements_are_outdated_is_closed(
    connection: psycopg.Connection[Any], change: str, said: str
) -> None:
    wire = wire_of(connection)
    connection.execute("CREATE TABLE note (text TEXT PRIMARY KEY)")
    wire.send([("SELECT * FROM note", ())])
    connection.execute(change)
    with pytest.raises(psycopg.OperationalError) as failed:
        wire.send([("SELECT * FROM note", ())])
    assert str(failed.value) == said
    assert connection.closed


def test_what_is_more_than_a_socket_holds_arrives_whole(connection: psycopg.Connection[Any]) -> None:
    wire = wire_of(connection)
    text = "x" * 1_000_000
    echo = "SELECT ?::text"
    assert rows(wire, *((echo, (text + str(n),)) for n in range(8))) == [[(text + str(n),)] for n in range(8)]


def test_a_connection_of_which_the_answers_were_not_read_is_closed(connection: psycopg.Connection[Any]) -> None:
    with psycopg.connect(connection.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        wire_of(connection).send([("SELECT 1", ())])
    assert connection.closed


def test_what_was_started_is_answered_before_what_is_sent(connection: psycopg.Connection[Any]) -> None:
    wire = Wire(connection)
    wire.start([("BEGIN", ()), ("CREATE TEMP TABLE t (n integer) ON COMMIT DROP", ())])
    wire.start([("INSERT INTO t VALUES (?)", (1,)), ("INSERT INTO t VALUES (?)", (2,))])
    assert wire.waits
    more = rows(wire, ("INSERT INTO t VALUES (?)", (3,)), ("SELECT n FROM t ORDER BY n", ()))
    assert more == [[], [(1,), (2,), (3,)]]
    assert not wire.waits
    assert wire.send([("COMMIT", ())])


def test_an_error_of_what_was_started_is_raised_by_what_is_sent(connection: psycopg.Connection[Any]) -> None:
    wire = Wire(connection)
    wire.start([("BEGIN", ()), ("SELECT 1 / ?::integer", (0,))])
    wire.start([("SELECT 7", ())])
    with pytest.raises(psycopg.errors.DivisionByZero):
        wire.send([("SELECT 8", ())])
    wire.send([("ROLLBACK", ())])
    assert rows(wire, ("SELECT 7", ()), ("SELECT 8", ())) == [[(7,)], [(8,)]]


def test_what_was_started_can_be_forgotten(connection: psycopg.Connection[Any]) -> None:
    wire = Wire(connection)
    wire.forget()
    wire.start([("BEGIN", ()), ("SELECT 1 / ?::integer", (0,))])
    wire.forget()
    assert not wire.waits
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    connection.rollback()
    assert rows(wire, ("SELECT 7", ())) == [[(7,)]]
    wire.start([("SELECT pg_terminate_backend(pg_backend_pid())", ())])
    wire.forget()
    assert connection.closed


def test_nothing_is_sent_where_nothing_is_given(connection: psycopg.Connection[Any]) -> None:
    assert Wire(connection).send([]) == []


@pytest.mark.parametrize(
    ("column", "array"),
    [
        ([7, 7, 7], "{7,7,7}"),
        ([1, True], "{1,t}"),
        ([7, 8], "{7,8}"),
        (["a", "a"], '{"a","a"}'),
        (['"', '"'], r'{"\"","\""}'),
        (["a", "NULL"], '{"a","NULL"}'),
        (["a", 'b"', "c\\"], r'{"a","b\"","c\\"}'),
        ([None, None], "{NULL,NULL}"),
        ([b"a", b"\0"], r'{"\\x61","\\x00"}'),
    ],
)
def test_a_column_of_one_type_is_written_as_its_values_are(column: list[Any], array: str) -> None:
    assert _encode([column]) == ([array.encode()], [0])
