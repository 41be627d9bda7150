"""One contract for both databases (I9): transactions, records, times, ids, locks, violations."""

from __future__ import annotations

import re
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import peewee as pw
import psycopg
import pytest

from engine.definition import only
from engine.errors import Busy, ConfigurationError, EventNotPossible, UnknownInstance
from engine.operations.pauses.acts import pause
from engine.runtime.pauses.scopes import OneInstance, OneVersion
from engine.store.base import (
    LONGEST_WAIT,
    NEVER,
    Due,
    Record,
    SiteDatabase,
    UtcField,
    Violation,
    from_db,
    storable,
    to_db,
    transaction,
)
from engine.store.fair_lock import FairLock
from engine.store.opening import open_database
from engine.store.postgres import PostgresDatabase
from engine.store.schema import migrate
from engine.store.sqlite import SqliteDatabase
from engine.testing import Clock
from tests.kit.databases import waits_for_the_disk
from tests.kit.dumps import dump
from tests.kit.reviews import AUTHOR, ONE_TITLE, OPERATOR, Office, Publication, open_office
from tests.kit.waiting import PATIENCE, until

NOON = datetime(2026, 4, 1, 12, 0, 0, 123456, tzinfo=UTC)


class Specimen(Record):
    """A row with every kind of column that the site's records use."""

    id = pw.BigAutoField()
    name = pw.CharField(40)
    note = pw.TextField(default="nothing")
    size = pw.IntegerField(default=lambda: 7)
    good = pw.BooleanField(default=True)
    day = pw.DateField(null=True)
    at = UtcField(null=True)

    class Meta:
        indexes = ((("name", "size"), True),)


@pytest.fixture
def shelf(office: Office) -> Office:
    office.db.create_tables([Specimen])
    return office


def keep(office: Office, *more: dict[str, Any], **values: Any) -> None:
    """Put rows in, in one unit."""
    with office.engine.store.begin() as unit:
        for row in (*more, values) if values else more:
            unit.insert(Specimen, **row)
        office.engine.store.commit(unit)


def create(*names: str) -> None:
    """Put rows in through the ORM, in one transaction. A name that is empty breaks it off."""
    with transaction():
        for name in names:
            if not name:
                raise ZeroDivisionError
            Specimen.create(name=name)


def insert_and_break(office: Office) -> None:
    with office.engine.store.begin() as unit:
        unit.insert(Specimen, name="a")
        Specimen.create(name="b")
        raise ZeroDivisionError


# -- records in a unit -------------------------------------------------------------------------------------------------


def test_a_row_comes_back_as_it_was_put_in(shelf: Office) -> None:
    day = date(2024, 2, 29)
    keep(shelf, name="株式会社𠮷野%s ?'\"\\", note="", size=-3, good=False, day=day, at=NOON)
    with shelf.engine.store.reading() as unit:
        found = unit.get(Specimen, name="株式会社𠮷野%s ?'\"\\")
    assert (found.note, found.size, found.good, found.day, found.at) == ("", -3, False, day, NOON)
    assert type(found.good) is bool
    again = Specimen.get()
    assert (again.name, again.good, again.day, again.at) == (found.name, False, day, NOON)


def test_what_is_left_out_takes_the_models_default(shelf: Office) -> None:
    keep(shelf, name="a")
    with shelf.engine.store.reading() as unit:
        found = unit.get(Specimen, name="a")
    assert (found.note, found.size, found.good, found.day, found.at) == ("nothing", 7, True, None, None)


def test_a_row_is_found_by_every_column_that_is_named(shelf: Office) -> None:
    for size in (1, 2, 3):
        keep(shelf, name="a", size=size, day=date(2026, 1, size), at=NOON + timedelta(days=size), good=size == 2)
    with shelf.engine.store.reading() as unit:
        assert unit.get(Specimen, name="a", size=2).day == date(2026, 1, 2)
        assert unit.get(Specimen, day=date(2026, 1, 3)).size == 3
        assert unit.get(Specimen, at=NOON + timedelta(days=1)).size == 1
        assert unit.get(Specimen, good=True).size == 2
        assert unit.get(Specimen, name="a", size=4) is None


def test_update_and_delete_change_what_is_named_and_nothing_else(shelf: Office) -> None:
    for size in (1, 2, 3):
        keep(shelf, name="a", size=size)
    with shelf.engine.store.begin() as unit:
        unit.update(Specimen, {"name": "a", "size": 2}, note="changed", good=False, day=date(2026, 1, 1), at=NOON)
        unit.delete(Specimen, name="a", size=3)
        shelf.engine.store.commit(unit)
    rows = [(row.size, row.note, row.good, row.day, row.at) for row in Specimen.select().order_by(Specimen.size)]
    assert rows == [(1, "nothing", True, None, None), (2, "changed", False, date(2026, 1, 1), NOON)]


def test_a_unit_reads_what_it_wrote_in_every_way_of_reading(shelf: Office) -> None:
    with shelf.engine.store.begin() as unit:
        unit.insert(Specimen, name="a")
        assert Specimen.select().count() == 1
        unit.update(Specimen, {"name": "a"}, note="changed")
        assert Specimen.get().note == "changed"
        assert unit.get(Specimen, name="a").note == "changed"
        assert unit.rows('SELECT note FROM "specimen" WHERE name = ?', ("a",)) == [("changed",)]
        Specimen.create(name="b")
        assert unit.get(Specimen, name="b") is not None
        unit.delete(Specimen, name="a")
        assert [row.name for row in Specimen.select()] == ["b"]
        assert unit.changed('UPDATE "specimen" SET note = ?', ("x",)) == 1
        shelf.engine.store.commit(unit)
    assert [(row.name, row.note) for row in Specimen.select()] == [("b", "x")]


def test_several_rows_are_read_in_one_breath_and_in_the_order_of_asking(shelf: Office) -> None:
    keep(shelf, {"name": "a", "size": 1}, {"name": "b", "size": 2})
    with shelf.engine.store.begin() as unit:
        unit.insert(Specimen, name="c")
        wanted = [(Specimen, {"name": name}) for name in "bxca"]
        found = unit.get_each(*wanted, (Publication, {"title": "a"}))
        assert [row and row.name for row in found] == ["b", None, "c", "a", None]
        assert unit.get_each() == []


def test_some_columns_of_a_row_are_read_as_all_of_them_would_be(shelf: Office) -> None:
    keep(shelf, name="a", at=NOON, good=False)
    some, wrong = only(Specimen, "at", "good"), only(Specimen, "colour")
    with shelf.engine.store.reading() as unit:
        found = unit.get(some, name="a")
        assert found is not None
        assert (found.at, found.good, found._fields) == (NOON, False, ("at", "good"))
        whole, same, none = unit.get_each((Specimen, {"name": "a"}), (some, {"name": "a"}), (some, {"name": "b"}))
        assert whole is not None
        assert (whole.at, same, none) == (NOON, found, None)
        with pytest.raises(TypeError, match="Specimen has no column 'colour'"):
            unit.get(wrong, name="a")


def test_a_row_that_was_read_cannot_be_written_to(shelf: Office) -> None:
    keep(shelf, name="a")
    with shelf.engine.store.reading() as unit, pytest.raises(AttributeError):
        unit.get(Specimen, name="a").note = "changed"


def test_a_column_that_is_not_there_is_named_with_those_that_are(shelf: Office) -> None:
    with shelf.engine.store.begin() as unit:
        with pytest.raises(TypeError, match=r"Specimen has no column 'colour'; it has .*name"):
            unit.insert(Specimen, name="a", colour="red")
        with pytest.raises(TypeError, match="'colour'"):
            unit.get(Specimen, colour="red")
        with pytest.raises(TypeError, match="at least one column"):
            unit.delete(Specimen)


def test_a_naive_time_is_an_error_of_the_caller(shelf: Office) -> None:
    with shelf.engine.store.begin() as unit, pytest.raises(ValueError, match="aware"):
        unit.insert(Specimen, name="a", at=datetime(2026, 4, 1))


# -- transactions ------------------------------------------------------------------------------------------------------


def test_a_unit_that_raises_or_is_not_committed_leaves_nothing(shelf: Office) -> None:
    before = dump(shelf.db)
    with pytest.raises(ZeroDivisionError):
        insert_and_break(shelf)
    with shelf.engine.store.begin() as unit:
        unit.insert(Specimen, name="c")
    assert dump(shelf.db) == before
    keep(shelf, name="d")
    assert [row.name for row in Specimen.select()] == ["d"]


def test_a_commit_that_does_not_flush_is_there_for_all_and_the_next_one_flushes_again(shelf: Office) -> None:
    store = shelf.engine.store
    assert waits_for_the_disk(shelf.db)
    with store.begin(flushes=False) as unit:
        unit.insert(Specimen, name="kept")
        assert not waits_for_the_disk(shelf.db)
        store.commit(unit)
    with ThreadPoolExecutor(1) as other, store.begin() as unit:
        assert other.submit(lambda: [row.name for row in Specimen.select()]).result() == ["kept"]
        assert waits_for_the_disk(shelf.db)
    with store.begin(flushes=False) as unit:
        unit.insert(Specimen, name="never")
        unit.flush()
    assert waits_for_the_disk(shelf.db)
    assert shelf.engine.store.run(lambda unit: waits_for_the_disk(shelf.db))


def test_the_engine_refuses_to_be_called_inside_a_transaction(shelf: Office) -> None:
    with transaction(), pytest.raises(RuntimeError, match="owns its transaction"):
        shelf.submit()
    with shelf.engine.store.begin(), pytest.raises(RuntimeError, match="owns its transaction"):
        shelf.submit()
    assert dump(shelf.db)["instance"] == []
    shelf.submit()


def test_a_record_transaction_is_all_or_nothing(shelf: Office) -> None:
    with pytest.raises(ZeroDivisionError):
        create("a", "")
    with transaction():
        Specimen.create(name="b")
        with pytest.raises(pw.IntegrityError):
            create("c", "b")
        Specimen.create(name="d")
    assert sorted(row.name for row in Specimen.select()) == ["b", "d"]


def test_a_record_transaction_inside_a_unit_is_part_of_it(shelf: Office) -> None:
    with shelf.engine.store.begin() as unit:
        create("a")
        assert unit.get(Specimen, name="a") is not None
    assert Specimen.select().count() == 0
    with shelf.engine.store.begin() as unit:
        with pytest.raises(ZeroDivisionError):
            create("a", "")
        with pytest.raises(pw.IntegrityError):
            create("a", "a")
        unit.insert(Specimen, name="b")
        shelf.engine.store.commit(unit)
    assert [row.name for row in Specimen.select()] == ["b"]


def test_many_queries_and_refusals_on_one_connection_disturb_no_later_unit(shelf: Office) -> None:
    """What a driver prepares for itself, and throws away after a rollback, must not take the engine's along."""
    number = shelf.submit()
    for _round in range(4):
        for _query in range(8):
            Specimen.select().where(Specimen.name == "a").count()
        with pytest.raises(EventNotPossible):
            shelf.engine.fire(number, "again", AUTHOR)
        with pytest.raises(pw.IntegrityError):
            create("b", "b")
        assert shelf.engine.fire(number, "resend", AUTHOR).target == "submitted"
    assert shelf.engine.verify(number) == []


def test_reading_waits_for_no_writer_and_sees_what_is_committed(shelf: Office) -> None:
    number = shelf.submit()
    begun, done = threading.Event(), threading.Event()

    def write() -> None:
        with shelf.engine.store.begin() as unit:
            shelf.engine.store.open(unit, number)
            unit.changed("UPDATE instance SET subject = ? WHERE id = ?", ("changed", number))
            begun.set()
            done.wait(PATIENCE)
            shelf.engine.store.commit(unit)
        shelf.db.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(PATIENCE)
    assert shelf.engine.look(number).instance.about == "paper:On locks"
    done.set()
    writer.join()
    assert shelf.engine.look(number).instance.about == "changed"


# -- ids, times --------------------------------------------------------------------------------------------------------


def test_an_id_never_comes_back(shelf: Office) -> None:
    numbers = [shelf.submit() for _ in range(3)]
    for table in ("instance", "history", "timer", "outbox", "paper"):
        column = {"instance": "id", "paper": "instance"}.get(table, "instance_id")
        shelf.sql(f"DELETE FROM {table} WHERE {column} > ?", numbers[0])
    assert shelf.submit() > numbers[-1]


def test_the_clock_is_read_after_the_lock_is_held(shelf: Office) -> None:
    """Whoever waited for the lock must not carry in an old time: what is due by then is due for him too."""
    number = shelf.submit()
    store = shelf.db.store()
    begun, done = threading.Event(), threading.Event()
    times: list[datetime] = []

    def hold() -> None:
        with store.begin() as unit:
            store.open(unit, number)
            begun.set()
            done.wait(PATIENCE)
            times.append(store.now())
        shelf.db.close()

    def wait() -> None:
        with store.begin() as unit:
            opened = store.open(unit, number)
            assert opened is not None
            times.append(opened[2])
        shelf.db.close()

    holder, waiter = threading.Thread(target=hold), threading.Thread(target=wait)
    holder.start()
    assert begun.wait(PATIENCE)
    waiter.start()
    done.set()
    holder.join()
    waiter.join()
    assert times == sorted(times)


def test_times_keep_six_decimals_and_sort_as_texts() -> None:
    tokyo = timezone(timedelta(hours=9))
    moments = [
        datetime(2026, 4, 1, 0, 0, tzinfo=tokyo),
        datetime(2026, 3, 31, 15, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 3, 31, 15, 0, 1, tzinfo=UTC),
    ]
    texts = [to_db(moment) for moment in moments]
    assert texts[0] == "2026-03-31 15:00:00.000000"
    assert texts == sorted(texts)
    assert [from_db(text) for text in texts] == moments
    assert from_db(datetime(2026, 3, 31, 15, 0)) == moments[0]


def test_the_databases_own_time_is_aware_and_in_utc(shelf: Office) -> None:
    now = shelf.db.store().now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
    assert shelf.db.store(Clock(NOON)).now() == NOON


# -- locks -------------------------------------------------------------------------------------------------------------


def test_nobody_waits_longer_for_a_lock_than_half_a_minute_and_never_is_after_every_time() -> None:
    assert LONGEST_WAIT == 30.0
    assert to_db(datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)) < NEVER
    assert from_db(NEVER) == datetime(9999, 12, 31, tzinfo=UTC)
    assert SiteDatabase.is_shared is False


def test_a_fair_lock_is_handed_over_in_the_order_of_asking() -> None:
    lock, order = FairLock(), []

    def take(number: int) -> None:
        with lock:
            order.append(number)

    def wait_for(count: int) -> bool:
        return len(lock._waiting) == count

    lock.acquire()
    threads = [threading.Thread(target=take, args=(number,)) for number in range(20)]
    for count, thread in enumerate(threads, start=1):
        thread.start()
        until(partial(wait_for, count), "his place in the queue")  # before the next one comes
    lock.release()
    for thread in threads:
        thread.join()
    assert order == list(range(20))
    with lock:  # and it is free again
        pass


def test_sqlite_says_busy_when_another_process_holds_it_and_nothing_was_changed(sqlite_office: Office) -> None:
    before = dump(sqlite_office.db)
    assert isinstance(sqlite_office.db, SqliteDatabase)
    sqlite_office.db.timeout = 0.05
    other = sqlite3.connect(sqlite_office.db.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy):
        sqlite_office.submit()
    other.execute("ROLLBACK")
    other.close()
    assert dump(sqlite_office.db) == before
    sqlite_office.submit()


def test_postgresql_says_busy_when_a_row_stays_locked(postgres_url: str, clock: Clock) -> None:
    office = open_office(postgres_url, clock)
    number = office.submit()
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM instance FOR UPDATE")
        office.db.execute_sql("SET lock_timeout = '50ms'")
        with pytest.raises(Busy):
            office.engine.fire(number, "withdraw", AUTHOR)
    assert office.engine.fire(number, "withdraw", AUTHOR).target == "withdrawn"
    office.close()


def test_run_due_leaves_an_instance_to_the_worker_that_holds_it(postgres_url: str, clock: Clock) -> None:
    office = open_office(postgres_url, clock)
    held, free = office.submit("Held"), office.submit("Free")
    clock.forward(hours=24)
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM instance WHERE id = %s FOR UPDATE", (held,))
        assert office.engine.run_due() == 1
    assert (office.state(held), office.state(free)) == ("submitted", "reminded")
    assert office.engine.run_due() == 1
    office.close()


def test_whoever_holds_the_same_row_waits_and_then_sees_what_the_first_one_wrote(shelf: Office) -> None:
    """So a rule over several rows is kept: both would otherwise find none, and both would write the first."""
    publish(shelf, "shared")
    held, go_on = threading.Event(), threading.Event()
    found: list[bool] = []

    def write_unless_there(first: bool) -> None:
        with shelf.engine.store.begin() as unit:
            unit.lock_rows(Publication, title="shared")
            found.append(unit.get(Specimen, name="first") is not None)
            if first:
                held.set()
                go_on.wait(PATIENCE)
                unit.insert(Specimen, name="first")
            shelf.engine.store.commit(unit)
        shelf.db.close()

    def somebody_waits() -> bool:
        if isinstance(shelf.db, SqliteDatabase):
            return len(shelf.db.writer._waiting) == 1
        return bool(
            shelf.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        )

    threads = [threading.Thread(target=write_unless_there, args=(first,)) for first in (True, False)]
    threads[0].start()
    assert held.wait(PATIENCE)
    threads[1].start()
    until(somebody_waits, "the second to wait for the first")
    go_on.set()
    for thread in threads:
        thread.join()
    assert found == [False, True]


# -- violations --------------------------------------------------------------------------------------------------------


def publish(office: Office, *titles: str | None) -> None:
    with office.engine.store.begin() as unit:
        for title in titles:
            unit.insert(Publication, title=title, at=NOON)
        office.engine.store.commit(unit)


def test_a_violation_names_its_table_and_its_index_or_columns(shelf: Office) -> None:
    """Wherever the database says it: at the statement, or at the commit."""
    with pytest.raises(Violation) as found:
        keep(shelf, {"name": "a"}, {"name": "a"})
    assert found.value.table == "specimen"
    assert found.value.names in (("specimen_name_size",), ("name", "size"))
    assert not found.value.of(ONE_TITLE)
    with pytest.raises(Violation) as found:
        publish(shelf, "a", "a")
    assert found.value.of(ONE_TITLE)
    assert dump(shelf.db)["publication"] == []


def test_other_broken_constraints_are_no_violations_of_an_index(shelf: Office) -> None:
    with pytest.raises(Exception, match=r"(?i)null") as found:
        publish(shelf, None)
    assert not isinstance(found.value, Violation)
    publish(shelf, "and it goes on")


# -- opening -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://user:hunter2@host/name", "expected sqlite:///path or postgresql://.* begins with 'mysql'"),
        ("", "expected sqlite:///path"),
        ("sqlite:///", "needs a path"),
        ("var/tetsuzuki.db", "expected sqlite:///path"),
    ],
)
def test_a_database_url_of_another_form_is_refused_without_showing_its_password(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as found:
        open_database(url)
    assert "hunter2" not in str(found.value)


def test_sqlite_is_durable_keeps_foreign_keys_and_makes_its_folder(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/a/b/site.db")
    assert db.execute_sql("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute_sql("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert db.execute_sql("PRAGMA foreign_keys").fetchone() == (1,)
    db.close()
    assert (tmp_path / "a" / "b" / "site.db").exists()


class TwoWords(Record):
    """A record whose table nobody named."""


def test_the_table_of_a_record_is_named_as_the_words_of_its_class() -> None:
    assert TwoWords._meta.table_name == "two_words"


def test_a_database_that_is_not_ours_gets_no_store() -> None:
    with pytest.raises(ConfigurationError, match="expected a database from open_database"):
        SiteDatabase("x").store()


def test_what_peewee_reports_of_a_unique_index_is_its_violation_and_anything_else_stays(office: Office) -> None:
    Publication.create(title="On locks", at=NOON)
    for _time in range(2):
        with pytest.raises(pw.IntegrityError) as caught, office.db.atomic():
            Publication.create(title="On locks", at=NOON)
        found = office.db.violation_of(caught.value)
        assert isinstance(found, Violation)
        assert found.of(ONE_TITLE)
    with pytest.raises(pw.IntegrityError) as caught, office.db.atomic():
        Publication.insert(title=None, at=NOON).execute()
    assert office.db.violation_of(caught.value) is caught.value
    bare = pw.IntegrityError("of nobody")
    assert office.db.violation_of(bare) is bare


def test_a_list_of_texts_comes_to_postgresql_as_it_is(postgres_url: str) -> None:
    office = open_office(postgres_url)
    texts = ["a", None, "NULL", "", '"', "\\", "a,b", "{}", " 𠮷 "]
    with office.engine.store.reading() as unit:
        assert [row[0] for row in unit.rows("SELECT unnest(?::text[])", (texts,))] == texts
        assert [row[0] for row in unit.rows("SELECT unnest(?::bigint[])", ([1, None, -3],))] == [1, None, -3]
    office.close()


# -- what the engine reads ---------------------------------------------------------------------------------------------


def test_an_instance_comes_with_its_timers_its_pause_and_the_time(shelf: Office) -> None:
    store, start = shelf.engine.store, shelf.clock.now
    number, other = shelf.submit(), shelf.submit("Other")
    shelf.sql("UPDATE timer SET failures = 2 WHERE instance_id = ? AND event = 'lapse'", number)
    now = shelf.clock.forward(hours=1)
    expected = {
        "remind": Due("remind", start + timedelta(hours=24)),
        "lapse": Due("lapse", start + timedelta(hours=72), 2),
    }

    def seen(instance_id: int) -> tuple[bool, bool]:
        """Whether it is paused, for who opens it and for who reads it, after both have seen the same."""
        with store.begin() as unit:
            opened = store.open(unit, instance_id, also=("SELECT ?", ("also",)))
            assert opened is not None
            assert list(map(tuple, unit.also)) == [("also",)]
        with store.reading() as unit:
            read = store.read(unit, instance_id)
        for instance, timers, moment in (opened, read):
            assert {timer.event: timer for timer in timers} == expected
            assert len(timers) == 2
            assert moment == now
            assert (instance.id, instance.workflow, instance.version) == (instance_id, "review", 1)
            assert (instance.state, instance.seq) == ("submitted", 1)
            assert {type(part) for part in (instance.head, instance.nonce)} == {bytes}
        assert opened[0] == read[0]
        return opened[0].paused, read[0].paused

    assert seen(number) == (False, False)
    pause(shelf.engine, OneInstance(number), OPERATOR, "looked at")
    shelf.sql("UPDATE timer SET failures = 2 WHERE instance_id = ? AND event = 'lapse'", other)
    with store.reading() as unit:
        assert store.read(unit, number)[0].paused is True
    assert seen(other) == (False, False)
    pause(shelf.engine, OneVersion("review", 1), OPERATOR, "looked at")
    assert seen(other) == (True, True)


def test_an_instance_that_is_not_there_is_named_unless_it_may_be_gone(shelf: Office) -> None:
    store = shelf.engine.store
    said = "^There is no procedure 77\\.$"
    with store.begin() as unit:
        assert store.open(unit, 77, skip_locked=True) is None
        with pytest.raises(UnknownInstance, match=said):
            store.open(unit, 77)
    with store.reading() as unit, pytest.raises(UnknownInstance, match=said):
        store.read(unit, 77)


def test_whether_a_channel_is_paused_is_known_with_every_instance_that_is_read(shelf: Office) -> None:
    from engine.operations.pauses.acts import channels

    store, number = shelf.engine.store, shelf.submit()

    def is_paused() -> bool:
        with store.reading() as unit:
            store.read(unit, number)
            return bool(unit.channels_paused)

    assert is_paused() is False
    pause(shelf.engine, OneVersion("review", 1), OPERATOR, "looked at")
    assert is_paused() is False
    pause(shelf.engine, channels(shelf.engine)[0], OPERATOR, "looked at")
    assert is_paused() is True


def test_numbers_go_up_by_one_and_come_with_the_time_and_whether_the_version_is_paused(shelf: Office) -> None:
    store = shelf.engine.store

    def new(version: int) -> tuple[int, datetime, bool]:
        with store.begin() as unit:
            number, now, paused = store.open_new(unit, "review", version)
            assert type(paused) is bool
            return number, now, paused

    first = new(2)[0]
    assert first == 1
    if isinstance(shelf.db, SqliteDatabase):
        assert shelf.submit() == first  # what was asked for and not used is free
    else:
        assert shelf.submit() == first + 1
    number, now, paused = new(2)
    assert number == shelf.submit() - (not isinstance(shelf.db, SqliteDatabase))
    assert (now, paused) == (shelf.clock.now, False)
    pause(shelf.engine, OneVersion("review", 2), OPERATOR, "looked at")
    assert [new(version)[2] for version in (1, 2, 3)] == [False, True, False]
    if isinstance(shelf.db, PostgresDatabase):
        shelf.sql("SELECT nextval('pause_number_seq')")  # somebody pauses something, and has not committed it
        assert [new(version)[2] for version in (1, 2, 3)] == [False, True, False]
    assert shelf.db.store().clock is None
    with shelf.db.store().begin() as unit:
        assert abs(shelf.db.store().open_new(unit, "review", 1)[1] - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_is_due_comes_the_longest_overdue_first_each_with_all_its_timers(shelf: Office) -> None:
    store, start = shelf.engine.store, shelf.clock.now
    numbers = []
    for title in ("One", "Two", "Three"):
        numbers.append(shelf.submit(title))
        shelf.clock.forward(hours=1)
    pause(shelf.engine, OneInstance(numbers[1]), OPERATOR, "looked at")
    shelf.sql("UPDATE timer SET wake_at = due_at, failures = 1 WHERE instance_id = ?", numbers[1])

    def due(moment: datetime, limit: int = 10) -> list[tuple[int, bool, list[tuple[str, datetime, int]]]]:
        with store.begin() as unit:
            opened, now = store.open_due(unit, moment, limit)
        assert now == shelf.clock.now
        return [
            (instance.id, instance.paused, sorted((timer.event, timer.due_at, timer.failures) for timer in timers))
            for instance, timers in opened
        ]

    def timers(place: int, failures: int = 0) -> list[tuple[str, datetime, int]]:
        begun = start + timedelta(hours=place)
        return [("lapse", begun + timedelta(hours=72), failures), ("remind", begun + timedelta(hours=24), failures)]

    first = start + timedelta(hours=24)
    assert due(first - timedelta.resolution) == []
    assert due(first) == [(numbers[0], False, timers(0))]
    every = [(numbers[0], False, timers(0)), (numbers[1], True, timers(1, 1)), (numbers[2], False, timers(2))]
    assert due(start + timedelta(hours=26)) == every
    assert due(start + timedelta(hours=26), 2) == every[:2]
    assert due(start + timedelta(days=9)) == every  # where both timers are due, too


def test_a_look_from_one_moment_does_not_see_what_is_committed_meanwhile(shelf: Office) -> None:
    keep(shelf, name="a")
    store = shelf.engine.store

    def more() -> None:
        keep(shelf, name="b")
        shelf.db.close()

    with store.snapshot() as unit:
        assert unit.rows("SELECT name FROM specimen") == [("a",)]
        assert Specimen.select().count() == 1
        writer = threading.Thread(target=more)
        writer.start()
        writer.join()
        assert unit.rows_of([("SELECT name FROM specimen", ()), ("SELECT 1", ())]) == [[("a",)], [(1,)]]
    with store.snapshot() as unit:
        assert unit.rows("SELECT name FROM specimen ORDER BY name") == [("a",), ("b",)]
    keep(shelf, name="c")


# -- parts, rows, texts ------------------------------------------------------------------------------------------------


def test_a_part_is_undone_while_what_was_before_and_after_it_is_kept(shelf: Office) -> None:
    store = shelf.engine.store
    with store.begin() as unit:
        unit.insert(Specimen, name="before")
        unit.begin_part()
        unit.insert(Specimen, name="undone")
        unit.undo_part()
        unit.begin_part()
        unit.insert(Specimen, name="kept")
        unit.end_part()
        unit.begin_part()
        unit.insert(Specimen, name="undone too")
        with pytest.raises(Violation):
            unit.changed("INSERT INTO specimen (name, note, size, good) SELECT name, note, size, good FROM specimen")
        unit.undo_part()
        unit.insert(Specimen, name="after")
        store.commit(unit)
    assert [row.name for row in Specimen.select().order_by(Specimen.id)] == ["before", "kept", "after"]


def test_whether_a_row_is_there_is_asked_by_every_column_that_is_named(shelf: Office) -> None:
    keep(shelf, name="a", at=NOON)
    with shelf.engine.store.begin() as unit:
        asked = ({"name": "a"}, {"name": "b"}, {"at": NOON}, {"name": "a", "size": 8}, {"name": "a", "size": 7})
        found = [unit.exists(Specimen, **equal) for equal in asked]
        assert found == [True, False, True, False, True]
        assert {type(one) for one in found} == {bool}
        unit.lock_rows(Specimen, name="nobody")
        unit.insert(Specimen, name="b")
        assert unit.exists(Specimen, name="b")


@pytest.mark.parametrize("way", ["reading", "snapshot"])
def test_who_only_looks_locks_nothing_even_where_a_rule_asks_for_it(shelf: Office, way: str) -> None:
    """PostgreSQL refuses a lock in a read-only transaction, and ends that with it; elsewhere a look would wait."""
    keep(shelf, name="a")
    with shelf.engine.store.begin() as writer:
        writer.lock_rows(Specimen, name="a")
        writer.flush()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(_looked, shelf, way).result(PATIENCE)


def _looked(shelf: Office, way: str) -> bool:
    with getattr(shelf.engine.store, way)() as unit:
        unit.lock_rows(Specimen, name="a")
        there = bool(unit.exists(Specimen, name="a")) and unit.get(Specimen, name="a") is not None
    shelf.db.close()
    return there


def test_work_that_changed_nothing_is_not_kept_and_answers(shelf: Office) -> None:
    def look(unit: Any, *, unchanged: bool) -> int:
        unit.insert(Specimen, name="a")
        unit.unchanged = unchanged
        return int(unit.rows("SELECT count(*) FROM specimen")[0][0])

    store = shelf.engine.store
    assert store.run(lambda unit: look(unit, unchanged=True)) == 1
    assert Specimen.select().count() == 0
    assert store.run(lambda unit: look(unit, unchanged=False)) == 1
    assert Specimen.select().count() == 1
    with pytest.raises(Violation):
        store.run(lambda unit: unit.insert(Specimen, name="a"))
    assert Specimen.select().count() == 1


def test_a_time_is_written_as_utc_again_and_again() -> None:
    tokyo = datetime(2026, 4, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    for _time in range(2):
        assert to_db(tokyo) == "2026-04-01 00:00:00.000000"
        assert to_db(NOON) == "2026-04-01 12:00:00.123456"
        assert to_db(NOON) == "2026-04-01 12:00:00.123456"
    field = Specimen.at
    assert (field.db_value(None), field.python_value(None)) == (None, None)
    assert field.python_value(field.db_value(tokyo)) == tokyo
    said = "at: expected an aware time, got the naive datetime.datetime(2026, 4, 1, 0, 0)"
    with pytest.raises(ValueError, match=re.escape(said)):
        field.db_value(datetime(2026, 4, 1))


def test_a_text_for_both_databases_has_no_nul_no_halves_and_no_row_behind_it() -> None:
    assert storable("日本\nsecond line") == "日本\nsecond line"
    assert storable("duplicate key\nDETAIL:  Key (email)=(a@example.jp) already exists.") == "duplicate key"
    assert storable("a\0b\ud800c") == "a\ufffdb?c"
    assert (len(storable("x" * 1001)), storable("abc", 2)) == (1000, "ab")


def test_a_violation_is_of_the_index_that_it_names_or_whose_columns_it_names() -> None:
    by_columns, by_name = (
        Violation("publication", ("title",), "x"),
        Violation("publication", ("publication_title",), "x"),
    )
    assert by_columns.index == by_name.index == "publication_title"
    assert Violation("a", ("b", "c"), "x").index == "a_b_c"
    assert by_columns.of(ONE_TITLE)
    assert by_name.of(ONE_TITLE)
    for other in (
        Violation("paper", ("title",), "x"),
        Violation("publication", ("title", "at"), "x"),
        Violation("publication", ("publication_at",), "x"),
    ):
        assert not other.of(ONE_TITLE)


# -- opening, each kind ------------------------------------------------------------------------------------------------


def test_a_new_sqlite_database_is_its_owners_alone(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/a/site.db")
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "site.db")]
    assert modes == [0o700, 0o600]
    assert not db.is_shared
    assert abs(db.now() - datetime.now(UTC)) < timedelta(minutes=1)
    db.close()


def test_a_database_in_memory_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    db = open_database("sqlite:///:memory:")
    assert db.execute_sql("SELECT 1").fetchone() == (1,)
    db.close()
    assert list(tmp_path.iterdir()) == []


def test_postgresql_is_opened_under_both_names_with_a_pool_of_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("postgresql", "postgres"):
        db = open_database(f"{scheme}://nobody@127.0.0.1:1/nothing")
        assert isinstance(db, PostgresDatabase)
        assert (db.is_shared, db._max_connections, db._stale_timeout, db._wait_timeout) == (True, 32, 600, 30)
    db = open_database("postgresql://nobody@127.0.0.1:1/nothing", pool=3)
    assert isinstance(db, PostgresDatabase)
    assert db._max_connections == 3
    monkeypatch.setitem(sys.modules, "engine.store.jobs", None)
    with pytest.raises(ConfigurationError, match=r"^DATABASE_URL: PostgreSQL needs Procrastinate: pip install tetsu"):
        migrate(db, [])
    monkeypatch.setitem(sys.modules, "engine.store.postgres", None)
    with pytest.raises(ConfigurationError, match=r"^DATABASE_URL: PostgreSQL needs its driver: pip install tetsuzuki"):
        open_database("postgresql://nobody@127.0.0.1:1/nothing")
