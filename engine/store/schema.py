"""Migrations of the schema, by peewee's own runner, and safe where two processes start at once.

The runner takes no lock, so one is held around it: an advisory lock on PostgreSQL, a lock file beside the SQLite file.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import sleep
from typing import IO, Any

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


class _Runner(Runner):
    """peewee's runner, which looks into its folder and into its table once, and not again for each step.

    `tables` are those that the database has.
    """

    def __init__(self, db: pw.Database, folder: Path, tables: Collection[str]) -> None:
        super().__init__(db, str(folder), table_name=HISTORY_OF_STEPS + folder.parent.name)
        self._tables = tables

    @cached_property
    def _steps(self) -> list[Any]:
        steps: list[Any] = super().migrations()
        return steps

    @cached_property
    def _applied(self) -> dict[str, Any]:
        if self.table_name not in self._tables:
            return {}
        return dict(self.database.execute_sql(f'SELECT name, applied FROM "{self.table_name}"').fetchall())

    def migrations(self) -> list[Any]:
        """See `Runner.migrations`."""
        return self._steps

    def applied(self) -> dict[str, Any]:
        """See `Runner.applied`."""
        return self._applied

    def up(self, target: str | None = None, fake: bool = False) -> list[str]:
        """See `Runner.up`."""
        done: list[str] = super().up(target, fake)
        self._applied.update(dict.fromkeys(done, datetime.now(UTC)))
        return done

    def pending(self) -> list[str]:
        """The names of the steps that were not applied, in order."""
        return [step.name for step in self._steps if step.name not in self._applied]

    def is_one_piece(self) -> bool:
        """Whether all steps may share a transaction: none says `atomic`, peewee's word for a step outside of any."""
        return not any("atomic" in Path(step.path).read_text("utf-8") for step in self._steps)


def runners(db: pw.Database, folders: Sequence[Path]) -> list[_Runner]:
    """What runs the steps of each folder, and knows which of them the database has had."""
    tables = frozenset(db.get_tables())
    return [_Runner(db, folder, tables) for folder in folders]


def migrate(
    db: SiteDatabase,
    folders: Sequence[Path],
    meanwhile: Callable[[], object] = lambda: None,
    progress: Progress = lambda name, done, of: None,
) -> list[str]:
    """Apply the pending steps of each folder, in order. Idempotent. Returns the names of the applied steps.

    `meanwhile` is called again and again while another process migrates; what it raises ends the wait. `progress` hears
    the name of each step before it begins, how many are done, and of how many. Each step is one transaction; in an
    empty database all steps of a folder share one. After a crash the next call goes on with what was under way. What a
    step raises has a note that names the step and its folder. Raises ConfigurationError where the tables for workers on
    several machines cannot be made.
    """
    make_jobs = _jobs_of(db)
    with alone(db, meanwhile):
        every = runners(db, folders)
        is_empty = not any(runner.applied() for runner in every)
        plan = [(runner, names) for runner in every if (names := runner.pending())]
        of = sum(len(names) for _runner, names in plan)
        applied: list[str] = []
        for runner, names in plan:
            with runner.migrator.migration_context() if is_empty and runner.is_one_piece() else nullcontext():
                for name in names:
                    progress(name, len(applied), of)
                    applied += _up(runner, name)
        return applied + make_jobs(db)


def _up(runner: Runner, name: str) -> list[str]:
    try:
        done: list[str] = runner.up(name)
    except Exception as error:  # of a plugin's step, too: whoever reads it must know whose it is
        error.add_note(f"raised by the step {name} of {runner.directory}, of which nothing is kept")
        raise
    return done


def migrate_alone(db: pw.Database, folder: Path) -> None:
    """Apply all steps of one folder to an empty database that nobody else uses, to see what they make."""
    for runner in runners(db, [folder]):
        for name in runner.pending():
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
    return [name for runner in runners(db, folders) for name in runner.pending()]
