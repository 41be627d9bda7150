"""PostgreSQL itself: what a connection is set to, whose time it is, what waits for what, and what its errors mean."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import peewee as pw
import psycopg
import pytest

from engine.errors import Busy, DatabaseAway, OutcomeUnknown, TransitionConflict
from engine.store.base import Violation
from engine.store.opening import open_database
from engine.store.postgres import PostgresDatabase, PostgresStore
from engine.testing import Clock
from tests.kit.databases import close_database
from tests.kit.waiting import PATIENCE, until

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def db(postgres_url: str) -> Iterator[PostgresDatabase]:
    opened = open_database(postgres_url)
    assert isinstance(opened, PostgresDatabase)
    opened.execute_sql("CREATE TABLE note (text TEXT PRIMARY KEY, size INTEGER)")
    yield opened
    close_database(opened)


@pytest.fixture
def store(db: PostgresDatabase) -> PostgresStore:
    made = db.store()
    assert isinstance(made, PostgresStore)
    return made


@pytest.fixture
def other(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else on the same database."""
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        yield opened


def cut(db: PostgresDatabase, other: psycopg.Connection[Any]) -> None:
    """The server ends this thread's connection."""
    number = db.connection().info.backend_pid
    other.execute("SELECT pg_terminate_backend(%s)", (number,))
    gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    until(lambda: other.execute(gone, (number,)).fetchone() == (0,), "the connection to end")


def texts(db: PostgresDatabase) -> list[str]:
    return [row[0] for row in db.execute_sql("SELECT text FROM note ORDER BY text").fetchall()]


INSERT = "INSERT INTO note (text) VALUES (?)"
UPDATE = "UPDATE note SET size = ? WHERE text = ?"


# -- connections -------------------------------------------------------------------------------------------------------


def test_nothing_depends_on_the_servers_defaults_or_waits_for_ever(db: PostgresDatabase) -> None:
    asked = ("client_encoding", "default_transaction_isolation", "lock_timeout", "idle_in_transaction_session_timeout")
    assert {name: db.execute_sql(f"SHOW {name}").fetchone()[0] for name in asked} == {
        "client_encoding": "UTF8",
        "default_transaction_isolation": "read committed",
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "2min",
    }
    assert db.connection().prepare_threshold is None


def test_a_connection_is_set_up_once_and_kept_in_the_pool(db: PostgresDatabase) -> None:
    first = db.connection()
    db.execute_sql("SET lock_timeout = '7s'")
    assert db.connect(reuse_if_open=True) is False
    db.give_back()
    assert db.is_closed()
    db.give_back()
    assert db.connect() is True
    assert db.connection() is first
    assert db.execute_sql("SHOW lock_timeout").fetchone() == ("7s",)


def test_a_connection_that_the_server_has_ended_is_dead_and_an_idle_one_is_not(
    db: PostgresDatabase, other: psycopg.Connection[Any]
) -> None:
    idle = db.connection()
    assert db._is_closed(idle) is False
    cut(db, other)
    assert db._is_closed(idle) is True
    assert not idle.closed  # nobody has tried it yet
    db.give_back()
    assert db.connection() is not idle
    assert db.execute_sql("SELECT 1").fetchone() == (1,)
    db.connection().close()
    assert db._is_closed(db.connection()) is True


def test_who_notices_that_the_connection_broke_is_told_and_the_next_one_gets_another(
    db: PostgresDatabase, store: PostgresStore, other: psycopg.Connection[Any]
) -> None:
    cut(db, other)
    with pytest.raises(DatabaseAway):
        db.execute_sql("SELECT 1")
    assert db.execute_sql("SELECT 1").fetchone() == (1,)
    with store.begin() as unit:
        cut(db, other)
        with pytest.raises(DatabaseAway):
            unit.rows("SELECT 1")
        with pytest.raises(DatabaseAway):
            unit.rows("SELECT 1")
    assert db.transaction_depth() == 0
    assert store.run(lambda unit: unit.rows("SELECT 1")) == [(1,)]
    cut(db, other)
    with pytest.raises(DatabaseAway):
        store.now()
    assert abs(store.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_reference_to_a_row_that_is_gone_by_now_is_a_conflict(
    db: PostgresDatabase, store: PostgresStore, other: psycopg.Connection[Any]
) -> None:
    """Read in the transaction, deleted by somebody else, and then referred to."""
    db.execute_sql("CREATE TABLE remark (note TEXT REFERENCES note (text))")
    db.execute_sql("INSERT INTO note VALUES ('a', 1)")
    with store.begin() as unit:
        assert unit.rows("SELECT text FROM note") == [("a",)]
        other.execute("DELETE FROM note")
        unit.write("INSERT INTO remark VALUES (?)", ("a",))
        with pytest.raises(TransitionConflict):
            store.commit(unit)
    assert db.execute_sql("SELECT count(*) FROM remark").fetchone()[0] == 0


def test_a_statement_that_fails_on_a_good_connection_does_not_mean_that_the_database_is_away(
    db: PostgresDatabase,
) -> None:
    db.execute_sql("SET statement_timeout = '1ms'")
    with pytest.raises(pw.OperationalError) as failed:
        db.execute_sql("SELECT pg_sleep(60)")
    assert not isinstance(failed.value, DatabaseAway)
    assert not db.connection().closed


def test_a_connection_that_breaks_at_the_commit_leaves_open_whether_it_was_saved(
    db: PostgresDatabase, store: PostgresStore, other: psycopg.Connection[Any]
) -> None:
    def write(unit: Any) -> None:
        unit.write(INSERT, ("a",))
        cut(db, other)

    with pytest.raises(OutcomeUnknown):
        store.run(write)
    assert texts(db) == []


# -- time --------------------------------------------------------------------------------------------------------------


def test_the_databases_time_is_asked_once_a_minute_and_carried_on_meanwhile(db: PostgresDatabase) -> None:
    now = db.now()
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
    assert db.now() >= now
    past = datetime(2026, 4, 1, 12, tzinfo=UTC)
    db._asked = monotonic() - 50, past
    assert timedelta(seconds=50) <= db.now() - past < timedelta(seconds=59)
    db._asked = monotonic() - 60.5, past
    with db.store().begin():
        assert timedelta(seconds=60) <= db.now() - past < timedelta(minutes=9)  # what is pending in a unit stays there
    assert abs(db.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert abs(db.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_time_goes_on_where_it_was_known_once_and_else_the_database_is_away() -> None:
    db = PostgresDatabase(NOWHERE)
    with pytest.raises(DatabaseAway):
        db.now()
    with pytest.raises(DatabaseAway):
        db.store().now()
    past = datetime(2026, 4, 1, 12, tzinfo=UTC)
    db._asked = monotonic() - 1000, past
    assert timedelta(seconds=1000) <= db.now() - past < timedelta(seconds=1500)
    assert db.store(Clock(past)).now() == past


# -- what errors mean --------------------------------------------------------------------------------------------------


def test_a_violation_names_its_table_and_index(db: PostgresDatabase, store: PostgresStore) -> None:
    store.run(lambda unit: unit.write(INSERT, ("a",)))
    with pytest.raises(Violation) as found:
        store.run(lambda unit: unit.write(INSERT, ("a",)))
    assert (found.value.table, found.value.names) == ("note", ("note_pkey",))
    said = 'duplicate key value violates unique constraint "note_pkey"'
    assert str(found.value) == f"{said} [23505]"
    with pytest.raises(pw.IntegrityError) as told:
        db.execute_sql("INSERT INTO note (text) VALUES (%s)", ("a",))
    by_peewee = db.violation_of(told.value)
    assert isinstance(by_peewee, Violation)
    assert (by_peewee.table, by_peewee.names, str(by_peewee)) == ("note", ("note_pkey",), said)


def test_what_is_held_by_others_or_takes_too_long_is_busy(
    db: PostgresDatabase, store: PostgresStore, other: psycopg.Connection[Any]
) -> None:
    db.execute_sql("SET statement_timeout = '1ms'")
    with store.begin() as unit, pytest.raises(Busy):
        unit.rows("SELECT pg_sleep(60)")
    db.execute_sql("SET statement_timeout = 0; SET lock_timeout = '1ms'")
    with other.transaction():
        other.execute("LOCK TABLE note")
        with store.begin() as unit, pytest.raises(Busy):
            unit.rows("SELECT * FROM note")
    for code in ("40P01", "40001"):
        with store.begin() as unit, pytest.raises(Busy):
            unit.rows(f"DO $$ BEGIN RAISE 'so' USING ERRCODE = '{code}'; END $$")
    with store.begin() as unit, pytest.raises(psycopg.errors.UndefinedTable):
        unit.rows("SELECT * FROM gone")


# -- what is pending ---------------------------------------------------------------------------------------------------


def test_writes_are_kept_pending_until_something_is_read_or_committed(
    db: PostgresDatabase, store: PostgresStore
) -> None:
    with store.begin() as unit:
        assert unit.pending == [("BEGIN", ())]
        unit.flush()
        assert unit.pending == []
        unit.flush()
        unit.write(INSERT, ("a",))
        assert unit.pending == [(INSERT, ("a",))]
        count = ("SELECT count(*) FROM note", ())
        assert unit.rows_of([count, ("SELECT 7", ())]) == [[(1,)], [(7,)]]
        assert unit.pending == []
        unit.write(INSERT, ("b",))
        assert unit.rows(*count) == [(2,)]
        unit.write(INSERT, ("c",))
        assert unit.changed(UPDATE, (1, "c")) == 1
        assert unit.changed(UPDATE, (1, "nobody")) == 0
        unit.write(INSERT, ("d",))
        assert db.execute_sql("SELECT count(*) FROM note").fetchone() == (4,)
        assert unit.changed("SET lock_timeout = 1000") == 0
    assert texts(db) == []


def test_who_takes_turns_under_a_name_waits_until_the_other_one_has_ended(
    store: PostgresStore, other: psycopg.Connection[Any]
) -> None:
    def is_free(number: int) -> Any:
        with other.transaction():
            row = other.execute("SELECT pg_try_advisory_xact_lock(%s)", (number,)).fetchone()
            assert row is not None
            return row[0]

    number = 2418539934618804762  # of this name, on every machine and in every release
    with store.begin() as unit:
        unit.take_turns(b"turns")
        assert is_free(number)  # it is asked for together with what follows
        unit.flush()
        assert not is_free(number)
        assert is_free(number + 1)
    assert is_free(number)


def test_who_pauses_a_version_waits_for_those_that_begin_one_and_lets_nobody_begin_another(
    db: PostgresDatabase, store: PostgresStore
) -> None:
    done: list[int] = []

    def begin(version: int) -> None:
        store.run(lambda unit: store.open_new(unit, "review", version))
        done.append(version)
        db.give_back()

    def another(version: int) -> threading.Thread:
        thread = threading.Thread(target=begin, args=(version,))
        thread.start()
        return thread

    with store.begin() as unit:
        unit.stop_steps("review", 1)
        assert unit.pending == []  # it was waited for
        waiting = another(1)
        locks = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        until(lambda: unit.rows(locks) == [(1,)], "the other to wait")
        another(2).join(PATIENCE)  # another version is not held up
        assert done == [2]
    waiting.join(PATIENCE)
    assert done == [2, 1]


# -- units about many instances ----------------------------------------------------------------------------------------


def test_of_many_instances_writes_travel_as_sets_and_are_seen_by_reads(
    db: PostgresDatabase, store: PostgresStore
) -> None:
    def write(unit: Any) -> list[Any]:
        for owner, text in enumerate("abc", 1):
            unit.owner = owner
            unit.write(INSERT, (text,))
        assert unit.pending == [("BEGIN", ())]
        assert len(unit.owned) == 3
        seen = unit.rows("SELECT count(*) FROM note")
        assert (unit.owned, unit.pending) == ([], [])
        unit.write(UPDATE, (1, "a"))
        unit.write(UPDATE, (2, "b"))
        unit.flush()
        assert (unit.owned, unit.pending) == ([], [])
        unit.flush()
        unit.write(UPDATE, (3, "c"))
        unit.write(UPDATE, (4, "c"))
        return list(seen)

    assert store.run(write, many=True) == [(3,)]
    assert db.execute_sql("SELECT text, size FROM note ORDER BY text").fetchall() == [("a", 1), ("b", 2), ("c", 4)]
    assert store._types == {"note": {"text": "text", "size": "integer"}}


def test_what_of_many_is_undone_is_never_sent(db: PostgresDatabase, store: PostgresStore) -> None:
    def write(unit: Any) -> None:
        unit.write(INSERT, ("a",))
        unit.begin_part()
        unit.write(INSERT, ("b",))
        unit.undo_part()
        unit.begin_part()
        unit.write(INSERT, ("c",))
        unit.end_part()
        unit.write(INSERT, ("d",))
        unit.forget_pending()

    store.run(write, many=True)
    assert texts(db) == ["a", "c"]


def test_columns_that_changed_are_asked_for_anew_after_a_failure(
    db: PostgresDatabase, store: PostgresStore, other: psycopg.Connection[Any]
) -> None:
    def grow(unit: Any) -> None:
        unit.write(UPDATE, (1, "a"))
        unit.write(UPDATE, (2, "b"))

    store.run(grow, many=True)
    other.execute("ALTER TABLE note ALTER COLUMN size TYPE TEXT")
    assert store._types["note"]["size"] == "integer"
    with pytest.raises(ZeroDivisionError):
        store.run(lambda unit: 1 // 0, many=False)
    assert store._types["note"]["size"] == "integer"
    with pytest.raises(ZeroDivisionError):
        store.run(lambda unit: 1 // 0, many=True)
    assert store._types == {}
    store.run(grow, many=True)
    assert store._types["note"]["size"] == "text"


def test_a_server_that_only_reads_is_away(db: PostgresDatabase, store: PostgresStore) -> None:
    """As a standby, or one that has become one. psycopg calls it an internal error, which would be a fault of ours."""
    db.execute_sql("SET default_transaction_read_only = on")
    with store.begin() as unit, pytest.raises(DatabaseAway):
        unit.changed("INSERT INTO note (text) VALUES ('a')")
    with pytest.raises(pw.OperationalError, match="read-only transaction"):
        db.execute_sql("INSERT INTO note (text) VALUES ('a')")
    db.execute_sql("SET default_transaction_read_only = off")
    assert texts(db) == []


def test_what_the_server_ends_because_it_was_idle_is_away(
    db: PostgresDatabase, store: PostgresStore, other: psycopg.Connection[Any]
) -> None:
    db.execute_sql("SET idle_in_transaction_session_timeout = 100")
    gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    with store.begin() as unit:
        unit.rows("SELECT 1")
        number = db.connection().info.backend_pid
        until(lambda: other.execute(gone, (number,)).fetchone() == (0,), "the connection to end")
        with pytest.raises(DatabaseAway):
            unit.rows("SELECT 1")
