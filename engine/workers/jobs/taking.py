"""Takes jobs of Procrastinate and does them, and replaces the jobs of workers that died."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ProcrastinateException
from procrastinate.jobs import DeleteJobCondition, Status
from procrastinate.worker import Worker
from psycopg_pool import AsyncConnectionPool

from engine.store.jobs import CONNECTION, PATIENCE, SCHEMA, STALLED
from engine.workers.ending import End, all_ended, leaving_no_task
from engine.workers.jobs.doing import Work
from engine.workers.jobs.outages import AWAY, PAUSES, Outage
from engine.workers.jobs.wanted import OUTBOX, TIMERS, Wanted

log = logging.getLogger("tetsuzuki.cluster")

_POLL = 1.0  # seconds; what becomes due at a moment is looked at no later than that
_SIGN_OF_LIFE = 5.0  # seconds


class Taker:
    """Takes jobs, in an asyncio loop; `threads` threads deliver effects, and one more fires timers."""

    def __init__(self, conninfo: str, threads: int, work: Work, wanted: Wanted, stopping: Event) -> None:
        self._conninfo = conninfo
        self._thread_count = threads
        self._work = work
        self._wanted = wanted
        self._stopping = stopping
        self._end: End | None = None

    def halt(self) -> None:
        """Take no more jobs, once `stopping` is set. Called from another thread."""
        if self._end is not None:
            with suppress(RuntimeError):  # where its loop ends at this moment
                self._end.come()

    def run(self) -> None:
        """Take jobs until `stopping` is set. While the database is away, it is retried with backoff."""
        trouble = Outage("no job can be taken")
        while not self._stopping.is_set():
            try:
                asyncio.run(leaving_no_task(self._take_jobs(trouble)))
            except AWAY as error:
                self._stopping.wait(trouble.told(error))
            except Exception:
                log.exception("taking jobs failed; it begins anew")
                self._stopping.wait(PAUSES[1])

    async def _take_jobs(self, trouble: Outage) -> None:
        loop = asyncio.get_running_loop()
        # One for each job at a time: in the loop's own executor they would wait for each other.
        loop.set_default_executor(ThreadPoolExecutor(self._thread_count + 1, thread_name_prefix="cluster-job"))
        end = End(loop, AWAY)
        self._end = end
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
            app.task(name=TIMERS, queue=TIMERS)(self._work.fire_timers)
            app.task(name=OUTBOX, queue=OUTBOX)(self._work.drain_outbox)
            await app.check_connection_async()
            await _check_that_it_writes(pool)
            trouble.is_over()
            self._wanted.ask_for_all()
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
        """Until the end, forget workers that are dead, and want the work of their jobs again."""
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


async def _check_that_it_writes(pool: AsyncConnectionPool) -> None:
    """Raise psycopg.OperationalError where the server only reads, as a standby does: no job can be taken there."""
    async with pool.connection() as connection:
        found = await (await connection.execute("SHOW transaction_read_only")).fetchone()
    if found is not None and found[0] == "on":
        raise psycopg.OperationalError("the server takes no writes (transaction_read_only = on)")


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


async def _use_schema_async(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(f'SET search_path TO "{SCHEMA}"')
    await connection.commit()
