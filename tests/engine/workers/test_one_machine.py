"""The heartbeat with the real APScheduler, on the real clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import peewee as pw
import pytest
from apscheduler.jobstores.base import JobLookupError

from engine.definition import Effect, Start, Workflow
from engine.errors import Busy, DatabaseAway
from engine.operations import bulk_acts
from engine.operations.incidents import ALL
from engine.outbox.claims import MOST_AHEAD
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.outcomes import Committed
from engine.runtime.engine import Engine
from engine.store.opening import open_database
from engine.workers import one_machine
from engine.workers.chores import do_chores, give_back, words
from engine.workers.one_machine import Heartbeat
from tests.kit.heartbeats import NOTIFY, VISITOR, Ping, at_work, has_fired, limited, without_sweep
from tests.kit.observers import Slow
from tests.kit.waiting import PATIENCE, until


def test_each_sweep_does_the_chores_and_one_that_fails_holds_up_no_other(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(one_machine, "SWEEP", timedelta(milliseconds=50))
    done = Event()

    def fails() -> None:
        raise ValueError("a chore")

    def is_cut_off() -> None:
        raise DatabaseAway

    with at_work(sqlite_url, NOTIFY, chores=(fails, is_cut_off, done.set)):
        assert done.wait(PATIENCE)
    said = {bool(record.exc_info): record.getMessage() for record in caplog.records if "chore" in record.getMessage()}
    assert said[True] == "a chore failed; the next sweep tries again"
    assert said[False].startswith("a chore cannot be done; the sweep tries again: ")  # an outage is no fault of ours


def test_scheduler_wakes_for_a_timer_without_its_sweep(database_url: str) -> None:
    with at_work(database_url, limited(timedelta(milliseconds=300))) as (engine, heartbeat):
        without_sweep(heartbeat)
        number = engine.start("limited", "x:1", VISITOR).instance_id
        until(lambda: len(engine.history(number)) == 2, "the timer")
        late = engine.history(number)[1].late
    assert late is not None
    assert late >= 0


def test_earlier_timer_moves_the_wake_up_forward(sqlite_url: str) -> None:
    db = open_database(sqlite_url)
    slow = Engine(db, [limited(timedelta(hours=1))], secret=b"x" * 32)
    slow.start("limited", "x:1", VISITOR)
    db.close()
    with at_work(sqlite_url, limited(timedelta(milliseconds=200))) as (engine, _heartbeat):
        number = engine.start("limited", "x:2", VISITOR).instance_id
        until(lambda: len(engine.history(number)) == 2, "the earlier timer")


def test_what_became_due_while_nothing_ran_is_caught_up_and_says_how_late(database_url: str) -> None:
    db = open_database(database_url)
    workflow = limited(timedelta(microseconds=1))
    numbers = [
        Engine(db, [workflow], secret=b"x" * 32).start("limited", f"x:{n}", VISITOR).instance_id for n in range(5)
    ]
    db.close()
    with at_work(database_url, workflow) as (engine, _heartbeat):
        for number in numbers:
            until(partial(has_fired, engine, number), "the overdue timer")
            entry = engine.history(number)[1]
            assert entry.late is not None
            assert entry.late > 0
            assert engine.verify(number) == []


def test_effect_is_delivered_at_once_and_again_when_it_was_deferred(database_url: str) -> None:
    workflow = Workflow(
        name="notify",
        version=1,
        title=NOTIFY.title,
        start=Start("open", effects=(Effect("ping", "ping", done="told", retry=_quick()),)),
        states=NOTIFY.states,
        transitions=NOTIFY.transitions,
    )
    ping = Ping(failures=2)
    with at_work(database_url, workflow, ping) as (engine, _heartbeat):
        number = engine.start("notify", "x:1", VISITOR).instance_id
        until(lambda: engine.look(number).state.name == "told", "the third try")
    assert len(ping.keys) == 3
    assert len(set(ping.keys)) == 1


def test_a_bulk_act_is_carried_on_at_once_and_what_it_retries_is_delivered(database_url: str) -> None:
    ping = Ping()
    with at_work(database_url, NOTIFY, ping) as (engine, heartbeat):
        without_sweep(heartbeat)
        numbers = [engine.start("notify", f"x:{n}", VISITOR).instance_id for n in range(3)]
        until(lambda: all(engine.look(number).state.name == "told" for number in numbers), "the deliveries")
        for number in numbers:
            engine.db.execute_sql(f"UPDATE instance SET state = 'open' WHERE id = {number}")
        engine.db.execute_sql("UPDATE outbox SET state = 'incident'")
        act = bulk_acts.begin(engine, "retry", ALL, VISITOR, "it is back")
        until(lambda: bulk_acts.bulk_act(engine, act.number).state == "ended", "the act")  # type: ignore[union-attr]
        until(lambda: all(engine.look(number).state.name == "told" for number in numbers), "what it retried")
    assert len(ping.keys) == 6


def _quick():  # type: ignore[no-untyped-def]
    from engine.definition import Retry

    return Retry(first=timedelta(milliseconds=20))


def test_stop_finishes_what_is_being_delivered(sqlite_url: str, tmp_path: Path) -> None:
    ping = Ping(hold=Event())
    assert ping.hold is not None
    with at_work(sqlite_url, NOTIFY, ping) as (engine, _heartbeat):
        number = engine.start("notify", "x:1", VISITOR).instance_id
        assert ping.begun.wait(PATIENCE)
        ping.hold.set()
    db = open_database(sqlite_url)
    again = Engine(db, [NOTIFY], secret=b"x" * 32)
    assert again.look(number).state.name == "told"
    db.close()


def test_what_a_commit_hands_over_as_it_stops_is_given_back(sqlite_url: str) -> None:
    """Leased to a process that begins nothing more, it would wait until the lease runs out."""
    slow = Slow()
    with at_work(sqlite_url, NOTIFY, Ping()) as (engine, heartbeat):
        engine.observer = slow
        starting = Thread(target=lambda: engine.start("notify", "x:1", VISITOR))
        starting.start()
        assert slow.held.wait(PATIENCE)
        heartbeat.stop()
        with engine.store.reading() as unit:
            assert unit.rows("SELECT state, attempts FROM outbox") == [("leased", 1)]
        slow.told.set()
        starting.join()
        with engine.store.reading() as unit:
            assert unit.rows("SELECT state, attempts FROM outbox") == [("waiting", 0)]


def test_a_heartbeat_that_never_began_stops(sqlite_url: str) -> None:
    with at_work(sqlite_url, NOTIFY) as (engine, heartbeat):
        Heartbeat(engine, heartbeat.dispatcher).stop()


def test_a_sweep_replaces_a_thread_that_died_and_none_once_it_is_to_stop(sqlite_url: str) -> None:
    with at_work(sqlite_url, NOTIFY, Ping()) as (_engine, heartbeat):
        without_sweep(heartbeat)
        dead = Thread(target=int)
        dead.start()
        dead.join()
        alive, heartbeat._threads[0] = heartbeat._threads[0], dead
        heartbeat._sweep()
        assert heartbeat._threads[0].is_alive()
        heartbeat._threads.append(alive)  # it is waited for, too
        second = heartbeat._threads[1]
        heartbeat._threads[1] = dead
        heartbeat._stopping.set()
        heartbeat._sweep()
        assert heartbeat._threads[1] is dead
        heartbeat._threads[1] = second


def test_two_heartbeats_share_the_work(database_url: str) -> None:
    first, second = Ping(), Ping()
    with at_work(database_url, NOTIFY, first) as (engine, _one):
        renderer = Renderer(base_url="http://localhost", sender="a@example.com", site_facts={}, link=engine.link)
        other = Engine(engine.db, [NOTIFY], secret=b"x" * 32, worker="two")
        beat = Heartbeat(other, Dispatcher(other, renderer, mailers={}, mailer="none", handlers={"ping": second}))
        beat.start()
        try:
            numbers = [(engine if n % 2 else other).start("notify", f"x:{n}", VISITOR).instance_id for n in range(40)]
            until(lambda: all(engine.look(n).state.name == "told" for n in numbers), "all effects")
        finally:
            beat.stop()
    keys = first.keys + second.keys
    assert len(keys) == len(set(keys)) == 40


# -- what it plans, with a clock and a database of its own -------------------------------------------------------------

NOW = datetime(2026, 4, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Wall:
    """The machine's clock, in place of `datetime` in the module."""

    at = NOW

    @classmethod
    def now(cls, zone: object) -> datetime:
        assert zone is UTC
        return cls.at


@dataclass
class Work:
    """An engine and a dispatcher whose work is written down before; `said` is what was asked of them, in order."""

    fired: list[int] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    slices: list[timedelta | None] = field(default_factory=list)
    due: datetime | None = None
    said: list[str] = field(default_factory=list)
    at_end: Any = None
    now: Any = lambda: NOW
    error: Exception | None = None
    hands_over: bool = False
    on_commit: Any = None

    @property
    def store(self) -> Work:
        return self

    db = store

    def run_due(self, *, limit: int, stopped: Any) -> int:
        self.said.append(f"run {limit}")
        if self.error is not None:
            raise self.error
        count = self.fired.pop(0) if self.fired else 0
        if self.at_end is not None and not self.fired:
            self.at_end()
        return count

    def next_due(self) -> datetime | None:
        self.said.append("due?")
        return self.due

    def next_claim(self, most: int) -> str | None:
        assert most == MOST_AHEAD
        self.said.append("claim?")
        if self.error is not None:
            raise self.error
        return self.claims.pop(0) if self.claims else None

    def deliver(self, claim: str) -> None:
        self.said.append(claim)

    def take_over(self, claims: list[str]) -> None:
        self.said.append(f"takes {claims}")

    def give_back(self) -> None:
        self.said.append("back")
        if self.at_end is not None:
            self.at_end()

    @contextmanager
    def bound(self) -> Iterator[None]:
        self.said.append("bound")
        yield


@dataclass
class Planned:
    """In APScheduler's place: what was planned, by its name, and how often."""

    running: bool = True
    at: list[tuple[str, datetime | float]] = field(default_factory=list)
    acts: dict[str, tuple[str, str]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def add_job(
        self,
        act: Any,
        kind: str,
        *,
        id: str,
        replace_existing: bool,
        run_date: Any = None,
        seconds: Any = None,
        executor: str = "default",
        max_instances: int = 1,
    ) -> None:
        assert replace_existing
        assert max_instances == (1 if id == "sweep" else 1_000_000)  # dropped, a wake-up would hide every later one
        self.at.append((id, run_date if kind == "date" else seconds))
        self.acts[id] = act.__name__, executor

    def start(self) -> None:
        self.said.append("start")

    def shutdown(self, *, wait: bool) -> None:
        self.said.append(f"shutdown {wait}")


@pytest.fixture
def planning(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Planned]:
    """A heartbeat that does nothing by itself, its work, and what it planned."""
    monkeypatch.setattr(one_machine, "datetime", Wall)
    monkeypatch.setattr(Wall, "at", NOW)
    work: Any = Work()
    monkeypatch.setattr(one_machine, "carry_on", lambda engine, stopped: work.slices.pop(0) if work.slices else None)
    heartbeat: Any = Heartbeat(work, work, threads=1)
    heartbeat._scheduler = planned = Planned()
    return heartbeat, work, planned


def test_it_looks_at_all_when_it_begins_and_gives_all_back_when_it_ends(
    planning: tuple[Any, Any, Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat, work, planned = planning
    heartbeat._thread_count = 0
    monkeypatch.setattr(one_machine, "monotonic", lambda: 7.0)
    heartbeat.start()
    assert (work.hands_over, work.on_commit, heartbeat._swept) == (True, heartbeat._committed, 7.0)
    assert (planned.said, planned.at) == (["start"], [("sweep", 60.0), ("timers", NOW)])
    assert heartbeat._work.is_set()
    heartbeat._wake("outbox", NOW)
    assert planned.acts == {
        "sweep": ("_sweep", "default"),
        "timers": ("_fire_timers", "timers"),  # which no slow delivery holds up
        "outbox": ("_drain_outbox", "default"),
    }
    heartbeat._work.clear()
    heartbeat.stop()
    assert (work.hands_over, heartbeat._stopping.is_set(), heartbeat._work.is_set()) == (False, True, True)
    assert planned.said[1:] == ["shutdown False"]
    assert work.said == ["back", "back"]  # leases, and the connection
    planned.running = False
    heartbeat.stop()
    assert len(planned.said) == 2


def test_a_planned_look_at_the_outbox_wakes_who_delivers_and_is_planned_no_more(
    planning: tuple[Any, Any, Planned],
) -> None:
    heartbeat, _, planned = planning
    heartbeat._wake("outbox", NOW + SECOND)
    heartbeat._drain_outbox()
    assert heartbeat._work.is_set()
    heartbeat._wake("outbox", NOW + 2 * SECOND)
    assert len(planned.at) == 2


def test_of_two_wake_ups_the_earlier_one_stays_unless_it_was_lost(
    planning: tuple[Any, Any, Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat, _, planned = planning
    for seconds in (10, 10, 11, 9):
        heartbeat._wake("timers", NOW + seconds * SECOND)
    assert planned.at == [("timers", NOW + 10 * SECOND), ("timers", NOW + 9 * SECOND)]
    heartbeat._wake("outbox", NOW + 20 * SECOND)
    assert planned.at[2:] == [("outbox", NOW + 20 * SECOND)]
    monkeypatch.setattr(Wall, "at", NOW + 14 * SECOND - timedelta(microseconds=1))
    heartbeat._wake("timers", NOW + 30 * SECOND)
    assert len(planned.at) == 3
    monkeypatch.setattr(Wall, "at", NOW + 14 * SECOND)  # five seconds after it should have come
    heartbeat._wake("timers", NOW + 30 * SECOND)
    assert planned.at[3:] == [("timers", NOW + 30 * SECOND)]
    heartbeat._planned("timers")
    heartbeat._planned("timers")
    heartbeat._wake("timers", NOW + 99 * SECOND)
    assert planned.at[4:] == [("timers", NOW + 99 * SECOND)]


def test_what_is_due_and_does_not_move_is_asked_for_after_pauses_that_double(
    planning: tuple[Any, Any, Planned],
) -> None:
    heartbeat, _, planned = planning

    def waits(due: datetime | None, *, moved: bool) -> float | None:
        planned.at.clear()
        heartbeat._planned("timers")
        heartbeat._wake_in("timers", due, moved)
        if not planned.at:
            return None
        at = planned.at[0][1]
        assert isinstance(at, datetime)
        return (at - NOW).total_seconds()

    assert waits(None, moved=False) is None
    for _round in range(2):
        for due in (NOW, NOW - SECOND, NOW - 99 * SECOND):
            assert waits(due, moved=True) == 0.01
        assert [waits(NOW - n * SECOND, moved=False) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
        assert waits(NOW + 7 * SECOND, moved=False) == 7
        assert waits(NOW, moved=False) == 60  # which moved nothing
        assert waits(NOW + 7 * SECOND, moved=True) == 7
    heartbeat._stopping.set()
    assert waits(NOW + 7 * SECOND, moved=True) is None


def test_timers_are_fired_until_none_is_left_and_the_next_one_is_planned(planning: tuple[Any, Any, Planned]) -> None:
    heartbeat, work, planned = planning
    heartbeat._wake("timers", NOW - SECOND)
    work.fired, work.due = [500, 3], NOW + 5 * SECOND
    heartbeat._fire_timers()
    assert work.said == ["run 500"] * 3 + ["due?", "back"]
    assert planned.at[1:] == [("timers", NOW + 5 * SECOND)]
    work.said.clear()
    work.fired, work.due = [1], NOW
    heartbeat._planned("timers")
    heartbeat._fire_timers()
    assert planned.at[2:] == [("timers", NOW + timedelta(milliseconds=10))]
    heartbeat._fire_timers()
    assert planned.at[3:] == [("timers", NOW + SECOND)]  # in the hands of another worker


def test_bulk_acts_are_carried_on_between_two_looks_at_the_timers(planning: tuple[Any, Any, Planned]) -> None:
    heartbeat, work, planned = planning
    work.slices, work.due = [timedelta(0), timedelta(0), 7 * SECOND], NOW + 9 * SECOND
    heartbeat._fire_timers()
    assert work.said == ["run 500"] * 3 + ["due?", "back"]
    assert planned.at == [("timers", NOW + 9 * SECOND), ("timers", NOW + 7 * SECOND)]  # when another's lease is over
    work.slices, work.at_end, work.said = [timedelta(0)] * 2, heartbeat._stopping.set, []
    heartbeat._fire_timers()
    assert (work.said, planned.at[2:]) == (["run 500", "due?", "back"], [])


def test_who_is_told_to_stop_fires_no_more_and_plans_nothing(planning: tuple[Any, Any, Planned]) -> None:
    heartbeat, work, planned = planning
    work.fired, work.due, work.at_end = [500], NOW, heartbeat._stopping.set
    heartbeat._fire_timers()
    assert (work.said, planned.at) == (["run 500", "due?", "back"], [])


def test_a_fault_while_firing_is_told_and_the_connection_given_back(
    planning: tuple[Any, Any, Planned], caplog: pytest.LogCaptureFixture
) -> None:
    heartbeat, work, planned = planning
    work.error = ValueError("a fault")
    heartbeat._fire_timers()
    assert (work.said, planned.at) == (["run 500", "back"], [])

    work.said.clear()
    work.at_end = lambda: (heartbeat._stopping.set(), heartbeat._work.set())
    heartbeat._work.set()
    heartbeat._deliver()
    assert work.said == ["claim?", "back"]
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "timers could not be fired",
        "the outbox could not be drained",
    ]


def test_effects_are_delivered_until_none_is_left_and_the_others_are_woken(planning: tuple[Any, Any, Planned]) -> None:
    heartbeat, work, planned = planning
    work.claims, work.due = ["one", "two"], NOW + 5 * SECOND
    woken: list[bool] = []

    def delivered(claim: str) -> None:
        work.said.append(claim)
        woken.append(heartbeat._work.is_set())
        heartbeat._work.clear()

    work.deliver = delivered
    work.at_end = lambda: (heartbeat._stopping.set(), heartbeat._work.set())
    heartbeat._work.set()
    heartbeat._deliver()
    assert work.said == ["claim?", "one", "claim?", "two", "claim?", "due?", "back"]
    assert woken == [True, True]
    assert planned.at == [("outbox", NOW + 5 * SECOND)]
    assert heartbeat._work.is_set()  # for the other threads
    work.said.clear()
    heartbeat._deliver()
    assert work.said == []


def test_an_effect_that_is_due_and_in_the_hands_of_another_worker_is_asked_for_after_a_pause(
    planning: tuple[Any, Any, Planned],
) -> None:
    heartbeat, work, planned = planning
    work.due = NOW
    work.at_end = lambda: (heartbeat._stopping.set(), heartbeat._work.set())
    heartbeat._work.set()
    heartbeat._deliver()
    assert work.said == ["claim?", "due?", "back"]
    assert planned.at == [("outbox", NOW + SECOND)]


def test_who_is_told_to_stop_claims_no_more(planning: tuple[Any, Any, Planned]) -> None:
    heartbeat, work, planned = planning
    work.claims = ["one", "two"]
    work.deliver = lambda claim: (work.said.append(claim), heartbeat._stopping.set())
    heartbeat._work.set()
    heartbeat._deliver()
    assert work.said == ["claim?", "one", "due?", "back"]
    assert planned.at == []


def test_where_the_sweep_does_not_come_all_is_planned_anew(
    planning: tuple[Any, Any, Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat, _, planned = planning
    tick = [heartbeat._swept]
    monkeypatch.setattr(one_machine, "monotonic", lambda: tick[0])
    heartbeat._wake("timers", NOW + SECOND)
    tick[0] += 119.999
    heartbeat._mend_clock()
    assert len(planned.at) == 1
    tick[0] += 0.002
    planned.running = False
    heartbeat._mend_clock()
    assert len(planned.at) == 1
    planned.running = True
    heartbeat._mend_clock()
    assert planned.at[1:] == [("sweep", 60.0), ("timers", NOW)]
    assert heartbeat._work.is_set()
    heartbeat._mend_clock()
    assert len(planned.at) == 3
    heartbeat._wake("timers", NOW)
    assert len(planned.at) == 3


def test_a_sweep_wakes_all_and_does_the_chores(
    planning: tuple[Any, Any, Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat, work, planned = planning
    heartbeat._chores = (lambda: work.said.append("chore"),)
    heartbeat._wake("timers", NOW - 2 * SECOND)
    tick = heartbeat._swept + 1000.0
    monkeypatch.setattr(one_machine, "monotonic", lambda: tick)
    heartbeat._sweep()
    assert planned.at[1:] == [("timers", NOW)]
    assert work.said == ["bound", "chore", "back"]
    assert heartbeat._work.is_set()
    heartbeat._mend_clock()  # the sweep has come
    assert len(planned.at) == 2


def test_a_commit_wakes_for_what_it_left_and_nothing_else(planning: tuple[Any, Any, Planned]) -> None:
    heartbeat, work, planned = planning
    heartbeat._committed(Committed())
    assert (work.said, planned.at, heartbeat._work.is_set()) == ([], [], False)
    heartbeat._committed(Committed(next_due=NOW + SECOND))
    assert (work.said, planned.at, heartbeat._work.is_set()) == ([], [("timers", NOW + SECOND)], False)
    claims: Any = ["one"]
    heartbeat._committed(Committed(effects=1, handed_over=claims))
    assert (work.said, len(planned.at), heartbeat._work.is_set()) == (["takes ['one']"], 1, True)
    heartbeat._work.clear()
    heartbeat._stopping.set()
    heartbeat._committed(Committed(effects=1, next_due=NOW, handed_over=claims))
    assert work.said[1:] == ["takes ['one']", "back"]
    assert (len(planned.at), heartbeat._work.is_set()) == (1, False)


def test_it_takes_leases_with_commits_from_its_start_to_its_end(sqlite_url: str) -> None:
    with at_work(sqlite_url, NOTIFY, Ping()) as (engine, heartbeat):
        assert (engine.hands_over, engine.on_commit) == (True, heartbeat._committed)
        assert [(thread.name, thread.daemon) for thread in heartbeat._threads] == [
            ("outbox-0", True),
            ("outbox-1", True),
        ]
        assert [job.id for job in heartbeat._scheduler.get_jobs() if job.id == "sweep"] == ["sweep"]
        threads = heartbeat._threads
        with pytest.raises(JobLookupError):
            heartbeat._scheduler.remove_job("nothing")
    assert not engine.hands_over
    assert not heartbeat._scheduler.running
    assert not any(thread.is_alive() for thread in threads)
    heartbeat._scheduler.remove_job("nothing")  # which has forgotten its jobs already


def test_leases_that_cannot_be_given_back_are_told_of(
    planning: tuple[Any, Any, Planned], caplog: pytest.LogCaptureFixture
) -> None:
    heartbeat, work, _ = planning

    def away() -> None:
        raise DatabaseAway

    work.give_back = away
    heartbeat._give_back_leases()
    give_back(work, one_machine.log)
    assert [record.getMessage() for record in caplog.records] == [
        "leases could not be given back; they run out by themselves",
        "a connection could not be given back",
    ]


def test_what_the_driver_said_is_told_in_one_line() -> None:
    outer = DatabaseAway()
    outer.__cause__ = OSError("cut\n  off")
    assert words(outer) == "cut off"
    assert words(ValueError(" a  fault ")) == "a fault"
    assert words(ValueError()) == "ValueError"


@pytest.mark.parametrize("error", [Busy(), DatabaseAway(), pw.OperationalError("x"), pw.InterfaceError("x")])
def test_a_chore_that_cannot_reach_the_database_leaves_the_others_theirs(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []

    def away() -> None:
        raise error

    do_chores((away, lambda: done.append(1), away, lambda: done.append(2)))
    assert done == [1, 2]
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)] * 2
