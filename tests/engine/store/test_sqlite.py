"""SQLite itself: what its errors mean, who has the lock when, and what a batch leaves when it breaks in the middle."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine.errors import Busy, DatabaseAway
from engine.store.base import Violation
from engine.store.fair_lock import FairLock, Turn, Work
from engine.store.opening import open_database
from engine.store.shared_commits import shared_error as _shared
from engine.store.sqlite import SqliteDatabase
from engine.store.sqlite_unit import SqliteUnit, violation
from engine.store.sqlite_unit import error_of as _error
from tests.kit.waiting import PATIENCE, until

AWAY = "The database is not available. Nothing was changed; please try again in a moment."


# -- what errors mean --------------------------------------------------------------------------------------------------


def test_a_unique_index_is_named_by_its_table_and_columns_and_anything_else_stays() -> None:
    text = "UNIQUE constraint failed: account.customer_id, account.email"
    found = violation(sqlite3.IntegrityError(text))
    assert isinstance(found, Violation)
    assert (found.table, found.names, str(found)) == ("account", ("customer_id", "email"), text)
    for other in (
        "NOT NULL constraint failed: account.email",
        "UNIQUE constraint failed: index 'account_folded'",
        "FOREIGN KEY constraint failed",
    ):
        error = sqlite3.IntegrityError(other)
        assert violation(error) is error


@pytest.mark.parametrize("text", ["database is locked", "database table is locked: note", "database is busy"])
def test_a_database_that_somebody_holds_is_busy(text: str) -> None:
    assert type(_error(sqlite3.OperationalError(text))) is Busy


@pytest.mark.parametrize(
    "text",
    [
        "disk I/O error",
        "database or disk is full",
        "database is full",
        "unable to open database file",
        "attempt to write a readonly database",
    ],
)
def test_a_disk_that_takes_nothing_means_that_the_database_is_away(text: str) -> None:
    found = _error(sqlite3.OperationalError(text))
    assert type(found) is DatabaseAway
    assert str(found) == f"{AWAY} ({text})"


def test_a_mistake_in_a_statement_stays_what_it_is() -> None:
    for error in (sqlite3.OperationalError("no such table: note"), sqlite3.ProgrammingError("database is locked")):
        assert _error(error) is error
    assert isinstance(_error(sqlite3.IntegrityError("UNIQUE constraint failed: a.b")), Violation)


def test_what_broke_a_commit_is_told_to_the_others_as_a_database_that_is_away() -> None:
    for error in (Busy(), DatabaseAway("full")):
        assert _shared(error) is error
    found = _shared(KeyboardInterrupt("stop"))
    assert type(found) is DatabaseAway
    assert str(found) == f"{AWAY} (KeyboardInterrupt('stop'))"


# -- the lock ----------------------------------------------------------------------------------------------------------


def test_who_gives_up_waiting_has_no_place_in_the_queue() -> None:
    lock = FairLock()
    assert lock.acquire(timeout=0)
    assert not lock.acquire(timeout=0.01)
    lock.release()
    assert lock.acquire(timeout=0)
    lock.release()


class NeverFree(FairLock):
    """A lock that somebody holds for longer than anybody waits."""

    def acquire(self, timeout: float = -1) -> bool:
        assert timeout == 30.0
        return False


def test_who_waited_for_half_a_minute_is_told_that_the_database_is_busy(sqlite_url: str) -> None:
    lock = NeverFree()
    with pytest.raises(Busy), lock:
        raise AssertionError
    db = open_database(sqlite_url)
    assert isinstance(db, SqliteDatabase)
    db.writer = lock
    with pytest.raises(Busy), db.store().begin():
        raise AssertionError
    assert db.transaction_depth() == 0
    db.close()


def test_who_gets_its_turn_at_the_last_moment_has_it() -> None:
    class LateGate:
        """Opened after the time was up, before anybody could be told so."""

        asked: list[float] = []

        def acquire(self, timeout: float = -1) -> bool:
            self.asked.append(timeout)
            return timeout < 0

    turn = Turn()
    turn.gate = LateGate()  # type: ignore[assignment]
    assert FairLock()._wait(turn, 0.5)
    assert LateGate.asked == [0.5, -1]


def test_work_leads_where_nobody_holds_the_lock_and_else_when_it_is_handed_over() -> None:
    lock = FairLock()
    first = lock.acquire_or_queue(lambda unit: None, 0)
    assert first.leads
    assert not lock.acquire(timeout=0)
    second = Work(lambda unit: None)
    lock._waiting.append(second)
    assert not second.leads
    lock.release()
    assert second.leads
    assert second.gate.acquire(timeout=0)
    lock.release()
    assert lock.acquire(timeout=0)


def test_only_work_is_taken_along_and_only_from_the_head_of_the_queue() -> None:
    lock = FairLock()
    assert lock.next_work() is None
    work, turn = Work(lambda unit: None), Turn()
    lock._waiting.extend((work, turn, Work(lambda unit: None)))
    assert lock.next_work() is work
    assert lock.next_work() is None
    assert next(iter(lock._waiting)) is turn


# -- the database ------------------------------------------------------------------------------------------------------


@pytest.fixture
def db(sqlite_url: str) -> Iterator[SqliteDatabase]:
    opened = open_database(sqlite_url)
    assert isinstance(opened, SqliteDatabase)
    opened.execute_sql("CREATE TABLE note (text TEXT PRIMARY KEY, parent TEXT REFERENCES note (text))")
    yield opened
    opened.close()


def texts(db: SqliteDatabase) -> list[str]:
    return [row[0] for row in db.execute_sql("SELECT text FROM note ORDER BY rowid").fetchall()]


def writes(text: str) -> Callable[[SqliteUnit], str]:
    def work(unit: SqliteUnit) -> str:
        unit.write("INSERT INTO note (text) VALUES (?)", (text,))
        return text

    return work


def write_and_break(db: SqliteDatabase) -> None:
    with db.exclusive():
        db.execute_sql("INSERT INTO note (text) VALUES ('broken off')")
        raise ZeroDivisionError


def test_a_connection_remembers_in_memory_and_waits_for_other_processes_half_a_minute(db: SqliteDatabase) -> None:
    asked = ("temp_store", "cache_size", "busy_timeout", "journal_mode", "synchronous", "foreign_keys")
    assert {name: db.execute_sql(f"PRAGMA {name}").fetchone()[0] for name in asked} == {
        "temp_store": 2,
        "cache_size": -16384,
        "busy_timeout": 30_000,
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
    }


def test_one_commit_takes_along_at_most_64(db: SqliteDatabase) -> None:
    said: list[str] = []
    db.connection().set_trace_callback(said.append)
    waiting = [Work(writes(f"n{number}")) for number in range(70)]
    db.writer._waiting.extend(waiting)
    assert db.store().run(writes("first")) == "first"
    assert texts(db) == ["first", *(f"n{number}" for number in range(63))]
    assert said.count("COMMIT") == 1
    assert [work.result for work in waiting[:63]] == [f"n{number}" for number in range(63)]
    assert waiting[63].leads  # it has the lock now
    assert list(db.writer._waiting) == waiting[64:]


def test_where_the_transaction_is_gone_in_the_middle_nobody_is_told_that_it_was_kept(db: SqliteDatabase) -> None:
    """SQLite rolls back by itself where a disk is full."""

    def lose_it(unit: SqliteUnit) -> None:
        unit.write("INSERT INTO note (text) VALUES ('lost')")
        unit.connection.execute("ROLLBACK")

    with pytest.raises(DatabaseAway):
        db.store().run(lose_it)
    waiting = [Work(writes("a")), Work(lose_it), Work(writes("never tried"))]
    db.writer._waiting.extend(waiting)
    with pytest.raises(DatabaseAway):
        db.store().run(writes("first"))
    assert [type(work.error) for work in waiting] == [DatabaseAway, DatabaseAway, type(None)]
    db.writer._waiting.clear()
    db.writer.release()
    assert texts(db) == []


def test_where_it_is_gone_while_each_has_a_savepoint_nobody_is_told_so_either(db: SqliteDatabase) -> None:
    tries: list[int] = []

    def lose_it_the_second_time(unit: SqliteUnit) -> None:
        tries.append(1)
        writes("first")(unit)
        if len(tries) == 2:
            unit.connection.execute("ROLLBACK")

    def refuse(unit: SqliteUnit) -> None:
        writes("refused")(unit)
        raise ZeroDivisionError

    refused = Work(refuse)
    db.writer._waiting.append(refused)
    with pytest.raises(DatabaseAway):
        db.store().run(lose_it_the_second_time)
    assert len(tries) == 2
    assert type(refused.error) is ZeroDivisionError
    assert refused.gate.acquire(timeout=0)
    assert db.store().run(writes("afterwards")) == "afterwards"
    assert texts(db) == ["afterwards"]


def test_who_was_refused_hears_of_that_also_where_the_commit_of_the_others_fails(db: SqliteDatabase) -> None:
    def refuse(unit: SqliteUnit) -> None:
        raise ZeroDivisionError

    def break_the_commit(unit: SqliteUnit) -> None:
        unit.write("PRAGMA defer_foreign_keys = ON")
        unit.write("INSERT INTO note (text, parent) VALUES ('orphan', 'nobody')")

    others = [Work(break_the_commit), Work(refuse)]
    db.writer._waiting.extend(others)
    with pytest.raises(ZeroDivisionError):
        db.store().run(refuse)
    assert [type(work.error) for work in others] == [DatabaseAway, ZeroDivisionError]
    assert texts(db) == []


def test_who_is_stopped_while_it_leads_stops_and_the_others_are_told(db: SqliteDatabase) -> None:
    def stop(unit: SqliteUnit) -> None:
        writes("stopped")(unit)
        raise KeyboardInterrupt

    other = Work(stop)
    db.writer._waiting.append(other)
    with pytest.raises(KeyboardInterrupt):
        db.store().run(writes("first"))
    assert type(other.error) is DatabaseAway
    assert other.gate.acquire(timeout=0)
    assert not db.in_transaction()
    assert db.store().run(writes("afterwards")) == "afterwards"
    assert texts(db) == ["afterwards"]

    def refuse(unit: SqliteUnit) -> None:
        raise ZeroDivisionError

    db.writer._waiting.append(Work(stop))
    with pytest.raises(KeyboardInterrupt):  # it was meant for the thread, whatever became of its own work
        db.store().run(refuse)


def test_what_another_process_holds_is_busy_for_all_that_queue(db: SqliteDatabase) -> None:
    db.timeout = 0.05
    db.close()
    with sqlite3.connect(db.database, isolation_level=None) as other, ThreadPoolExecutor(1) as pool:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            db.store().run(writes("a"))
        with pytest.raises(Busy), db.store().begin():
            raise AssertionError
        assert db.transaction_depth() == 0
        with pytest.raises(Busy):
            pool.submit(db.store().run, writes("b")).result(PATIENCE)
        other.execute("ROLLBACK")
    other.close()
    assert db.store().run(writes("afterwards")) == "afterwards"


def test_a_violation_is_told_by_every_way_of_writing(db: SqliteDatabase) -> None:
    db.store().run(writes("a"))
    with db.store().begin() as unit:
        with pytest.raises(Violation):
            unit.write("INSERT INTO note (text) VALUES ('a')")
        with pytest.raises(Violation):
            unit.changed("INSERT INTO note (text) VALUES ('a')")
        assert unit.changed("UPDATE note SET parent = 'a'") == 1
        assert unit.changed("UPDATE note SET parent = 'a' WHERE text = 'b'") == 0
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            unit.write("DELETE FROM gone")
    unit = SqliteUnit(sqlite3.connect(db.database))
    unit.connection.execute("PRAGMA foreign_keys = ON")
    unit.write("BEGIN")
    unit.write("PRAGMA defer_foreign_keys = ON")
    unit.write("INSERT INTO note (text, parent) VALUES ('orphan', 'nobody')")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        db.store().commit(unit)
    assert not unit.committed
    unit.connection.close()


def test_a_look_within_a_transaction_sees_what_it_wrote_and_ends_nothing(db: SqliteDatabase) -> None:
    store = db.store()
    with store.begin() as unit:
        writes("a")(unit)
        for _time in range(2):
            with store.reading() as look:
                assert look.rows("SELECT text FROM note") == [("a",)]
        assert unit.connection.in_transaction
        store.commit(unit)
    assert texts(db) == ["a"]
    with store.reading() as look:
        assert db.transaction_depth() == 1
        assert look.connection.in_transaction
    assert db.transaction_depth() == 0
    assert not db.in_transaction()
    assert not db.connection().in_transaction
    assert store.run(writes("b")) == "b"


def test_writers_are_let_in_by_turns_also_where_they_only_write_records(db: SqliteDatabase) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with db.exclusive():
            held.set()
            go_on.wait(PATIENCE)
            db.execute_sql("INSERT INTO note (text) VALUES ('first')")
        db.close()

    def follow() -> Any:
        try:
            return db.store().run(writes("second"))
        finally:
            db.close()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(hold)
        assert held.wait(PATIENCE)
        second = pool.submit(follow)
        until(lambda: len(db.writer._waiting) == 1, "the queue")
        assert not second.done()
        go_on.set()
        first.result(PATIENCE)
        assert second.result(PATIENCE) == "second"
    assert texts(db) == ["first", "second"]
    with pytest.raises(ZeroDivisionError):
        write_and_break(db)
    assert texts(db) == ["first", "second"]
    assert db.writer.acquire(timeout=0)
    db.writer.release()
