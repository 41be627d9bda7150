"""Workers that are woken by Procrastinate's jobs, on a real PostgreSQL and the real clock."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread, current_thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import procrastinate
import psycopg
import pytest
from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException
from procrastinate.jobs import DeleteJobCondition
from procrastinate.testing import InMemoryConnector

from engine.attempt import Actor
from engine.definition import Effect, Start, Workflow
from engine.errors import Busy, ConfigurationError, DatabaseAway, OutcomeUnknown
from engine.outbox.claims import MOST_AHEAD
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.outcomes import Committed
from engine.runtime.engine import Engine
from engine.store.jobs import SCHEMA, condition, install
from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.workers import several_machines
from engine.workers.jobs import deferring, doing, taking
from engine.workers.jobs.outages import Outage
from engine.workers.jobs.wanted import NOW as AT_ONCE_WANTED
from engine.workers.jobs.wanted import Wanted
from engine.workers.several_machines import Cluster
from tests.kit.databases import close_database
from tests.kit.heartbeats import NOTIFY, Ping, has_fired, is_told, limited
from tests.kit.waiting import PATIENCE, until

VISITOR = Actor("visitor")


@contextmanager
def member(
    url: str,
    workflow: Workflow,
    ping: Ping | None = None,
    *,
    works: bool = True,
    chores: Any = (),
    own_chores: Any = (),
    clock: Callable[[], datetime] | None = None,
) -> Iterator[tuple[Engine, Cluster]]:
    """One process of a site; `works=False` is one of pages alone."""
    db = open_database(url)
    engine = Engine(db, [workflow], secret=b"x" * 32, worker=f"w{id(db)}", clock=clock)
    renderer = Renderer(base_url="http://localhost", sender="a@example.com", site_facts={}, link=engine.link)
    dispatcher = Dispatcher(engine, renderer, mailers={}, mailer="none", handlers={"ping": ping} if ping else {})
    heartbeat = Cluster(engine, dispatcher, threads=2, works=works, chores=chores, own_chores=own_chores)
    heartbeat.start()
    try:
        yield engine, heartbeat
    finally:
        heartbeat.stop()
        close_database(db)


@contextmanager
def asking(url: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """SQL on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:

        def ask(sql: str, *params: Any) -> list[tuple[Any, ...]]:
            cursor = connection.execute(sql, params)
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
            number = pages.start("notify", f"x:{n}", VISITOR).instance_id
            until(partial(is_told, pages, number), "the effect")
    assert len(ping.keys) == len(set(ping.keys)) == 5


def test_an_effect_that_hangs_holds_up_none_of_the_same_commit(postgres_url: str) -> None:
    """One commit wakes one thread. It takes one of the two effects and hangs: the other must not wait for the sweep."""

    class Hanging(Ping):
        def __init__(self) -> None:
            super().__init__()
            self.again()

        def was_asked(self, times: int) -> bool:
            return len(self.keys) == times

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
            until(partial(ping.was_asked, 2 * (n + 1)), "both")


def test_a_timer_fires_when_it_is_due_and_an_earlier_one_before_it(postgres_url: str) -> None:
    with member(postgres_url, limited(timedelta(seconds=40)), works=False) as (late, _):
        late.start("limited", "x:0", VISITOR)
        quick = limited(timedelta(milliseconds=700))
        with swept_once_at_most(postgres_url, quick), member(postgres_url, quick, works=False) as (pages, _):
            for n in range(2):
                number = pages.start("limited", f"x:{n + 1}", VISITOR).instance_id
                until(partial(has_fired, pages, number), "the timer")
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
            number = pages.start("limited", f"x:{n}", VISITOR).instance_id
            until(partial(has_fired, pages, number), "the timer")
    assert failed.is_set()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "workers could not be woken; it is tried again"
    ]


def test_what_became_due_while_nothing_ran_is_caught_up(postgres_url: str) -> None:
    workflow = limited(timedelta(microseconds=1))
    db = open_database(postgres_url)
    numbers = [
        Engine(db, [workflow], secret=b"x" * 32).start("limited", f"x:{n}", VISITOR).instance_id for n in range(5)
    ]
    close_database(db)
    with member(postgres_url, workflow) as (engine, _):
        for number in numbers:
            until(partial(has_fired, engine, number), "the overdue timer")
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
    """The first deliveries wait until a second worker has begun one."""
    begun = Event()
    pings = [Ping(hold=begun) for _ in range(3)]
    with ExitStack() as stack:
        for ping in pings:
            stack.enter_context(member(postgres_url, NOTIFY, ping))
        pages, _ = stack.enter_context(member(postgres_url, NOTIFY, works=False))
        numbers = [pages.start("notify", f"x:{n}", VISITOR).instance_id for n in range(60)]
        until(lambda: len([ping for ping in pings if ping.keys]) >= 2, "a second worker to begin")
        begun.set()
        until(lambda: all(pages.look(number).state.name == "told" for number in numbers), "all effects")
    keys = [key for ping in pings for key in ping.keys]
    assert len(keys) == len(set(keys)) == 60


def test_who_stops_finishes_what_it_began_and_leaves_the_rest_to_others(postgres_url: str) -> None:
    slow = Ping(hold=Event())
    assert slow.hold is not None
    with asking(postgres_url) as ask, ExitStack() as stack:
        with member(postgres_url, NOTIFY, slow) as (engine, heartbeat):
            numbers = [engine.start("notify", f"x:{n}", VISITOR).instance_id for n in range(6)]
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
        close_database(db)
        with member(postgres_url, NOTIFY, Ping()) as (engine, _):
            until(lambda: condition(engine.db).stuck == 0, "the stuck jobs")
            until(lambda: condition(engine.db).dead == 0, "the dead worker")
            until(lambda: condition(engine.db).workers == 2, "the living one")


def test_an_outage_is_told_once_at_its_begin_and_its_end_and_pauses_double(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tetsuzuki")
    trouble = Outage("no job can be deferred")
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
            number = pages.start("notify", f"x:{n}", VISITOR).instance_id
            until(partial(is_told, pages, number), "the effect")
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
    monkeypatch.setattr(several_machines, "SWEEP", timedelta(milliseconds=50))
    done, never, own = Event(), Event(), Event()

    def fails() -> None:
        raise ValueError("a chore")

    def is_cut_off() -> None:
        raise DatabaseAway

    with (
        member(postgres_url, NOTIFY, chores=(fails, is_cut_off, done.set)),
        member(postgres_url, NOTIFY, works=False, chores=(never.set,), own_chores=(own.set,)),
    ):
        assert done.wait(PATIENCE)
        assert own.wait(PATIENCE)  # what each process does for itself, as to say that it seals
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
        close_database(db)
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
        close_database(db)
    finally:
        postgres.drop(url)


def test_without_the_library_the_site_says_what_to_install(postgres_url: str) -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['procrastinate'] = None\n"
            "from engine.store.opening import open_database\n"
            "from engine.store.schema import migrate\n"
            "from engine.errors import ConfigurationError\n"
            "try:\n    migrate(open_database(sys.argv[1]), [])\n"
            "except ConfigurationError as error:\n    print(error)",
            postgres_url,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install tetsuzuki[pg]" in said.stdout


# -- what it wants and plans, without a database -----------------------------------------------------------------------

NOW = datetime(2026, 4, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Work:
    """An engine and a dispatcher whose work is written down before; `said` is what was asked of them, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.fired: list[int] = []
        self.claims: list[str] = []
        self.dues: list[datetime | None] = []
        self.slices: list[timedelta | None] = []
        self.error: Exception | None = None
        self.at_work: Callable[[], object] = lambda: None
        self.store = self.db = self
        self.database = "postgresql://nowhere"
        self.on_commit: Any = None

    def now(self) -> datetime:
        return NOW

    def run_due(self, *, limit: int, stopped: Callable[[], bool]) -> int:
        self.said.append(f"run {limit}")
        self.at_work()
        if self.error is not None:
            raise self.error
        return self.fired.pop(0) if self.fired else 0

    def carry_on(self, engine: Any, stopped: Callable[[], bool]) -> timedelta | None:
        if not self.slices:
            return None
        self.said.append("slice")
        self.at_work()
        return self.slices.pop(0)

    def next_due(self) -> datetime | None:
        self.said.append("due?")
        return self.dues.pop(0) if self.dues else None

    def next_claim(self, most: int) -> str | None:
        assert most == MOST_AHEAD
        self.said.append("claim?")
        if self.error is not None:
            raise self.error
        return self.claims.pop(0) if self.claims else None

    def deliver(self, claim: str) -> None:
        self.said.append(claim)
        self.at_work()

    def give_back(self) -> None:
        self.said.append("back")

    @contextmanager
    def bound(self) -> Iterator[None]:
        self.said.append("bound")
        yield


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """A member that does nothing by itself, and its work."""
    work: Any = Work()
    monkeypatch.setattr(doing, "carry_on", work.carry_on)
    return Cluster(work, work, threads=2), work


def wanted(heartbeat: Any) -> dict[str, datetime]:
    """What others are to be woken for, and then no more."""
    found: dict[str, datetime]
    found, heartbeat._wanted._wanted = heartbeat._wanted._wanted, {}
    return found


def test_the_earliest_moment_of_each_kind_is_wanted_and_taken_once() -> None:
    asked = Wanted()
    for kind, when in (("timers", NOW), ("timers", NOW + SECOND), ("outbox", NOW), ("outbox", NOW - SECOND)):
        asked.ask(kind, when)
    assert asked.take() == {"timers": NOW, "outbox": NOW - SECOND}
    asked.ask("timers", NOW)
    asked.ask("timers")
    asked.close()
    assert asked.take() == {"timers": AT_ONCE_WANTED}  # which is still to be told
    assert asked.take() == {}


def test_whoever_waits_for_what_is_wanted_hears_of_it_and_of_the_end() -> None:
    asked = Wanted()
    taken: list[dict[str, datetime]] = []
    first = Thread(target=lambda: taken.append(asked.take()))
    first.start()
    asked.ask("timers", NOW)
    first.join(PATIENCE)
    second = Thread(target=lambda: taken.append(asked.take()))
    second.start()
    asked.close()
    second.join(PATIENCE)
    assert taken == [{"timers": NOW}, {}]


def test_a_commit_wants_what_it_left(alone: tuple[Any, Any]) -> None:
    heartbeat, _ = alone
    for committed, left in (
        (Committed(), {}),
        (Committed(effects=1), {"outbox": AT_ONCE_WANTED}),
        (Committed(next_due=NOW), {"timers": NOW}),
        (Committed(effects=2, next_due=NOW), {"outbox": AT_ONCE_WANTED, "timers": NOW}),
    ):
        heartbeat._committed(committed)
        assert wanted(heartbeat) == left


class Jobs:
    """Procrastinate's app, as far as waking needs it."""

    def __init__(self) -> None:
        self.deferred: list[tuple[Any, ...]] = []
        self.there: set[str] = set()
        self.taken = False
        self.job_manager = self.connector = self

    def list_jobs(self, queueing_lock: str, status: str) -> list[str]:
        assert status == "todo"
        return [lock for lock in self.there if lock == queueing_lock]

    def configure_task(self, name: str, *, queue: str, queueing_lock: str, schedule_at: datetime | None) -> Any:
        self._job = (name, queue, queueing_lock, schedule_at)
        return self

    def defer(self) -> None:
        if self.taken:
            raise AlreadyEnqueued
        self.deferred.append(self._job)

    def open(self, pool: str) -> None:
        assert pool == "a pool"

    def get_sync_connector(self) -> Any:
        return self

    def execute_query_one(self, sql: str) -> dict[str, datetime]:
        return {"now": NOW + timedelta(hours=1)}  # the database's server has another clock than its transactions


def test_one_job_is_deferred_for_all_that_want_it_at_a_time(alone: tuple[Any, Any]) -> None:
    heartbeat, _ = alone
    later = NOW + timedelta(hours=1)
    for when, job in (
        (AT_ONCE_WANTED, ("timers", "timers", "timers", None)),
        (NOW, ("timers", "timers", "timers", None)),
        (NOW - SECOND, ("timers", "timers", "timers", None)),
        (NOW + SECOND, ("timers", "timers", "timers at 09:00:01", later + SECOND)),
        (NOW + 90 * SECOND, ("timers", "timers", "timers at 09:01:30", later + 90 * SECOND)),
        (NOW + 91 * SECOND, None),  # a later sweep plans that
    ):
        jobs = Jobs()
        heartbeat._deferrer._defer(jobs, "timers", when)
        assert jobs.deferred == ([job] if job else [])
        if job:
            jobs.there, jobs.deferred = {job[2]}, []
            heartbeat._deferrer._defer(jobs, "timers", when)
            assert jobs.deferred == []
            jobs.there, jobs.taken = {"another"}, True
            heartbeat._deferrer._defer(jobs, "timers", when)  # somebody else was quicker


def test_timers_are_fired_until_none_is_due_or_another_worker_has_them(
    alone: tuple[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    heartbeat, work = alone
    once = ["run 500", "due?"]
    for fired, dues, rounds, left in (
        ([], [None], 1, {}),
        ([], [NOW + SECOND], 1, {"timers": NOW + SECOND}),
        ([2], [NOW + SECOND] * 2, 2, {"timers": NOW + SECOND}),
        ([500], [None, None], 2, {"timers": AT_ONCE_WANTED}),
        ([499], [None, None], 2, {}),
        ([], [NOW, NOW], 2, {}),
        ([], [NOW - SECOND, NOW, NOW], 3, {}),
        ([0, 1], [NOW, NOW, NOW], 3, {}),
    ):
        work.fired, work.dues, work.said = list(fired), list(dues), []
        heartbeat._taker._work.fire_timers()
        assert (work.said, wanted(heartbeat)) == ([*once * rounds, "back"], left)
    assert caplog.records == []


def test_bulk_acts_are_carried_on_between_two_looks_at_the_timers(alone: tuple[Any, Any]) -> None:
    heartbeat, work = alone
    slice_ = ["run 500", "slice"]
    for slices, said, left in (
        ([timedelta(0), timedelta(0), None], [*slice_ * 3, "due?"], {}),
        ([SECOND], [*slice_, "due?"], {"timers": NOW + SECOND}),
    ):
        work.slices, work.said = list(slices), []
        heartbeat._taker._work.fire_timers()
        assert (work.said, wanted(heartbeat)) == ([*said, "back"], left)
    work.slices, work.said, work.fired = [timedelta(0)] * 2, [], []
    work.at_work = lambda: heartbeat._stopping.set() if work.said[-1] == "slice" else None
    heartbeat._taker._work.fire_timers()
    assert (work.said, wanted(heartbeat)) == ([*slice_, "back"], {"timers": AT_ONCE_WANTED})


def test_effects_are_delivered_until_none_is_due_or_another_worker_has_them(
    alone: tuple[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    heartbeat, work = alone
    for claims, dues, said, left in (
        ([], [None], ["claim?", "due?"], {}),
        ([], [NOW + SECOND], ["claim?", "due?"], {"outbox": NOW + SECOND}),
        ([], [NOW, NOW], ["claim?", "due?"] * 2, {}),
        (["a", "b"], [None], ["claim?", "a", "claim?", "b", "claim?", "due?"], {"outbox": AT_ONCE_WANTED}),
    ):
        work.claims, work.dues, work.said = list(claims), list(dues), []
        heartbeat._taker._work.drain_outbox()
        assert (work.said, wanted(heartbeat)) == ([*said, "back"], left)
    assert caplog.records == []


def test_others_are_woken_once_for_what_one_delivers(alone: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat, work = alone
    work.claims = ["a", "b", "c"]
    asked: list[str] = []
    monkeypatch.setattr(heartbeat._wanted, "ask", lambda kind, *when: asked.append(kind))
    heartbeat._taker._work.drain_outbox()
    assert asked == ["outbox"]


def test_who_is_told_to_stop_in_the_middle_of_work_wakes_somebody_for_the_rest(alone: tuple[Any, Any]) -> None:
    heartbeat, work = alone
    work.claims, work.at_work = ["a", "b"], lambda: (heartbeat._stopping.set(), wanted(heartbeat))
    heartbeat._taker._work.drain_outbox()
    leases_and_connection = ["back", "back"]
    assert (work.said, wanted(heartbeat)) == (["claim?", "a", *leases_and_connection], {"outbox": AT_ONCE_WANTED})
    work.said, work.fired, work.claims = [], [500], []
    heartbeat._taker._work.fire_timers()
    assert (work.said, wanted(heartbeat)) == (["run 500", "back"], {"timers": AT_ONCE_WANTED})
    work.said, work.dues = [], [NOW]
    heartbeat._taker._work.drain_outbox()
    assert (work.said, wanted(heartbeat)) == (["claim?", "due?", *leases_and_connection], {})


@pytest.mark.parametrize(
    ("error", "level"),
    [(Busy(), "WARNING"), (DatabaseAway(), "WARNING"), (OutcomeUnknown(), "WARNING"), (ValueError("x"), "ERROR")],
)
def test_what_goes_wrong_at_work_is_told_and_the_connection_given_back(
    alone: tuple[Any, Any], caplog: pytest.LogCaptureFixture, error: Exception, level: str
) -> None:
    heartbeat, work = alone
    work.error = error
    heartbeat._taker._work.fire_timers()
    heartbeat._taker._work.drain_outbox()
    assert work.said == ["run 500", "back", "claim?", "back"]
    assert [(one.levelname, bool(one.exc_info)) for one in caplog.records] == [(level, level == "ERROR")] * 2
    assert [one.getMessage().partition(";")[0] for one in caplog.records] == [
        "timers could not be fired",
        "the outbox could not be drained",
    ]


def test_each_sweep_looks_at_all_and_does_the_chores(alone: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat, work = alone
    heartbeat._chores = (lambda: work.said.append("chore"),)
    waits = [False, False, True]
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return waits.pop(0)

    monkeypatch.setattr(heartbeat._stopping, "wait", wait)
    heartbeat._sweep_often()
    assert waited == [60.0] * 3
    assert work.said == ["bound", "chore", "back"] * 2
    assert wanted(heartbeat) == {"timers": AT_ONCE_WANTED, "outbox": AT_ONCE_WANTED}


@pytest.fixture
def waking(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """No database, and jobs that are written down."""
    jobs = Jobs()

    @contextmanager
    def pool(conninfo: str, **_: Any) -> Iterator[str]:
        assert conninfo == "postgresql://nowhere"
        yield "a pool"

    vars(pool)["check_connection"] = None
    monkeypatch.setattr(deferring, "ConnectionPool", pool)
    monkeypatch.setattr(deferring, "App", lambda connector: jobs)
    return jobs


def test_what_could_not_be_told_is_told_again_after_a_pause(
    alone: tuple[Any, Any], waking: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heartbeat, work = alone
    caplog.set_level("INFO", "tetsuzuki")
    errors: list[Exception] = [OSError("cut off"), ValueError("a fault"), OSError("cut off")]
    waited: list[float] = []
    woken: list[tuple[str, datetime]] = []

    def wake(app: Any, kind: str, when: datetime) -> None:
        if errors:
            raise errors.pop(0)
        woken.append((kind, when))

    monkeypatch.setattr(heartbeat._deferrer, "_defer", wake)
    monkeypatch.setattr(heartbeat._stopping, "wait", lambda seconds: waited.append(seconds))
    heartbeat._wanted.ask("timers", NOW)
    heartbeat._wanted.ask("outbox")
    heartbeat._wanted.close()
    heartbeat._deferrer.run()
    assert woken == [("timers", NOW), ("outbox", AT_ONCE_WANTED)]
    assert waited == [0.5, 1.0, 2.0, deferring._REST]
    assert work.said == ["back"] * 4
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", "no job can be deferred until the database is back: cut off"),
        ("ERROR", "workers could not be woken; it is tried again"),
        ("INFO", "the database is back"),
    ]
    errors.append(OSError("cut off"))
    monkeypatch.setattr(heartbeat._stopping, "wait", lambda seconds: True)
    heartbeat._wanted.ask("timers", NOW)
    heartbeat._deferrer.run()  # it is told to stop
    assert (len(woken), wanted(heartbeat)) == (2, {"timers": NOW})


def test_taking_jobs_begins_anew_after_an_outage_or_a_fault(
    alone: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heartbeat, _ = alone
    errors: list[Exception] = [OSError("cut off"), DatabaseAway(), ValueError("a fault")]
    waited: list[float] = []

    async def take(trouble: Any) -> None:
        if errors:
            raise errors.pop(0)
        heartbeat._stopping.set()

    monkeypatch.setattr(heartbeat._taker, "_take_jobs", take)
    monkeypatch.setattr(heartbeat._stopping, "wait", lambda seconds: waited.append(seconds))
    heartbeat._taker.run()
    assert waited == [0.5, 1.0, 10.0]
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", "no job can be taken until the database is back: cut off"),
        ("ERROR", "taking jobs failed; it begins anew"),
    ]
    heartbeat._taker.run()
    assert len(waited) == 3


def test_jobs_of_dead_workers_are_replaced_and_their_workers_forgotten_until_the_end(alone: tuple[Any, Any]) -> None:
    heartbeat, _ = alone
    said: list[Any] = []

    class Stalled:
        job_manager: Any

        def __init__(self, end: Any) -> None:
            self.job_manager = self
            self.end = end

        async def get_stalled_jobs(self, *, seconds_since_heartbeat: float) -> list[Any]:
            said.append(seconds_since_heartbeat)
            return [SimpleNamespace(id=7, task_name="timers"), SimpleNamespace(id=8, task_name="outbox")]

        async def finish_job_by_id_async(self, number: int, status: Any, *, delete_job: bool) -> None:
            said.append((number, status.value, delete_job))
            if number == 7:
                raise ProcrastinateException  # another worker was quicker

        async def prune_stalled_workers(self, seconds: float) -> None:
            said.append(f"pruned {seconds}")
            self.end.set_result(None)

    async def recover() -> None:
        reached = asyncio.get_running_loop().create_future()
        await heartbeat._taker._recover_often(Stalled(reached), SimpleNamespace(reached=reached))

    asyncio.run(recover())
    assert said == [30.0, (7, "failed", True), (8, "failed", True), "pruned 30.0"]
    assert wanted(heartbeat) == {"timers": AT_ONCE_WANTED, "outbox": AT_ONCE_WANTED}


def test_a_process_that_does_not_work_only_wakes_others(alone: tuple[Any, Any], waking: Jobs) -> None:
    worker, work = alone
    pages = Cluster(work, work, works=False)
    assert (worker.works, pages.works) == (True, False)
    libraries = [logging.getLogger(name) for name in ("procrastinate", "psycopg", "psycopg.pool")]
    for library in libraries:
        library.setLevel(logging.NOTSET)
    pages.start()
    assert [library.level for library in libraries] == [logging.CRITICAL] * 3  # what goes wrong is told once
    assert [(thread.name, thread.daemon) for thread in pages._threads] == [("cluster_wake_workers", True)]
    assert work.on_commit == pages._committed
    work.on_commit(Committed(effects=1))
    pages.stop()
    assert work.on_commit is None
    assert waking.deferred == [("outbox", "outbox", "outbox", None)]
    assert not any(thread.is_alive() for thread in pages._threads)


def test_the_schema_is_named_for_the_version_whose_tables_it_holds() -> None:
    major, minor = procrastinate.__version__.split(".")[:2]
    assert f"procrastinate_{major}_{minor}" == SCHEMA


def test_a_worker_takes_jobs_of_its_kind_and_leaves_none_behind() -> None:
    worker = taking._worker(procrastinate.App(connector=InMemoryConnector()), "outbox", 3)
    assert (worker.queues, worker.worker_name, worker.concurrency) == (["outbox"], "outbox", 3)
    assert not worker.install_signal_handlers  # who runs it decides when it stops
    assert worker.delete_jobs == DeleteJobCondition.ALWAYS
    assert worker.fetch_job_polling_interval == 1.0  # what becomes due at a moment is looked at no later than that
    assert 2 * worker.update_heartbeat_interval < worker.stalled_worker_timeout == 30.0
