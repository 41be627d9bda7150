"""The heartbeat of one machine: APScheduler wakes it for the next due timer, threads deliver the outbox.

Due times are data (`due_at`); APScheduler only wakes. It holds two dates, when the next timer is due and when the next
effect is, and moves them forward when a commit says so; a sweep every minute is the safety net. APScheduler may be
late, be stopped or die: then nothing is lost, because due rows stay due, and nothing wrong is shown, because the engine
applies due timers before it answers (I3). Several heartbeats on one database share the work. Where the machine's clock
is set back, the planned sweep comes too late; the monotonic clock shows that, and everything is planned anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from engine.errors import EngineError
from engine.operations.bulk_acts import REST, carry_on
from engine.outbox.claims import MOST_AHEAD
from engine.outbox.dispatcher import Dispatcher
from engine.outcomes import Committed
from engine.runtime.engine import Engine
from engine.workers.chores import AT_ONCE, NOTHING, SWEEP, do_chores, give_back

log = logging.getLogger("tetsuzuki.scheduler")

_TIMERS, _OUTBOX = "timers", "outbox"
_SHORTEST_PAUSE = timedelta(seconds=1)
_OVERDUE = timedelta(seconds=5)  # a wake-up that is planned and that late was lost
_NO_LIMIT = 1_000_000  # APScheduler drops a run beyond a job's `max_instances`; each executor has one thread


class _Scheduler(BackgroundScheduler):
    """APScheduler's scheduler, mended: its thread would end with a traceback where it is stopped just as a wake-up
    comes."""

    def remove_job(self, job_id: str, jobstore: str | None = None) -> None:
        """See `BaseScheduler.remove_job`. A stopped scheduler has forgotten its jobs already, so a missing one is no
        error then."""
        try:
            super().remove_job(job_id, jobstore)
        except JobLookupError:
            if self.running:
                raise


class Heartbeat:
    """Runs an engine's timers and outbox inside this process, from `start` to `stop`.

    `threads` is how many threads deliver at the same time, so that a slow mail server holds up only one of them. Every
    sweep calls the `chores`.
    """

    def __init__(
        self, engine: Engine, dispatcher: Dispatcher, *, threads: int = 4, chores: tuple[Callable[[], object], ...] = ()
    ) -> None:
        self.engine = engine
        self.dispatcher = dispatcher
        self._chores = chores
        self._work = Event()
        self._stopping = Event()
        self._lock = Lock()
        self._wakes: dict[str, datetime] = {}
        self._thread_count = threads
        self._threads: list[Thread] = []
        self._pause = _SHORTEST_PAUSE
        self._swept = monotonic()
        self._executors = {"default": ThreadPoolExecutor(1), _TIMERS: ThreadPoolExecutor(1)}
        self._scheduler = _Scheduler(
            timezone=UTC,
            executors=self._executors,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin. What became due while nothing ran is done at once."""
        self.engine.hands_over = True
        self.engine.on_commit = self._committed
        self._swept = monotonic()
        self._sweep_every_so_often()
        self._scheduler.start()
        # Made here and not before: a server may have forked since, and a thread does not survive that.
        self._threads = [self._deliverer(number) for number in range(self._thread_count)]
        for thread in self._threads:
            thread.start()
        self._wake(_TIMERS, datetime.now(UTC))
        self._work.set()

    def stop(self) -> None:
        """Finish the deliveries under way, begin nothing new, give back leases, and return when all is quiet.
        Idempotent; also for one that never began."""
        self.engine.hands_over = False
        self._stopping.set()
        self._work.set()
        if self._scheduler.running:
            # `wait=True` would wait under the scheduler's lock, for ever where a job is planning its next wake-up.
            self._scheduler.shutdown(wait=False)
        for executor in self._executors.values():
            executor.shutdown(wait=True)
        for thread in self._threads:
            thread.join()
        self._give_back_leases()
        give_back(self.engine.db, log)

    def _sweep_every_so_often(self) -> None:
        self._scheduler.add_job(
            self._sweep, "interval", seconds=SWEEP.total_seconds(), id="sweep", replace_existing=True
        )

    def _mend_clock(self) -> None:
        """Plan anew where the sweep has not come: APScheduler goes by this machine's clock, which was set back."""
        with self._lock:
            late = timedelta(seconds=monotonic() - self._swept)
            if late < SWEEP * 2 or not self._scheduler.running:
                return
            self._swept = monotonic()
            self._wakes.clear()
        log.warning("the clock was set back: what was planned by it is planned anew")
        self._sweep_every_so_often()
        self._wake(_TIMERS, datetime.now(UTC))
        self._work.set()

    def _give_back_leases(self) -> None:
        try:
            self.dispatcher.give_back()
        except EngineError:
            log.exception("leases could not be given back; they run out by themselves")

    def _committed(self, committed: Committed) -> None:
        if committed.handed_over:
            self.dispatcher.take_over(committed.handed_over)
        # Asked after taking over: of what was under way when this was told to stop, one of the two gives it back.
        if self._stopping.is_set():
            self._give_back_leases()
            return
        if committed.effects:
            self._work.set()
        if committed.next_due is not None:
            self._wake(_TIMERS, committed.next_due)

    def _wake(self, what: str, when: datetime) -> None:
        """Plan to wake at `when` for timers or outbox, unless an earlier wake-up is planned."""
        with self._lock:
            planned = self._wakes.get(what)
            if planned is not None and planned <= when and planned > datetime.now(UTC) - _OVERDUE:
                return
            self._wakes[what] = when
            act, executor = (self._fire_timers, _TIMERS) if what == _TIMERS else (self._drain_outbox, "default")
            # Under the lock, so that of two wake-ups the earlier one is kept. One that comes while the one before is
            # at work waits for its thread: dropped, it would stay planned for ever and hide every later one.
            self._scheduler.add_job(
                act, "date", run_date=when, id=what, replace_existing=True, executor=executor, max_instances=_NO_LIMIT
            )

    def _planned(self, what: str) -> None:
        with self._lock:
            self._wakes.pop(what, None)

    def _fire_timers(self) -> None:
        """Fire the timers that are due, and carry bulk acts on between two looks at them."""
        self._planned(_TIMERS)
        try:
            moved, more = False, None
            while not self._stopping.is_set():
                fired = self.engine.run_due(limit=AT_ONCE, stopped=self._stopping.is_set)
                more = carry_on(self.engine, self._stopping.is_set)
                if not fired and more != NOTHING:
                    break
                moved = True
                if more == NOTHING:
                    self._stopping.wait(REST)
            self._wake_in(_TIMERS, self.engine.next_due(), moved)
            if more and not self._stopping.is_set():
                self._wake(_TIMERS, datetime.now(UTC) + more)
        except Exception:
            log.exception("timers could not be fired; the sweep tries again")
        finally:
            give_back(self.engine.db, log)

    def _wake_in(self, what: str, due: datetime | None, moved: bool) -> None:
        """Plan the next wake-up, by the database's clock, whatever this machine's says.

        Work that is due and does not move, because another worker has it, is asked for again with backoff.
        """
        if due is None or self._stopping.is_set():
            return
        wait = due - self.engine.store.now()
        if wait <= timedelta(0) and not moved:
            wait = self._pause
            self._pause = min(self._pause * 2, SWEEP)
        elif moved:
            self._pause = _SHORTEST_PAUSE
        self._wake(what, datetime.now(UTC) + max(wait, timedelta(milliseconds=10)))

    def _drain_outbox(self) -> None:
        self._planned(_OUTBOX)
        self._work.set()

    def _deliverer(self, number: int) -> Thread:
        return Thread(target=self._deliver, name=f"outbox-{number}", daemon=True)

    def _deliver(self) -> None:
        while True:
            self._work.wait(SWEEP.total_seconds())
            self._mend_clock()
            self._work.clear()
            if self._stopping.is_set():  # asked after clearing: what was cleared may have been the call to stop
                self._work.set()  # for the other threads
                return
            try:
                moved = False
                while not self._stopping.is_set() and (claim := self.dispatcher.next_claim(MOST_AHEAD)) is not None:
                    moved = True
                    # There may be more. The others hear of it now and not when this is delivered: it may hang.
                    self._work.set()
                    self.dispatcher.deliver(claim)
                self._wake_in(_OUTBOX, self.dispatcher.next_due(), moved)
            except Exception:
                log.exception("the outbox could not be drained; the sweep tries again")
            finally:
                give_back(self.engine.db, log)

    def _sweep(self) -> None:
        self._swept = monotonic()
        for number, thread in enumerate(self._threads):
            if not thread.is_alive() and not self._stopping.is_set():
                log.error("thread %s had died", thread.name)
                self._threads[number] = self._deliverer(number)
                self._threads[number].start()
        self._drain_outbox()
        self._planned(_TIMERS)
        self._wake(_TIMERS, datetime.now(UTC))
        with self.engine.db.bound():
            do_chores(self._chores)
        give_back(self.engine.db, log)
