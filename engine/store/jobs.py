"""The tables of Procrastinate, through which workers on several machines wake each other: made and looked at here.

Their schema's name carries the version of Procrastinate, so that processes of two releases may work side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import procrastinate
import psycopg
from procrastinate.schema import SchemaManager

from engine.errors import ConfigurationError
from engine.store.base import SiteDatabase

SCHEMA = "procrastinate_" + "_".join(procrastinate.__version__.split(".")[:2])
STALLED = 30.0  # seconds without a sign of life after which a worker counts as dead, and its jobs are given to others

PATIENCE = 5.0  # seconds that a query may wait for a connection, and a connection for the server
CONNECTION: dict[str, Any] = {
    "connect_timeout": int(PATIENCE),
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
    "application_name": "tetsuzuki cluster",
}


def install(db: SiteDatabase) -> list[str]:
    """Make Procrastinate's tables, unless this version of it has them. Idempotent.

    Returns what was made, as `migrate` does. The caller holds the lock of `migrate`. Raises ConfigurationError where
    the database's user lacks the privilege.
    """
    if _is_installed(db):  # as on every start but the first: a connection of its own is for what is to be made
        return []
    with psycopg.connect(str(db.database), **CONNECTION) as connection:
        try:
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{SCHEMA}"')
            connection.execute(f'SET LOCAL search_path TO "{SCHEMA}"')
            connection.execute(SchemaManager.get_schema().encode())
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                f"DATABASE_URL: its user may not make the schema {SCHEMA}, which holds the jobs of workers: "
                f"let it CREATE in the database, or make that schema and give it to it ({error.diag.message_primary})"
            ) from error
    return [SCHEMA]


def _is_installed(db: SiteDatabase) -> bool:
    (found,) = db.execute_sql("SELECT to_regclass(%s)", (f'"{SCHEMA}".procrastinate_jobs',)).fetchone()
    return found is not None


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of a site's workers, by the database's clock.

    Each process that works counts twice among `workers`: once for timers, once for the outbox. `waiting` jobs could be
    begun and are not; the oldest has waited for `longest_wait`. `stuck` jobs belong to workers that are dead.
    """

    workers: int
    dead: int
    running: int
    waiting: int
    longest_wait: timedelta
    stuck: int


def condition(db: SiteDatabase) -> Condition:
    """The present condition of the workers, for `doctor`. Read-only."""
    found = db.execute_sql(
        f"""
        SELECT
            (SELECT count(*) FROM {SCHEMA}.procrastinate_workers WHERE last_heartbeat >= now() - %s),
            (SELECT count(*) FROM {SCHEMA}.procrastinate_workers WHERE last_heartbeat < now() - %s),
            count(*) FILTER (WHERE j.status = 'doing' AND w.last_heartbeat >= now() - %s),
            count(*) FILTER (WHERE j.status = 'todo' AND e.at <= now()),
            coalesce(max(now() - e.at) FILTER (WHERE j.status = 'todo' AND e.at <= now()), interval '0'),
            count(*) FILTER (WHERE j.status = 'doing' AND coalesce(w.last_heartbeat < now() - %s, true))
        FROM {SCHEMA}.procrastinate_jobs j
            LEFT JOIN {SCHEMA}.procrastinate_workers w ON w.id = j.worker_id
            LEFT JOIN LATERAL (
                SELECT max(at) AS at FROM {SCHEMA}.procrastinate_events
                WHERE job_id = j.id AND type IN ('deferred', 'scheduled')) e ON true
        """,
        (timedelta(seconds=STALLED),) * 4,
    ).fetchone()
    return Condition(*found)
