"""Migrations of the schema, by peewee's own runner, and safe where two processes start at once.

The runner takes no lock, so one is held around it: an advisory lock on PostgreSQL, a lock file beside the SQLite file.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import IO

import peewee as pw
from playhouse.migrations import Runner

from engine.errors import ConfigurationError
from engine.store.base import SiteDatabase
from engine.store.data_steps import Progress

ENGINE_MIGRATIONS = Path(__file__).parents[1] / "migrations"
HISTORY_OF_STEPS = "migration_"  # and the name of the folder above that of the steps: the table of what was applied
_ADVISORY_LOCK = 7_380_214_915  # any number, but always this one
_PAUSE = 0.05  # seconds between two looks at whether the one before is done


@contextmanager
def alone(db: pw.Database, meanwhile: Callable[[], object]) -> Iterator[None]:
    """Hold the lock of migrations, however long another process needs it.

    The lock is polled, and `meanwhile` called between polls, so that a stop is heeded. A lock that PostgreSQL waits for
    would end with LONGEST_WAIT, and a migration may take longer.
    """
    if isinstance(db, pw.SqliteDatabase):
        with Path(f"{db.database}.migrate-lock").open("w") as file:
            _wait(lambda: _locks(file), meanwhile)
            yield
        return
    _wait(
        lambda: db.execute_sql("SELECT pg_try_advisory_lock(%s)", (_ADVISORY_LOCK,)).fetchone()[0],
        meanwhile,
    )
    try:
        yield
    finally:
        db.execute_sql("SELECT pg_advisory_unlock(%s)", (_ADVISORY_LOCK,))


def _wait(is_ours: Callable[[], bool], meanwhile: Callable[[], object]) -> None:
    while not is_ours():
        meanwhile()
        sleep(_PAUSE)


def _locks(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def runners(db: pw.Database, folders: Sequence[Path]) -> list[Runner]:
    """What runs the steps of each folder, and knows which of them the database has had."""
    return [Runner(db, str(folder), table_name=HISTORY_OF_STEPS + folder.parent.name) for folder in folders]


def migrate(
    db: SiteDatabase,
    folders: Sequence[Path],
    meanwhile: Callable[[], object] = lambda: None,
    progress: Progress = lambda name, done, of: None,
) -> list[str]:
    """Apply the pending steps of each folder, in order. Idempotent. Returns the names of the applied steps.

    `meanwhile` is called again and again while another process migrates; what it raises ends the wait. `progress` hears
    the name of each step before it begins, how many are done, and of how many. Each step is one transaction: after a
    crash the next call goes on with the step that was under way. What a step raises has a note that names the step and
    its folder. Raises ConfigurationError where the tables for workers
    on several machines cannot be made.
    """
    make_jobs = _jobs_of(db)
    with alone(db, meanwhile):
        plan = [(runner, name) for runner in runners(db, folders) for name in _pending(runner)]
        applied: list[str] = []
        for done, (runner, name) in enumerate(plan):
            progress(name, done, len(plan))
            try:
                applied += runner.up(name)
            except Exception as error:  # of a plugin's step, too: whoever reads it must know whose it is
                error.add_note(f"raised by the step {name} of {runner.directory}, of which nothing is kept")
                raise
        return applied + make_jobs(db)


def migrate_alone(db: pw.Database, folder: Path) -> None:
    """Apply all steps of one folder to an empty database that nobody else uses, to see what they make."""
    for runner in runners(db, [folder]):
        for name in _pending(runner):
            runner.up(name)


def _jobs_of(db: SiteDatabase) -> Callable[[SiteDatabase], list[str]]:
    """The function that makes the tables for workers on several machines and returns what it made; on SQLite, one that
    makes none. Raises ConfigurationError where Procrastinate is not installed."""
    if not db.is_shared:
        return lambda db: []
    try:
        from engine.store.jobs import install
    except ImportError as error:
        raise ConfigurationError(
            f"DATABASE_URL: PostgreSQL needs Procrastinate: pip install tetsuzuki[pg] ({error})"
        ) from error
    return install


def pending(db: pw.Database, folders: Sequence[Path]) -> list[str]:
    """The steps that this version of the software has and that were not applied to the database. Read-only."""
    return [name for runner in runners(db, folders) for name in _pending(runner)]


def _pending(runner: Runner) -> list[str]:
    return [step.name for step in runner.status() if step.applied is None]
