"""Upgrade check: what migrating a database will take, before anything is written: steps, rows, time and disk.

Only a trial shows what a step costs on this machine. So a sample is taken: the same share of every table, in a place of
its own. There, the steps that the database has had create the tables, and the pending ones are run and timed, several
times. The cost without a row is measured first and subtracted; the rest grows with the rows.

On SQLite the place is a file beside the database, removed at the end. On PostgreSQL it is a schema inside a transaction
that is rolled back: it locks nothing that other sessions use, and needs the privilege to create a schema.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import peewee as pw
from playhouse.migrations import Runner

from engine.store.base import SiteDatabase
from engine.store.data_steps import DataStep, carry_out
from engine.store.schema import pending, runners
from engine.store.sqlite import SqliteDatabase

_TRIES = 3
SAMPLE = 20_000  # rows of all tables together; a smaller database is tried as a whole


@dataclass(frozen=True, slots=True)
class Foretold:
    """A pending step; `seconds` is the estimate of its duration, None where no sample could be taken."""

    name: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class UpgradeCheck:
    """What `migrate` would do to a database. Sizes are in bytes.

    `rows` are those of all tables, `size` is the database's, `growth` what it may need in addition while it works.
    `free` is the free space on its disk, None where the database does not tell. `unknown` says why there is no sample,
    or "".
    """

    steps: tuple[Foretold, ...]
    rows: int
    size: int
    sampled: int = 0
    growth: int | None = None
    free: int | None = None
    unknown: str = ""

    @property
    def seconds(self) -> float | None:
        """The estimate for all steps together; None where that of a step is unknown."""
        known = [step.seconds for step in self.steps if step.seconds is not None]
        return sum(known) if len(known) == len(self.steps) else None

    @property
    def fits(self) -> bool:
        """Whether the disk has room; unknown sizes are taken to fit."""
        return self.free is None or self.growth is None or self.growth <= self.free


def check(
    db: SiteDatabase, folders: Sequence[Path], data_steps: Sequence[DataStep] = (), *, sample: int = SAMPLE
) -> UpgradeCheck:
    """What migrating `db` would take, by a `sample` of so many rows. Read-only."""
    schema_steps = pending(db, folders)
    tables = _rows(db)
    rows = sum(tables.values())
    with db.bound():
        named = [step.name for step in data_steps if schema_steps or step.left(db)]
    names = [*schema_steps, *named]
    size, free = _size(db), _free(db)
    if not names:
        return UpgradeCheck((), rows, size, free=free)
    part = min(1.0, sample / rows) if rows else 1.0
    try:
        bare = _several(db, folders, data_steps, {})
        full = _several(db, folders, data_steps, {table: ceil(count * part) for table, count in tables.items()})
    except (pw.DatabaseError, OSError) as error:
        unknown = tuple(Foretold(name, None) for name in names)
        return UpgradeCheck(unknown, rows, size, free=free, unknown=str(error).splitlines()[0])

    steps = tuple(Foretold(name, _of_all(bare.seconds[name], full.seconds[name], part)) for name in names)
    growth = bare.size + int(max(full.size - bare.size, 0) / part)
    return UpgradeCheck(steps, rows, size, min(rows, sample), growth, free)


def _of_all(bare: Sequence[float], full: Sequence[float], part: float) -> float:
    """Seconds for all rows, by the tries without a row and with a part of the rows.

    A difference that is no larger than between two tries does not come from the rows, and is not multiplied.
    """
    from_rows = min(full) - min(bare) if min(full) > max(bare) else 0.0
    return min(bare) + from_rows / part


def _rows(db: SiteDatabase) -> dict[str, int]:
    """The number of rows of each table."""
    return {table: db.execute_sql(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0] for table in db.get_tables()}


def _size(db: SiteDatabase) -> int:
    if isinstance(db, SqliteDatabase):
        return _size_of_file(Path(db.database))
    return int(db.execute_sql("SELECT pg_database_size(current_database())").fetchone()[0])


def _size_of_file(path: Path) -> int:
    """The size of a SQLite file, in bytes, with its write-ahead log."""
    return sum(file.stat().st_size for file in (path, Path(f"{path}-wal")) if file.exists())


def _free(db: SiteDatabase) -> int | None:
    return shutil.disk_usage(Path(db.database).absolute().parent).free if isinstance(db, SqliteDatabase) else None


@dataclass(frozen=True, slots=True)
class _Tried:
    """What a trial of the steps took: seconds by step, and bytes in all."""

    seconds: dict[str, float]
    size: int


def _try(
    db: SiteDatabase, folders: Sequence[Path], data_steps: Sequence[DataStep], sample: Mapping[str, int]
) -> _Tried:
    """Run the steps that are pending in `db` on a `sample`: how many rows of each table."""
    had = [set(runner.applied()) for runner in runners(db, folders)]
    with _on_sqlite(db) if isinstance(db, SqliteDatabase) else _on_postgresql(db) as place, place.db.bound():
        for runner, folder, names in zip(runners(place.db, folders), folders, had, strict=True):
            runner.History.create_table(safe=False)  # peewee would look for it where the site's own is
            _make_as_it_was(runner, folder, names)
        place.let_rows_stand_alone()
        noted = {runner.table_name for runner in runners(place.db, folders)}  # which steps there were: as it was made
        for table, count in sample.items():
            if table not in noted:
                place.copy(table, count)
        place.settle()
        before = place.size()
        seconds: dict[str, float] = {}
        for runner in runners(place.db, folders):
            for name in runner.pending():
                began = time.perf_counter()
                runner.up(name)
                seconds[name] = time.perf_counter() - began
        for data_step in data_steps:
            began = time.perf_counter()
            carry_out(place.db, [data_step], lambda name, done, of: None, lambda: None)
            seconds[data_step.name] = time.perf_counter() - began
        return _Tried(seconds, place.size() - before)


@dataclass(frozen=True, slots=True)
class _Tries:
    """Several tries of the steps: seconds of each try by step, and the most bytes."""

    seconds: dict[str, list[float]]
    size: int


def _several(
    db: SiteDatabase, folders: Sequence[Path], data_steps: Sequence[DataStep], sample: Mapping[str, int]
) -> _Tries:
    tries = [_try(db, folders, data_steps, sample) for _time in range(_TRIES)]
    seconds = {name: [tried.seconds[name] for tried in tries] for name in tries[0].seconds}
    return _Tries(seconds, max(tried.size for tried in tries))


def _make_as_it_was(runner: Runner, folder: Path, names: Collection[str]) -> None:
    """Create the tables of the steps with these names, and of no later ones."""
    with tempfile.TemporaryDirectory(prefix="tetsuzuki-check-") as steps:
        for file in folder.glob("[0-9]*.py"):
            if file.stem in names:
                (Path(steps) / file.name).symlink_to(file.absolute())
        directory, runner.directory = runner.directory, steps
        runner.up()
        runner.directory = directory


class _Place(Protocol):
    """The place in which a sample is tried."""

    @property
    def db(self) -> SiteDatabase:
        """The database in which the place is."""

    def let_rows_stand_alone(self) -> None:
        """Drop or ignore foreign keys: a sample has some rows of each table, and not those that they refer to."""

    def copy(self, table: str, count: int) -> None:
        """Copy `count` rows of a table of the site, where the place has such a table."""

    def settle(self) -> None:
        """Bring what was copied to where it stays, before the size is taken."""

    def size(self) -> int:
        """The size of everything in the place, in bytes."""


@dataclass(frozen=True)
class _File:
    """A place in a SQLite file beside the site's."""

    db: SqliteDatabase
    path: Path

    def let_rows_stand_alone(self) -> None:
        """See `_Place`."""
        self.db.pragma("foreign_keys", 0)

    def copy(self, table: str, count: int) -> None:
        """See `_Place`."""
        if self.db.table_exists(table):
            columns = ", ".join(f'"{column.name}"' for column in self.db.get_columns(table))
            self.db.execute_sql(
                f'INSERT OR REPLACE INTO main."{table}" ({columns}) SELECT {columns} FROM site."{table}" LIMIT ?',
                (count,),
            )

    def settle(self) -> None:
        """See `_Place`."""
        self.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def size(self) -> int:
        """See `_Place`."""
        return _size_of_file(self.path)


@contextmanager
def _on_sqlite(db: SqliteDatabase) -> Iterator[_Place]:
    with tempfile.TemporaryDirectory(prefix="tetsuzuki-check-", dir=Path(db.database).absolute().parent) as folder:
        path = Path(folder) / "sample.db"
        place = SqliteDatabase(str(path))
        try:
            place.execute_sql("ATTACH DATABASE ? AS site", (str(Path(db.database).absolute()),))
            yield _File(place, path)
        finally:
            place.close()


@dataclass(frozen=True)
class _Schema:
    """A place in a schema of PostgreSQL, inside a transaction that will be rolled back."""

    db: SiteDatabase
    name: str
    site: str

    def let_rows_stand_alone(self) -> None:
        """See `_Place`."""
        keys = self.db.execute_sql(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint "
            "WHERE contype = 'f' AND connamespace = %s::regnamespace",
            (self.name,),
        ).fetchall()
        for table, key in keys:
            self.db.execute_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{key}"')

    def copy(self, table: str, count: int) -> None:
        """See `_Place`."""
        found = self.db.execute_sql(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            (self.name, table),
        ).fetchall()
        if found:
            columns = ", ".join(f'"{column}"' for (column,) in found)
            self.db.execute_sql(f'DELETE FROM "{self.name}"."{table}"')  # what a step wrote into it when it was made
            self.db.execute_sql(
                f'INSERT INTO "{self.name}"."{table}" ({columns}) SELECT {columns} FROM "{self.site}"."{table}" '
                "LIMIT %s",
                (count,),
            )

    def settle(self) -> None:
        """See `_Place`."""

    def size(self) -> int:
        """See `_Place`."""
        found = self.db.execute_sql(
            "SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
            "WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'm')",
            (self.name,),
        )
        return int(found.fetchone()[0])


@contextmanager
def _on_postgresql(db: SiteDatabase) -> Iterator[_Place]:
    site = db.execute_sql("SELECT current_schema()").fetchone()[0]
    name = f"tetsuzuki_check_{uuid4().hex[:12]}"
    with db.atomic() as transaction:
        try:
            db.execute_sql(f"CREATE SCHEMA {name}")
            db.execute_sql(f"SET LOCAL search_path TO {name}")
            yield _Schema(db, name, site)
        finally:
            transaction.rollback()
