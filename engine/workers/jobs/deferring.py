"""Defers jobs, in a thread of its own and on a connection of its own: a commit never waits for that."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import psycopg
from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Status
from psycopg_pool import ConnectionPool

from engine.runtime.engine import Engine
from engine.store.jobs import CONNECTION, PATIENCE, SCHEMA
from engine.workers.chores import SWEEP, give_back
from engine.workers.jobs.outages import AWAY, Outage
from engine.workers.jobs.wanted import NOW, Wanted

log = logging.getLogger("tetsuzuki.cluster")

_HORIZON = SWEEP * 1.5  # later wake-ups are planned by a later sweep
_REST = 0.05  # seconds after each round: what many commits want meanwhile is asked for once


class Deferrer:
    """Defers a job for each kind of work that is wanted; any worker of the site may take it."""

    def __init__(self, engine: Engine, wanted: Wanted, stopping: Event) -> None:
        self._engine = engine
        self._conninfo = str(engine.db.database)
        self._wanted = wanted
        self._stopping = stopping

    def run(self) -> None:
        """Defer what is wanted until that is closed. While the database is away, it is retried with backoff."""
        trouble = Outage("no job can be deferred")
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
                        self._defer(app, kind, when)
                    trouble.is_over()
                    self._stopping.wait(_REST)
                except Exception as error:
                    for kind, when in wanted.items():
                        self._wanted.ask(kind, when)
                    if not isinstance(error, AWAY):
                        log.exception("workers could not be woken; it is tried again")
                    if self._stopping.wait(trouble.told(error)):
                        return  # the rows are there; workers will sweep
                finally:
                    give_back(self._engine.db, log)

    def _defer(self, app: App, kind: str, when: datetime) -> None:
        """Defer a job, now or for a moment of the database's clock; one job serves all that want it at that time."""
        lock, at = kind, None
        if when is not NOW:
            wait = when - self._engine.store.now()
            if wait > _HORIZON:
                return
            if wait > timedelta(0):
                lock, at = f"{kind} at {when:%H:%M:%S}", _clock(app) + wait
        # Asked first: a job that would be refused is an error in the server's log.
        if app.job_manager.list_jobs(queueing_lock=lock, status=Status.TODO.value):
            return
        with suppress(AlreadyEnqueued):
            app.configure_task(kind, queue=kind, queueing_lock=lock, schedule_at=at).defer()


def _clock(app: App) -> datetime:
    found = app.connector.get_sync_connector().execute_query_one("SELECT clock_timestamp() AS now")
    now: datetime = found["now"]
    return now


def _use_schema(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f'SET search_path TO "{SCHEMA}"')
    connection.commit()
