"""On SQLite, who queues behind a writer shares its commit: no refusal harms another, and nobody hears too early."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from engine.errors import Busy, DatabaseAway, Refused
from engine.store.fair_lock import FairLock
from engine.store.opening import open_database
from engine.store.sqlite import SqliteDatabase
from engine.store.sqlite_unit import SqliteUnit
from engine.text import current_language, reading_in
from tests.kit.reviews import Office
from tests.kit.waiting import PATIENCE, until

MANY = 8


def is_as_long(waiting: Sized, number: int) -> bool:
    return len(waiting) == number


class Queue:
    """A database whose writer is busy while others queue behind it; `go` lets them all run."""

    def __init__(self, url: str) -> None:
        db = open_database(url)
        assert isinstance(db, SqliteDatabase)
        self.db = db
        self.store = db.store()
        db.execute_sql("CREATE TABLE note (text TEXT PRIMARY KEY, parent TEXT REFERENCES note (text))")
        self.pool = ThreadPoolExecutor(32)
        self.statements: list[str] = []
        self.threads: list[int] = []

    def texts(self) -> list[str]:
        return [row[0] for row in self.db.execute_sql("SELECT text FROM note ORDER BY rowid").fetchall()]

    def write(self, text: str) -> Callable[[SqliteUnit], str]:
        """Work that writes a row and answers with its text."""

        def work(unit: SqliteUnit) -> str:
            unit.connection.set_trace_callback(self.statements.append)
            self.threads.append(threading.get_ident())
            unit.write("INSERT INTO note (text) VALUES (?)", (text,))
            return text

        return work

    def queued(self, *calls: Callable[[SqliteUnit], Any]) -> list[Future[Any]]:
        """Let `calls` queue one after the other behind a writer, then let that one go."""
        waiting = self.db.writer._waiting
        with self.store.begin():
            futures = []
            for number, call in enumerate(calls, 1):
                futures.append(self.pool.submit(self.store.run, call))
                until(partial(is_as_long, waiting, number), "the queue")
        for future in futures:
            future.exception(timeout=PATIENCE)
        return futures


@pytest.fixture
def queue(sqlite_url: str) -> Iterator[Queue]:
    made = Queue(sqlite_url)
    yield made
    made.pool.shutdown()
    made.db.close()


def test_all_that_queued_share_one_commit_in_the_order_of_asking(queue: Queue) -> None:
    names = [f"n{number}" for number in range(MANY)]
    assert [future.result() for future in queue.queued(*map(queue.write, names))] == names
    assert queue.texts() == names
    assert len(set(queue.threads)) == 1  # one of them did the work of all
    assert queue.statements.count("COMMIT") == 1


def test_a_refusal_takes_its_own_writes_along_and_nobody_elses(queue: Queue) -> None:
    def refused(unit: SqliteUnit) -> str:
        queue.write("refused")(unit)
        raise Refused([])

    for place in range(3):  # as the one who leads, in the middle, and as the last
        calls = [queue.write(f"{place}.{number}") for number in range(2)]
        calls.insert(place, refused)
        answers = queue.queued(*calls)
        assert isinstance(answers[place].exception(), Refused)
        assert [answer.exception() for answer in answers if answer is not answers[place]] == [None, None]
    assert queue.texts() == [f"{place}.{number}" for place in range(3) for number in range(2)]


def test_a_refusal_that_has_written_nothing_costs_the_others_nothing(queue: Queue) -> None:
    def refused(unit: SqliteUnit) -> None:
        raise Refused([])

    answers = queue.queued(queue.write("a"), refused, queue.write("b"))
    assert [type(answer.exception()) for answer in answers] == [type(None), Refused, type(None)]
    assert queue.texts() == ["a", "b"]
    assert len(queue.threads) == 2  # each was called once
    assert [statement for statement in queue.statements if "SAVEPOINT" in statement] == []


def test_two_that_want_the_same_row_are_told_apart(queue: Queue) -> None:
    first, second, third = queue.queued(queue.write("same"), queue.write("same"), queue.write("other"))
    assert (first.exception(), third.exception()) == (None, None)
    assert type(second.exception()).__name__ == "Violation"
    assert queue.texts() == ["same", "other"]


def test_work_that_changes_nothing_keeps_nothing(queue: Queue) -> None:
    def looked(unit: SqliteUnit) -> str:
        queue.write("thrown away")(unit)
        unit.unchanged = True
        return "looked"

    answers = queue.queued(looked, queue.write("kept"), looked)
    assert [answer.result() for answer in answers] == ["looked", "kept", "looked"]
    assert queue.texts() == ["kept"]


def test_where_the_commit_fails_everybody_hears_of_it_and_nothing_is_kept(queue: Queue) -> None:
    def breaks_the_commit(unit: SqliteUnit) -> None:
        unit.connection.execute("PRAGMA defer_foreign_keys = ON")
        unit.write("INSERT INTO note (text, parent) VALUES ('orphan', 'nobody')")

    answers = queue.queued(queue.write("a"), breaks_the_commit, queue.write("b"))
    assert isinstance(answers[0].exception(), sqlite3.IntegrityError)
    assert [type(answer.exception()) for answer in answers[1:]] == [DatabaseAway, DatabaseAway]
    assert queue.texts() == []
    assert queue.store.run(queue.write("afterwards")) == "afterwards"
    assert queue.texts() == ["afterwards"]


def test_who_wants_the_lock_for_itself_gets_its_turn_in_between(queue: Queue) -> None:
    def alone() -> list[str]:
        with queue.store.begin() as unit:
            seen = [row[0] for row in unit.rows("SELECT text FROM note ORDER BY rowid")]
            unit.write("INSERT INTO note (text) VALUES ('alone')")
            queue.store.commit(unit)
            return seen

    waiting = queue.db.writer._waiting
    with queue.store.begin():
        before = queue.pool.submit(queue.store.run, queue.write("before"))
        until(lambda: len(waiting) == 1, "the queue")
        between = queue.pool.submit(alone)
        until(lambda: len(waiting) == 2, "the queue")
        after = queue.pool.submit(queue.store.run, queue.write("after"))
        until(lambda: len(waiting) == 3, "the queue")
    assert (before.result(PATIENCE), between.result(PATIENCE), after.result(PATIENCE)) == (
        "before",
        ["before"],
        "after",
    )
    assert queue.texts() == ["before", "alone", "after"]


def test_work_is_done_in_the_language_of_who_asked(queue: Queue) -> None:
    def asked_in(language: str) -> str:
        with reading_in(language):
            return queue.store.run(lambda unit: current_language())

    waiting = queue.db.writer._waiting
    with queue.store.begin():
        futures = []
        for number, language in enumerate(("en", "ja", "en"), 1):
            futures.append(queue.pool.submit(asked_in, language))
            until(partial(is_as_long, waiting, number), "the queue")
    assert [future.result(PATIENCE) for future in futures] == ["en", "ja", "en"]


def test_who_waits_too_long_is_told_and_its_work_is_never_done() -> None:
    lock, done = FairLock(), []
    assert lock.acquire()
    with pytest.raises(Busy):
        lock.acquire_or_queue(lambda unit: done.append(1), timeout=0.05)
    assert lock.next_work() is None
    lock.release()
    assert lock.acquire(timeout=0)
    assert done == []


def test_work_inside_a_transaction_is_an_error_of_the_caller(queue: Queue) -> None:
    with queue.store.begin(), pytest.raises(RuntimeError, match="inside another one"):
        queue.store.run(lambda unit: None)


def test_many_at_once_leave_what_one_after_the_other_would(sqlite_office: Office) -> None:
    office = sqlite_office

    def life(number: int) -> int:
        made = office.submit(f"Paper {number}")
        office.engine.fire(made, "cite", office.holder(made))
        return made

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(life, range(64)))
    assert len(set(made)) == 64
    assert {office.state(number) for number in made} == {"approved"}
    assert [fault for number in made for fault in office.engine.verify(number)] == []
    assert office.sql("SELECT count(*) FROM publication")[0][0] == 64
