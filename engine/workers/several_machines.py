"""The heartbeat of several machines: the same wake-ups as Procrastinate jobs on PostgreSQL.

Timer and outbox rows are the truth, here as anywhere, and are claimed with SKIP LOCKED. A job says only *look*: "some
timer is due", "some effect waits". So a job that is lost, done twice or done late loses nothing and does nothing twice,
and there are few of them, however much there is to do: one of each kind waits at most, and one more for each second of
the next minute in which something becomes due (queueing locks).

Jobs are deferred after the commit that calls for them, from a thread of their own on a connection of its own: a commit
never waits for them, and where they cannot be deferred the sweep finds the rows. That sweep goes by each worker's
monotonic clock. Procrastinate's periodic tasks go by the wall clock, and of two workers whose clocks differ the slower
one's entries count as done already. What is due is decided by the database's clock alone.

Procrastinate's tables stand in a schema of their own, which is named for its version: they hold nothing that must be
kept, so another version begins with empty ones beside, and two versions may run at once while machines are upgraded one
after another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Condition as Signal
from threading import Event, Thread
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException
from procrastinate.jobs import DeleteJobCondition, Status
from procrastinate.worker import Worker
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from engine.errors import Busy, DatabaseAway, OutcomeUnknown
from engine.outbox.dispatcher import Dispatcher
from engine.outcomes import Committed
from engine.runtime.engine import Engine
from engine.store.jobs import CONNECTION, PATIENCE, SCHEMA, STALLED
from engine.workers.ending import End, all_ended, leaving_no_task
from engine.workers.one_machine import AT_ONCE, SWEEP, do_chores, words

log = logging.getLogger("tetsuzuki.cluster")

TIMERS, OUTBOX = "timers", "outbox"

_NOW = datetime.min.replace(tzinfo=UTC)  # for what is wanted at once
_HORIZON = SWEEP * 1.5  # what is due later is planned by a later sweep
_POLL = 1.0  # seconds; what becomes due at a moment is looked at no later than that
_SIGN_OF_LIFE = 5.0  # seconds
_PAUSES = (0.5, 10.0)  # seconds from one try to reach the database to the next: the first, and the longest
_AWAY = (psycopg.Error, ProcrastinateException, OSError, DatabaseAway)


class Cluster:
    """Wakes workers wherever they run, and where it `works` is one of them, from `start` to `stop`.

    `threads` deliver at the same time, and one more fires timers. `chores` are called by every sweep of a worker. A
    process that does not work tells the others what its commits left to be done.
    """

    def __init__(
        self,
        engine: Engine,
        dispatcher: Dispatcher,
        *,
        threads: int = 4,
        chores: tuple[Callable[[], object], ...] = (),
        works: bool = True,
    ) -> None:
        self.engine = engine
        self.dispatcher = dispatcher
        self.works = works
        self._thread_count = threads
        self._chores = chores
        self._conninfo = str(engine.db.database)
        self._wanted = _Wanted()
        self._stopping = Event()
        self._threads: list[Thread] = []
        self._halt: Callable[[], object] = lambda: None

    def start(self) -> None:
        """Begin; what became due while nothing ran is caught up at once."""
        # What goes wrong in there reaches this file as an exception, and is told once and not every second.
        for name in ("procrastinate", "psycopg", "psycopg.pool"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.engine.on_commit = self._committed
        # Made here and not before: a server may have forked since, and a thread does not survive that.
        acts = (self._wake_workers, self._work, self._sweep_often) if self.works else (self._wake_workers,)
        self._threads = [Thread(target=act, name=f"cluster{act.__name__}", daemon=True) for act in acts]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is being delivered, begin nothing new, leave the rest to others, return when all is quiet."""
        self.engine.on_commit = None
        self._stopping.set()
        with suppress(RuntimeError):  # where its loop ends at this moment
            self._halt()
        for thread in self._threads[1:]:
            thread.join()
        self._wanted.close()  # last: who stops in the middle of work wakes somebody for the rest of it
        for thread in self._threads:
            thread.join()

    # -- waking -------------------------------------------------------------------------------------------------------

    def _committed(self, committed: Committed) -> None:
        if committed.effects:
            self._wanted.ask(OUTBOX)
        if committed.next_due is not None:
            self._wanted.ask(TIMERS, committed.next_due)

    def _wake_workers(self) -> None:
        """Defer what is wanted, as long as this runs; where the database is away, once it is back."""
        trouble = _Trouble("no job can be deferred")
        with ConnectionPool(
            self._conninfo,
            kwargs=CONNECTION,
            configure=_use_schema,
            min_size=1,
            max_size=1,
            timeout=PATIENCE,
            check=ConnectionPool.check_connection,
            open=True,
        ) as pool:
            app = App(connector=SyncPsycopgConnector())
            app.open(pool)
            while wanted := self._wanted.take():
                try:
                    for kind, when in wanted.items():
                        self._wake(app, kind, when)
                    trouble.is_over()
                except Exception as error:
                    for kind, when in wanted.items():
                        self._wanted.ask(kind, when)
                    if not isinstance(error, _AWAY):
                        log.exception("workers could not be woken; it is tried again")
                    if self._stopping.wait(trouble.told(error)):
                        return  # the rows are there; who works will sweep
                finally:
                    self._give_back()

    def _wake(self, app: App, kind: str, when: datetime) -> None:
        """Have somebody look, now or at a moment of the database's clock; once for all that want it at that time."""
        lock, at = kind, None
        if when is not _NOW:
            wait = when - self.engine.store.now()
            if wait > _HORIZON:
                return
            if wait > timedelta(0):
                lock, at = f"{kind} at {when:%H:%M:%S}", _clock(app) + wait
        # Asked first: a job that would be refused is an error in the server's log.
        if app.job_manager.list_jobs(queueing_lock=lock, status=Status.TODO.value):
            return
        with suppress(AlreadyEnqueued):
            app.configure_task(kind, queue=kind, queueing_lock=lock, schedule_at=at).defer()

    # -- working ------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Take jobs, as long as this runs; where the database is away, once it is back."""
        trouble = _Trouble("no job can be taken")
        while not self._stopping.is_set():
            try:
                asyncio.run(leaving_no_task(self._take_jobs(trouble)))
            except _AWAY as error:
                self._stopping.wait(trouble.told(error))
            except Exception:
                log.exception("taking jobs failed; it begins anew")
                self._stopping.wait(_PAUSES[1])

    async def _take_jobs(self, trouble: _Trouble) -> None:
        loop = asyncio.get_running_loop()
        # One for each job at a time: in the loop's own executor they would wait for each other.
        loop.set_default_executor(ThreadPoolExecutor(self._thread_count + 1, thread_name_prefix="cluster-job"))
        end = End(loop, _AWAY)
        self._halt = end.come
        if self._stopping.is_set():
            return
        async with AsyncConnectionPool(
            self._conninfo,
            kwargs=CONNECTION,
            configure=_use_schema_async,
            min_size=1,
            max_size=4,
            timeout=PATIENCE,
            check=AsyncConnectionPool.check_connection,
            open=False,
        ) as pool:
            app = App(connector=PsycopgConnector())
            await app.open_async(pool)
            app.task(name=TIMERS, queue=TIMERS)(self._fire_timers)
            app.task(name=OUTBOX, queue=OUTBOX)(self._drain_outbox)
            await app.check_connection_async()
            trouble.is_over()
            self._look_at_all()
            # Each kind has workers of its own: mails to a server that hangs never hold up a timer.
            workers = (_worker(app, TIMERS, 1), _worker(app, OUTBOX, self._thread_count))
            asks: dict[asyncio.Task[None], Callable[[], object]] = {
                loop.create_task(self._recover_often(app, end)): end.come,
                **{loop.create_task(worker.run()): worker.stop for worker in workers},
            }
            # Whichever ends first, all begin anew, or end. A worker that is stopped lets its jobs come to their end.
            await asyncio.wait([*asks, end.reached], return_when=asyncio.FIRST_COMPLETED)
            end.come()
            await all_ended(asks)
            ended = await asyncio.gather(end.reached, *asks, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception) and not self._stopping.is_set():
                    raise error

    async def _recover_often(self, app: App, end: End) -> None:
        """Until the end, forget workers that are dead, and look anew at what they had been woken for."""
        while not end.reached.done():
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED):
                assert job.id is not None
                log.warning("a worker died; its job (%s) is done again", job.task_name)
                # Not retried but replaced: a retry goes by this machine's clock, and its lock may be taken meanwhile.
                with suppress(ProcrastinateException):  # where another worker was quicker
                    await app.job_manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)
                self._wanted.ask(job.task_name)
            await app.job_manager.prune_stalled_workers(STALLED)
            await asyncio.wait([end.reached], timeout=STALLED / 2)

    def _fire_timers(self) -> None:
        with self._at_work("timers could not be fired"):
            before = None
            while True:
                fired = self.engine.run_due(limit=AT_ONCE, stopped=self._stopping.is_set)
                if fired == AT_ONCE:
                    self._wanted.ask(TIMERS)  # there is more, for whoever is free
                if self._stopping.is_set():
                    return
                due = self.engine.next_due()
                if not fired and (self._is_planned(TIMERS, due) or due == before):
                    return
                before = due

    def _drain_outbox(self) -> None:
        with self._at_work("the outbox could not be drained"):
            before, moved = None, False
            while True:
                claim = self.dispatcher.next_claim()
                if claim is not None:
                    if not moved:
                        self._wanted.ask(OUTBOX)  # there may be more, for whoever is free while this one is delivered
                    moved = True
                    self.dispatcher.deliver(claim)
                    if self._stopping.is_set():
                        self._wanted.ask(OUTBOX)
                else:
                    due = self.dispatcher.next_due()
                    if due == before or self._is_planned(OUTBOX, due):
                        return
                    before = due
                if self._stopping.is_set():
                    return

    def _is_planned(self, kind: str, due: datetime | None) -> bool:
        """Whether nothing is due now; what is due later wakes somebody then.

        What is due and cannot be taken, twice in a row, is in the hands of another worker, who looks again afterwards.
        """
        if due is None:
            return True
        if due <= self.engine.store.now():
            return False
        self._wanted.ask(kind, due)
        return True

    @contextmanager
    def _at_work(self, failure: str) -> Iterator[None]:
        try:
            yield
        except (Busy, DatabaseAway, OutcomeUnknown) as error:
            log.warning("%s; the sweep tries again: %s", failure, words(error))
        except Exception:
            log.exception("%s; the sweep tries again", failure)
        finally:
            self._give_back()

    def _give_back(self) -> None:
        try:
            self.engine.db.give_back()
        except Exception:
            log.exception("a connection could not be given back")

    # -- the safety net -----------------------------------------------------------------------------------------------

    def _sweep_often(self) -> None:
        while not self._stopping.wait(SWEEP.total_seconds()):
            self._look_at_all()
            with self.engine.db.bound():
                do_chores(self._chores)
            self._give_back()

    def _look_at_all(self) -> None:
        self._wanted.ask(TIMERS)
        self._wanted.ask(OUTBOX)


class _Wanted:
    """What is to be looked at, and the earliest moment for each; asked by any thread, taken by one."""

    def __init__(self) -> None:
        self._changed = Signal()
        self._wanted: dict[str, datetime] = {}
        self._closed = False

    def ask(self, kind: str, when: datetime = _NOW) -> None:
        """Want `kind` to be looked at, at once unless `when` says later."""
        with self._changed:
            self._wanted[kind] = min(when, self._wanted.get(kind, when))
            self._changed.notify()

    def take(self) -> dict[str, datetime]:
        """Wait until something is wanted, and take it. Empty when nothing is and nothing will be."""
        with self._changed:
            while not self._wanted and not self._closed:
                self._changed.wait()
            wanted, self._wanted = self._wanted, {}
            return wanted

    def close(self) -> None:
        """Nothing more will be wanted."""
        with self._changed:
            self._closed = True
            self._changed.notify()


class _Trouble:
    """What is told of an outage: its beginning and its end. The pauses between tries double."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._pause = 0.0

    def told(self, error: Exception) -> float:
        """Seconds to wait until the next try."""
        if not self._pause:
            log.warning("%s until the database is back: %s", self._what, words(error))
        self._pause = min(self._pause * 2, _PAUSES[1]) or _PAUSES[0]
        return self._pause

    def is_over(self) -> None:
        """The database answers."""
        if self._pause:
            log.info("the database is back")
        self._pause = 0.0


def _clock(app: App) -> datetime:
    found = app.connector.get_sync_connector().execute_query_one("SELECT clock_timestamp() AS now")
    now: datetime = found["now"]
    return now


def _worker(app: App, queue: str, concurrency: int) -> Worker:
    return Worker(
        app,
        queues=[queue],
        name=queue,
        concurrency=concurrency,
        install_signal_handlers=False,
        fetch_job_polling_interval=_POLL,
        update_heartbeat_interval=_SIGN_OF_LIFE,
        stalled_worker_timeout=STALLED,
        delete_jobs=DeleteJobCondition.ALWAYS,
    )


def _use_schema(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f'SET search_path TO "{SCHEMA}"')
    connection.commit()


async def _use_schema_async(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(f'SET search_path TO "{SCHEMA}"')
    await connection.commit()
