"""Databases that tests open, and close whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import peewee as pw

from engine.store.base import SiteDatabase, Unit
from engine.store.opening import open_database
from release.source import ROOT
from tests.kit.waiting import until
from workflows.registry import MIGRATIONS

# What the database of a site has had once it has started: these plugins are at work on every site.
EVERY_MIGRATION: tuple[Path, ...] = (
    *MIGRATIONS,
    *(ROOT / "plugins" / name / "migrations" for name in ("direct_debit", "faq", "ledger")),
)


def close_database(db: pw.Database) -> None:
    """Close the connections of all threads."""
    db.close()
    getattr(db, "close_all", db.close)()


@contextmanager
def opened_database(url: str) -> Iterator[SiteDatabase]:
    """A migrated database; in the end its connections are closed, those of other threads too."""
    opened = open_database(url)
    try:
        yield opened
    finally:
        close_database(opened)


# `new_database(kind)`: the URL of a migrated database of a kind, its own for each call.
NewDatabase = Callable[[str], str]


def waits_for_the_disk(db: pw.Database) -> bool:
    """Whether the next commit of this thread's connection waits until it is on the disk."""
    asked = db.execute_sql("PRAGMA synchronous" if isinstance(db, pw.SqliteDatabase) else "SHOW synchronous_commit")
    return asked.fetchone()[0] in (2, "on")


def until_a_lock_is_waited_for(unit: Unit, what: str) -> None:
    """Wait, inside a transaction on PostgreSQL, until somebody else waits for a lock of this database."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until(lambda: unit.rows("SELECT pg_stat_clear_snapshot()") and unit.rows(waits), what)


@contextmanager
def round_trips(db: Any) -> Iterator[list[int]]:
    """Counts the round trips of this thread's connection to PostgreSQL while this lasts: the number is in the list
    afterwards."""
    counted: list[int] = []
    connection = db.connection()
    with TemporaryFile() as file:
        connection.pgconn.trace(file.fileno())
        try:
            yield counted
        finally:
            connection.pgconn.untrace()
        file.seek(0)
        counted.append(file.read().count(b"\tSync"))
