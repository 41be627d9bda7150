"""Databases that tests open, and close whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee as pw

from engine.store.base import SiteDatabase
from engine.store.opening import open_database
from release.source import ROOT
from workflows.registry import MIGRATIONS

# What the database of a site has had once it has started: these plugins are at work on every site.
EVERY_MIGRATION: tuple[Path, ...] = (
    *MIGRATIONS,
    *(ROOT / "plugins" / name / "migrations" for name in ("direct_debit", "ledger")),
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
