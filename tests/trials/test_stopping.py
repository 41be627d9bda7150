"""Told to stop at any moment, in the process: it ends, says nothing that it should not, and leaves nothing half done.

A stop that never ends is the failure that is looked for, so each is watched and fails with every stack. What the real
commands make of SIGTERM stands in `test_told_to_stop.py`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from engine.outbox.dispatcher import Dispatcher
from engine.runtime.engine import Engine
from engine.workers.one_machine import Heartbeat
from tests.kit.databases import NewDatabase
from tests.kit.scale import repeatable, say, seed, trials
from tests.kit.smtp_server import MailServer
from tests.kit.waiting import PATIENCE, ends, until
from tests.trials.bench import Bench
from tests.trials.crash_child import Flows, Life
from tests.trials.ground import Ground, left, mailed_twice

LANES = 4
LONG_LEASE = 600.0  # seconds; nobody takes over what a stop has left behind, so it is found
KINDS = ("sqlite", "postgresql")
STOPS = 1000  # of each sort, over both databases


def heart_of(engine: Engine, dispatcher: Dispatcher) -> Any:
    """What `web.assembly.site` would choose for the engine's database."""
    if engine.db.is_shared:
        from engine.workers.several_machines import Cluster

        return Cluster(engine, dispatcher)
    return Heartbeat(engine, dispatcher)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Errors, and whatever came with a traceback."""
    found = [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    return [f"{record.name}: {record.getMessage()} {record.exc_info}" for record in found]


def threads() -> set[str]:
    """The names of a heart's threads that are alive."""
    names = ("cluster", "outbox-", "APScheduler", "ThreadPoolExecutor-")
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(names)}


@pytest.mark.parametrize("kind", KINDS)
def test_it_stops_at_any_moment_after_its_start(
    kind: str,
    new_database: NewDatabase,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    chosen, url, count = seed(), new_database(kind), trials(STOPS // len(KINDS))
    before = threads()

    def lane(number: int) -> list[float]:
        rng = random.Random(f"{chosen}/{number}")
        bench = Bench(url)
        took = []
        for _ in range(number, count, LANES):
            heart = heart_of(bench.engine, bench.dispatcher)
            heart.start()
            time.sleep(0.3 * rng.random() ** 2)  # the moment is what is tried; more of them early, where more begins
            began = time.monotonic()
            ends(heart.stop, "a stop")
            took.append(time.monotonic() - began)
        bench.close()
        return took

    with repeatable(chosen, request):
        with ThreadPoolExecutor(LANES, thread_name_prefix="lane") as pool:
            took = sorted(time for found in pool.map(lane, range(LANES)) for time in found)
        assert len(took) == count
        assert complaints(caplog) == []
        assert threads() <= before
        if kind == "postgresql":
            rest = left(url)
            assert (rest.leased, rest.doing, rest.workers) == (0, 0, 0)
    say(
        capfd,
        f"{count} stops within 0.3 s of the start on {kind}: the median took {took[count // 2]:.3f} s, the longest "
        f"{took[-1]:.3f} s; TETSUZUKI_SEED={chosen}",
    )


class _Users(Flows):
    """Users of this process, whose answers go into the book."""

    def __init__(self, ground: Ground, site: Any, life: Life) -> None:
        super().__init__(site, life)
        self._ground = ground

    def say(self, what: str, **values: Any) -> None:
        """Not over a pipe."""
        with self._ground.writing:
            self._ground.book.take({"say": what, **values})


@contextmanager
def users(ground: Ground, site: Any) -> Iterator[None]:
    """Two that apply and open links while this lasts."""
    life = Life("", "", "", "", f"{ground.seed}.{ground.number()}", threads=2, pace=0.05)
    flows = _Users(ground, site, life)
    running = [threading.Thread(target=flows.run, args=(n,)) for n in range(life.threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        flows.stopping.set()
        for thread in running:
            thread.join()


@pytest.mark.parametrize("kind", KINDS)
def test_it_stops_in_the_middle_of_work(
    kind: str,
    new_database: NewDatabase,
    tmp_path: Any,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Users apply, mails leave, timers fire, and another process does the same: each mail is sent once all the same."""
    chosen, url, count = seed(), new_database(kind), trials(STOPS // len(KINDS))
    rng = random.Random(chosen)
    logging.getLogger("transitions").setLevel(logging.ERROR)  # it warns of every event that comes too late
    began = time.monotonic()
    longest = 0.0
    with repeatable(chosen, request), MailServer() as mails:
        ground = Ground(url, tmp_path, mails, f"{chosen}", lease=LONG_LEASE)
        site = ground.site()
        mine = f"SELECT 1 FROM outbox WHERE state = 'leased' AND leased_by = '{site.engine.worker}'"
        with ground.child(pace=0.2) as other:
            with users(ground, site):
                for _ in range(count):
                    heart = heart_of(site.engine, site.dispatcher)
                    heart.start()
                    time.sleep(rng.uniform(0, 0.2))  # the moment is what is tried
                    told = time.monotonic()
                    ends(heart.stop, "a stop")
                    longest = max(longest, time.monotonic() - told)
                    # What a user's commit was leasing to it as it stopped is given back by that user's thread.
                    until(lambda: not site.db.execute_sql(mine).fetchall(), "the last lease to be given back")
            assert other.process.stdin is not None
            other.process.stdin.close()
            assert other.process.wait(PATIENCE) == 0
        if kind == "postgresql":
            rest = left(url)
            assert (rest.leased, rest.doing, rest.workers) == (0, 0, 0)
        site.close()
        site, found = ground.rest()
        site.close()
        assert found == []
        assert mailed_twice(mails) == {}
        assert ground.fired
        assert complaints(caplog) == []
    say(
        capfd,
        f"{count} stops in the middle of work on {kind}: {len(ground.book.answers)} answers, "
        f"{len(mails.offered)} mails, {ground.fired} timers; the longest took {longest:.3f} s; "
        f"{time.monotonic() - began:.0f} s; TETSUZUKI_SEED={chosen}",
    )
