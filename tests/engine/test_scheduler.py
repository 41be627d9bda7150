"""The heartbeat with the real APScheduler, on the real clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from engine import scheduler
from engine.definition import SYSTEM, Actor, Effect, Instance, Start, State, Timer, Transition, Workflow
from engine.delivery import Accepted, Deferred, Delivery, Outcome
from engine.dispatch import Dispatcher
from engine.errors import DatabaseAway
from engine.mail import Renderer
from engine.observe import Tried
from engine.outcomes import Committed
from engine.runtime import Engine
from engine.scheduler import Heartbeat
from engine.store import Unit, open_database
from engine.text import _
from tests.waiting import PATIENCE, until

VISITOR = Actor("visitor")


def limited(after: timedelta) -> Workflow:
    """Ends by itself."""
    return Workflow(
        name="limited",
        version=1,
        title=_("期限切れ"),
        start=Start("open"),
        states=(
            State("open", _("期限切れ"), timers=(Timer("expire", after),)),
            State("over", _("期限切れ"), final=True),
        ),
        transitions=(Transition("expire", ("open",), "over", allow=SYSTEM),),
    )


NOTIFY = Workflow(
    name="notify",
    version=1,
    title=_("期限切れ"),
    start=Start("open", effects=(Effect("ping", "ping", done="told"),)),
    states=(State("open", _("期限切れ")), State("told", _("期限切れ"), final=True)),
    transitions=(Transition("told", ("open",), "told", allow=SYSTEM),),
)


@dataclass
class Ping:
    """Carries out effects of kind "ping"; the first `failures` of them fail for a moment."""

    failures: int = 0
    keys: list[str] = field(default_factory=list)
    hold: Event | None = None
    begun: Event = field(default_factory=Event)

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        self.keys.append(key)
        self.begun.set()
        if self.hold is not None:
            self.hold.wait(PATIENCE)
        return Deferred("busy", timedelta(milliseconds=1)) if len(self.keys) <= self.failures else Accepted()


@contextmanager
def at_work(
    url: str, workflow: Workflow, ping: Ping | None = None, chores: Any = ()
) -> Iterator[tuple[Engine, Heartbeat]]:
    db = open_database(url)
    engine = Engine(db, [workflow], secret=b"x" * 32, worker="one")
    renderer = Renderer(base_url="http://localhost", sender="a@example.com", site={}, link=engine.link)
    dispatcher = Dispatcher(engine, renderer, mailers={}, mailer="none", handlers={"ping": ping} if ping else {})
    heartbeat = Heartbeat(engine, dispatcher, threads=2, chores=chores)
    heartbeat.start()
    try:
        yield engine, heartbeat
    finally:
        heartbeat.stop()
        db.close()
        if hasattr(db, "close_all"):
            db.close_all()


def without_sweep(heartbeat: Heartbeat) -> None:
    """Take the safety net away: what is done now was woken for."""
    heartbeat._scheduler.remove_job("sweep")


def test_each_sweep_does_the_chores_and_one_that_fails_holds_up_no_other(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scheduler, "SWEEP", timedelta(milliseconds=50))
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
        number = engine.start("limited", "x:1", VISITOR).instance
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
        number = engine.start("limited", "x:2", VISITOR).instance
        until(lambda: len(engine.history(number)) == 2, "the earlier timer")


def test_what_became_due_while_nothing_ran_is_caught_up_and_says_how_late(database_url: str) -> None:
    db = open_database(database_url)
    workflow = limited(timedelta(microseconds=1))
    numbers = [Engine(db, [workflow], secret=b"x" * 32).start("limited", f"x:{n}", VISITOR).instance for n in range(5)]
    db.close()
    with at_work(database_url, workflow) as (engine, _heartbeat):
        for number in numbers:
            until(lambda n=number: len(engine.history(n)) == 2, "the overdue timer")
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
        number = engine.start("notify", "x:1", VISITOR).instance
        until(lambda: engine.look(number).state.name == "told", "the third try")
    assert len(ping.keys) == 3
    assert len(set(ping.keys)) == 1


def _quick():  # type: ignore[no-untyped-def]
    from engine.definition import Retry

    return Retry(first=timedelta(milliseconds=20))


def test_stop_finishes_what_is_being_delivered(sqlite_url: str, tmp_path: Path) -> None:
    ping = Ping(hold=Event())
    assert ping.hold is not None
    with at_work(sqlite_url, NOTIFY, ping) as (engine, _heartbeat):
        number = engine.start("notify", "x:1", VISITOR).instance
        assert ping.begun.wait(PATIENCE)
        ping.hold.set()
    db = open_database(sqlite_url)
    again = Engine(db, [NOTIFY], secret=b"x" * 32)
    assert again.look(number).state.name == "told"
    db.close()


class Slow:
    """An observer that holds up whoever has committed, between the commit and what is told of it."""

    def __init__(self) -> None:
        self.held, self.told = Event(), Event()

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        return nullcontext()

    def committed(self, committed: Committed) -> None:
        self.held.set()
        self.told.wait(PATIENCE)

    def effects_put(self, unit: Unit, found: Instance) -> None:
        """Nothing is wanted of them."""

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        return nullcontext()


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
        renderer = Renderer(base_url="http://localhost", sender="a@example.com", site={}, link=engine.link)
        other = Engine(engine.db, [NOTIFY], secret=b"x" * 32, worker="two")
        beat = Heartbeat(other, Dispatcher(other, renderer, mailers={}, mailer="none", handlers={"ping": second}))
        beat.start()
        try:
            numbers = [(engine if n % 2 else other).start("notify", f"x:{n}", VISITOR).instance for n in range(40)]
            until(lambda: all(engine.look(n).state.name == "told" for n in numbers), "all effects")
        finally:
            beat.stop()
    keys = first.keys + second.keys
    assert len(keys) == len(set(keys)) == 40
