"""The heartbeat of several machines: the same wake-ups, as Procrastinate jobs on PostgreSQL.

Timer and outbox rows are the truth, here as on one machine, and are claimed with SKIP LOCKED. A job only says *look*:
"some timer is due", "some effect waits". So a job that is lost, late or done twice loses nothing and does nothing
twice. There are few jobs, however much there is to do: at most one of each kind waits, and one more for each second of
the next minute in which something becomes due (queueing locks).

Jobs are deferred after the commit that calls for them, by a thread of their own on a connection of its own: a commit
never waits for them, and where they cannot be deferred the sweep finds the rows. That sweep goes by each worker's
monotonic clock. Procrastinate's periodic tasks go by the wall clock, and of two workers whose clocks differ the slower
one's entries count as done already. The database's clock alone decides what is due.

Procrastinate's tables are in a schema of their own, named for its version. They hold nothing that must be kept, so
another version begins with empty tables beside them, and two versions may run at once while machines are upgraded one
after another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from engine.outbox.dispatcher import Dispatcher
from engine.outcomes import Committed
from engine.runtime.engine import Engine
from engine.workers.chores import SWEEP, do_chores, give_back
from engine.workers.jobs.deferring import Deferrer
from engine.workers.jobs.doing import Work
from engine.workers.jobs.taking import Taker
from engine.workers.jobs.wanted import OUTBOX, TIMERS, Wanted

log = logging.getLogger("tetsuzuki.cluster")


class Cluster:
    """Wakes workers wherever they run, from `start` to `stop`; where it `works`, this process is a worker itself.

    `threads` threads deliver at the same time, and one more fires timers. Every sweep calls the `own_chores`, and that
    of a worker also the `chores`. A process that does not work does no more, and wakes the others for what its commits
    left to be done.
    """

    def __init__(
        self,
        engine: Engine,
        dispatcher: Dispatcher,
        *,
        threads: int = 4,
        chores: tuple[Callable[[], object], ...] = (),
        own_chores: tuple[Callable[[], object], ...] = (),
        works: bool = True,
    ) -> None:
        self.engine = engine
        self.dispatcher = dispatcher
        self.works = works
        self._chores = (*own_chores, *chores) if works else own_chores
        self._wanted = Wanted()
        self._stopping = Event()
        self._deferrer = Deferrer(engine, self._wanted, self._stopping)
        work = Work(engine, dispatcher, self._wanted, self._stopping)
        self._taker = Taker(str(engine.db.database), threads, work, self._wanted, self._stopping)
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Begin. What became due while nothing ran is done at once."""
        # What goes wrong in these libraries reaches ours as an exception, and is told once and not every second.
        for name in ("procrastinate", "psycopg", "psycopg.pool"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.engine.on_commit = self._committed
        acts: dict[str, Callable[[], None]] = {"cluster_wake_workers": self._deferrer.run}
        if self.works:
            acts["cluster_work"] = self._taker.run
        if self.works or self._chores:
            acts["cluster_sweep_often"] = self._sweep_often
        # Made here and not before: a server may have forked since, and a thread does not survive that.
        self._threads = [Thread(target=act, name=name, daemon=True) for name, act in acts.items()]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the deliveries under way, begin nothing new, wake other workers for the rest, and return when all is
        quiet."""
        self.engine.on_commit = None
        self._stopping.set()
        self._taker.halt()
        for thread in self._threads[1:]:
            thread.join()
        self._wanted.close()  # last: work that was stopped in the middle wakes another worker for the rest
        for thread in self._threads:
            thread.join()

    def _committed(self, committed: Committed) -> None:
        if committed.effects:
            self._wanted.ask(OUTBOX)
        if committed.next_due is not None:
            self._wanted.ask(TIMERS, committed.next_due)

    def _sweep_often(self) -> None:
        while not self._stopping.wait(SWEEP.total_seconds()):
            if self.works:
                self._wanted.ask_for_all()
            with self.engine.db.bound():
                do_chores(self._chores)
            give_back(self.engine.db, log)
