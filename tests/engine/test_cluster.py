"""Workers that are woken by Procrastinate's jobs, on a real PostgreSQL and the real clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event, current_thread
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from engine import cluster
from engine.cluster import SCHEMA, Cluster, condition, install
from engine.definition import Actor, Effect, Start, Workflow
from engine.dispatch import Dispatcher
from engine.errors import ConfigurationError, DatabaseAway
from engine.mail import Renderer
from engine.migrate import migrate
from engine.runtime import Engine
from engine.store import open_database
from tests.engine.test_scheduler import NOTIFY, Ping, limited
from tests.waiting import PATIENCE, until

VISITOR = Actor("visitor")


@contextmanager
def member(
    url: str,
    workflow: Workflow,
    ping: Ping | None = None,
    *,
    works: bool = True,
    chores: Any = (),
    clock: Callable[[], datetime] | None = None,
) -> Iterator[tuple[Engine, Cluster]]:
    """One process of a site; `works=False` is one of pages alone."""
    db = open_database(url)
    engine = Engine(db, [workflow], secret=b"x" * 32, worker=f"w{id(db)}", clock=clock)
    renderer = Renderer(base_url="http://localhost", sender="a@example.com", site={}, link=engine.link)
    dispatcher = Dispatcher(engine, renderer, mailers={}, mailer="none", handlers={"ping": ping} if ping else {})
    heartbeat = Cluster(engine, dispatcher, threads=2, works=works, chores=chores)
    heartbeat.start()
    try:
        yield engine, heartbeat
    finally:
        heartbeat.stop()
        db.close()
        db.close_all()  # type: ignore[attr-defined]


@contextmanager
def asking(url: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """SQL on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:

        def ask(sql: str, *params: Any) -> list[tuple[Any, ...]]:
            cursor = connection.execute(sql, params)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

        yield ask


@contextmanager
def swept_once_at_most(url: str, workflow: Workflow, ping: Ping | None = None) -> Iterator[tuple[Engine, Cluster]]:
    """A member whose first sweep does not end: it may come to the rescue once, so what is woken for happens again."""
    over = Event()
    with member(url, workflow, ping, chores=(lambda: over.wait(10 * PATIENCE),)) as made:
        try:
            yield made
        finally:
            over.set()


def test_a_process_of_pages_wakes_a_worker_elsewhere_without_its_sweep(postgres_url: str) -> None:
    ping = Ping()
    with swept_once_at_most(postgres_url, NOTIFY, ping), member(postgres_url, NOTIFY, works=False) as (pages, _):
        for n in range(5):
            number = pages.start("notify", f"x:{n}", VISITOR).instance
            until(lambda number=number: pages.look(number).state.name == "told", "the effect")
    assert len(ping.keys) == len(set(ping.keys)) == 5


def test_an_effect_that_hangs_holds_up_none_of_the_same_commit(postgres_url: str) -> None:
    """One commit wakes one thread. It takes one of the two effects and hangs: the other must not wait for the sweep."""

    class Hanging(Ping):
        def __init__(self) -> None:
            super().__init__()
            self.again()

        def again(self) -> None:
            self.released, self.delivered = Event(), Event()

        def deliver(self, delivery: Any, key: str) -> Any:
            if delivery.name == "hang":
                self.released.wait(PATIENCE)
            else:
                self.delivered.set()
            return super().deliver(delivery, key)

    both = (Effect("ping", "hang", to="a"), Effect("ping", "quick", to="b"))
    twice = replace(NOTIFY, start=Start("open", effects=both))
    ping = Hanging()
    with swept_once_at_most(postgres_url, twice, ping), member(postgres_url, twice, works=False) as (pages, _):
        for n in range(3):
            ping.again()
            pages.start("notify", f"x:{n}", VISITOR)
            try:
                until(ping.delivered.is_set, "the other effect")
            finally:
                ping.released.set()
            until(lambda n=n: len(ping.keys) == 2 * (n + 1), "both")


def test_a_timer_fires_when_it_is_due_and_an_earlier_one_before_it(postgres_url: str) -> None:
    with member(postgres_url, limited(timedelta(seconds=40)), works=False) as (late, _):
        late.start("limited", "x:0", VISITOR)
        quick = limited(timedelta(milliseconds=700))
        with swept_once_at_most(postgres_url, quick), member(postgres_url, quick, works=False) as (pages, _):
            for n in range(2):
                number = pages.start("limited", f"x:{n + 1}", VISITOR).instance
                until(lambda number=number: len(pages.history(number)) == 2, "the timer")
                entry = pages.history(number)[1]
                assert entry.late is not None
                assert entry.late >= 0


def test_a_fault_while_others_are_woken_keeps_nobody_asleep(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As where all connections were held for half a minute (playhouse's MaxConnectionsExceeded is a ValueError)."""
    failed = Event()

    def clock() -> datetime:
        if current_thread().name == "cluster_wake_workers" and not failed.is_set():
            failed.set()
            raise ValueError("Max connections exceeded, timed out attempting to connect.")
        return datetime.now(UTC)

    quick = limited(timedelta(milliseconds=700))
    with swept_once_at_most(postgres_url, quick), member(postgres_url, quick, works=False, clock=clock) as (pages, _):
        for n in range(2):
            number = pages.start("limited", f"x:{n}", VISITOR).instance
            until(lambda number=number: len(pages.history(number)) == 2, "the timer")
    assert failed.is_set()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "workers could not be woken; it is tried again"
    ]


def test_what_became_due_while_nothing_ran_is_caught_up(postgres_url: str) -> None:
    workflow = limited(timedelta(microseconds=1))
    db = open_database(postgres_url)
    numbers = [Engine(db, [workflow], secret=b"x" * 32).start("limited", f"x:{n}", VISITOR).instance for n in range(5)]
    db.close_all()  # type: ignore[attr-defined]
    with member(postgres_url, workflow) as (engine, _):
        for number in numbers:
            until(lambda number=number: len(engine.history(number)) == 2, "the overdue timer")
            assert engine.verify(number) == []


def test_few_jobs_wait_however_much_there_is_to_do(postgres_url: str) -> None:
    with (
        asking(postgres_url) as ask,
        ExitStack() as stack,
    ):
        pages, _ = stack.enter_context(member(postgres_url, NOTIFY, works=False))
        timed, _ = stack.enter_context(member(postgres_url, limited(timedelta(seconds=20)), works=False))
        for n in range(60):
            pages.start("notify", f"x:{n}", VISITOR)
            timed.start("limited", f"y:{n}", VISITOR)
        stack.close()  # which tells first what is still to be told
        jobs = ask(f"SELECT task_name, queueing_lock, scheduled_at IS NULL FROM {SCHEMA}.procrastinate_jobs")
        assert ("outbox", "outbox", True) in jobs
        assert 1 <= len([job for job in jobs if job[0] == "timers"]) <= 10  # one a second, and not one a timer
        assert len(jobs) <= 11
        assert all(job[1] for job in jobs)
    ping = Ping()
    with member(postgres_url, NOTIFY, ping) as (engine, _):
        until(lambda: len(set(ping.keys)) == 60, "all effects")
    assert len(ping.keys) == 60
    assert engine.worker


def test_workers_share_what_waits_and_nobody_does_it_twice(postgres_url: str) -> None:
    pings = [Ping() for _ in range(3)]
    with ExitStack() as stack:
        for ping in pings:
            stack.enter_context(member(postgres_url, NOTIFY, ping))
        pages, _ = stack.enter_context(member(postgres_url, NOTIFY, works=False))
        numbers = [pages.start("notify", f"x:{n}", VISITOR).instance for n in range(60)]
        until(lambda: all(pages.look(number).state.name == "told" for number in numbers), "all effects")
    keys = [key for ping in pings for key in ping.keys]
    assert len(keys) == len(set(keys)) == 60
    assert len([ping for ping in pings if ping.keys]) >= 2


def test_who_stops_finishes_what_it_began_and_leaves_the_rest_to_others(postgres_url: str) -> None:
    slow = Ping(hold=Event())
    assert slow.hold is not None
    with asking(postgres_url) as ask, ExitStack() as stack:
        with member(postgres_url, NOTIFY, slow) as (engine, heartbeat):
            numbers = [engine.start("notify", f"x:{n}", VISITOR).instance for n in range(6)]
            assert slow.begun.wait(PATIENCE)
            heartbeat._stopping.set()
            slow.hold.set()
        told = [number for number in numbers if engine.look(number).state.name == "told"]
        assert 1 <= len(told) == len(slow.keys) < 6
        assert ask("SELECT count(*) FROM outbox WHERE state = 'leased'") == [(0,)]
        assert ask(f"SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE status = 'doing'") == [(0,)]
        assert ask(f"SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE queueing_lock = 'outbox'") == [(1,)]
        assert ask(f"SELECT count(*) FROM {SCHEMA}.procrastinate_workers") == [(0,)]
        other = Ping()
        again, _ = stack.enter_context(member(postgres_url, NOTIFY, other))
        until(lambda: all(again.look(number).state.name == "told" for number in numbers), "the rest")
    assert sorted(slow.keys + other.keys) == sorted(set(slow.keys + other.keys))


def test_jobs_of_a_worker_that_died_are_done_again(postgres_url: str) -> None:
    with asking(postgres_url) as ask:
        ((worker,),) = ask(
            f"INSERT INTO {SCHEMA}.procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') "
            "RETURNING id"
        )
        insert = (
            f"INSERT INTO {SCHEMA}.procrastinate_jobs (queue_name, task_name, status, worker_id, queueing_lock) "
            "VALUES (%s, %s, 'doing', %s, %s)"
        )
        ask(insert, "outbox", "outbox", worker, "outbox")
        ask(insert, "timers", "timers", None, "timers")  # of one that was forgotten already
        db = open_database(postgres_url)
        found = condition(db)
        assert (found.workers, found.dead, found.running, found.stuck) == (0, 1, 0, 2)
        db.close_all()  # type: ignore[attr-defined]
        with member(postgres_url, NOTIFY, Ping()) as (engine, _):
            until(lambda: condition(engine.db).stuck == 0, "the stuck jobs")
            until(lambda: condition(engine.db).dead == 0, "the dead worker")
            until(lambda: condition(engine.db).workers == 2, "the living one")


def test_an_outage_is_told_once_at_its_begin_and_its_end_and_pauses_double(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tetsuzuki")
    trouble = cluster._Trouble("no job can be deferred")
    trouble.is_over()
    for _time in range(2):
        pauses = [trouble.told(OSError("cut off")) for _try in range(7)]
        assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
        trouble.is_over()
        trouble.is_over()
    begin = "no job can be deferred until the database is back: cut off"
    assert [record.getMessage() for record in caplog.records] == [begin, "the database is back"] * 2


def test_it_works_on_when_the_database_threw_everybody_out(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    ping = Ping()
    with (
        asking(postgres_url) as ask,
        member(postgres_url, NOTIFY, ping),
        member(postgres_url, NOTIFY, works=False) as (pages, _),
    ):
        for n in range(3):
            number = pages.start("notify", f"x:{n}", VISITOR).instance
            until(lambda number=number: pages.look(number).state.name == "told", "the effect")
            pages.db.give_back()
            ask(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
    assert len(ping.keys) == len(set(ping.keys)) == 3
    assert not [record.getMessage() for record in caplog.records if record.exc_info]


def test_chores_are_done_by_workers_alone(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cluster, "SWEEP", timedelta(milliseconds=50))
    done, never = Event(), Event()

    def fails() -> None:
        raise ValueError("a chore")

    def is_cut_off() -> None:
        raise DatabaseAway

    with (
        member(postgres_url, NOTIFY, chores=(fails, is_cut_off, done.set)),
        member(postgres_url, NOTIFY, works=False, chores=(never.set,)),
    ):
        assert done.wait(PATIENCE)
    assert not never.is_set()
    said = {bool(record.exc_info): record.getMessage() for record in caplog.records if "chore" in record.getMessage()}
    assert said[True] == "a chore failed; the next sweep tries again"
    assert said[False].startswith("a chore cannot be done; the sweep tries again: ")  # an outage is no fault of ours


def test_one_that_never_began_stops(postgres_url: str) -> None:
    with member(postgres_url, NOTIFY) as (engine, running):
        Cluster(engine, running.dispatcher).stop()


def test_its_tables_are_made_once_in_a_schema_of_their_own(postgres: Any) -> None:
    url = postgres.create()
    db = open_database(url)
    try:
        assert SCHEMA in migrate(db, [])
        assert migrate(db, []) == []
        assert install(db) == []
        with asking(url) as ask:
            assert ask("SELECT to_regclass('public.procrastinate_jobs')") == [(None,)]
    finally:
        db.close_all()  # type: ignore[attr-defined]
        postgres.drop(url)


def test_a_user_who_may_not_make_them_is_told_what_to_grant(postgres: Any) -> None:
    url = postgres.create()
    name = urlsplit(url).path.removeprefix("/")
    try:
        with asking(url) as ask:
            ask(f"REVOKE CREATE ON DATABASE {name} FROM PUBLIC")
            ask("DROP ROLE IF EXISTS small_rights")
            ask("CREATE ROLE small_rights LOGIN")
            owner = ask("SELECT current_user")[0][0]
        db = open_database(url.replace(f"//{owner}", "//small_rights"))
        with pytest.raises(ConfigurationError, match=f"may not make the schema {SCHEMA}"):
            install(db)
        db.close_all()  # type: ignore[attr-defined]
    finally:
        postgres.drop(url)


def test_without_the_library_the_site_says_what_to_install(postgres_url: str) -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['procrastinate'] = None\n"
            "from engine.store import open_database\n"
            "from engine.errors import ConfigurationError\n"
            "try:\n    open_database(sys.argv[1]).prepare()\n"
            "except ConfigurationError as error:\n    print(error)",
            postgres_url,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install tetsuzuki[pg]" in said.stdout
