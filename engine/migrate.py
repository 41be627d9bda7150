"""Bringing the tables up to date, by peewee's own runner; safe when two processes start at once.

The runner takes no lock, so one is held around it: an advisory lock on PostgreSQL, a lock file beside the SQLite file.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import peewee as pw
from playhouse.migrations import Runner

from engine.store import SiteDatabase

ENGINE_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 7_380_214_915  # any number, but always this one


@contextmanager
def _alone(db: pw.Database) -> Iterator[None]:
    if isinstance(db, pw.SqliteDatabase):
        with Path(f"{db.database}.migrate-lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    db.execute_sql("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
    try:
        yield
    finally:
        db.execute_sql("SELECT pg_advisory_unlock(%s)", (_ADVISORY_LOCK,))


def _runners(db: pw.Database, folders: Sequence[Path]) -> list[Runner]:
    return [Runner(db, str(folder), table_name=f"migration_{folder.parent.name}") for folder in folders]


def migrate(db: SiteDatabase, folders: Sequence[Path]) -> list[str]:
    """Apply what is pending in each folder, in order. Returns the names of the applied steps."""
    with _alone(db):
        return [name for runner in _runners(db, folders) for name in runner.up()] + db.prepare()


def pending(db: pw.Database, folders: Sequence[Path]) -> list[str]:
    """The steps that this version of the software has and the database has not."""
    return [step.name for runner in _runners(db, folders) for step in runner.status() if step.applied is None]
