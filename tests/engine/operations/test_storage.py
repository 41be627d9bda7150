"""How the storage of a database is, by what SQLite and PostgreSQL themselves answer. Full and read-only disks are in
tests/web/assembly/monitoring/test_storage.py."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from engine.operations.storage import FULL, LITTLE, OK, Storage, _of_sqlite, look


def test_a_database_with_room_is_well_and_one_that_is_not_made_yet_too(database_url: str, tmp_path: Path) -> None:
    roomy = shutil.disk_usage(tmp_path).free > 2 * LITTLE
    assert look(database_url).state in (("ok",) if roomy else ("ok", "little", "full"))
    assert look(f"sqlite:///{tmp_path / 'not made yet.db'}") is OK
    assert look("postgresql://nobody@127.0.0.1:1/nothing") == Storage("unknown", "OperationalError")


def test_a_file_that_is_no_database_is_unknown_and_not_called_little(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database" * 100)
    assert look(f"sqlite:///{tmp_path / 'x.db'}") == Storage("unknown", "file is not a database")


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (sqlite3.SQLITE_BUSY, "ok"),
        (sqlite3.SQLITE_LOCKED, "ok"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "ok"),
        (sqlite3.SQLITE_READONLY, "read-only"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "read-only"),
        (sqlite3.SQLITE_CANTOPEN, "read-only"),
        (sqlite3.SQLITE_PERM, "read-only"),
        (sqlite3.SQLITE_FULL, "full"),
        (sqlite3.SQLITE_IOERR_WRITE, "full"),
        (sqlite3.SQLITE_CORRUPT, "unknown"),
        (0, "unknown"),
    ],
)
def test_each_of_sqlites_errors_says_how_the_storage_is(code: int, state: str) -> None:
    error = sqlite3.OperationalError("said so")
    error.sqlite_errorcode = code
    assert _of_sqlite(error).state == state


def test_little_room_is_256_mib_and_none_is_16() -> None:
    assert (LITTLE, FULL) == (268_435_456, 16_777_216)  # as docs/operations.md says


@pytest.mark.parametrize(
    ("left", "storage"),
    [
        (16 << 20, "little"),
        ((16 << 20) - 1, "full"),
        ((256 << 20) - 1, "little"),
        (256 << 20, "ok"),
    ],
)
def test_room_is_counted_by_what_others_than_root_may_use(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, left: int, storage: str
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=left, f_frsize=1, f_bfree=1 << 40))
    path = sqlite_url.removeprefix("sqlite:///")
    why = "" if storage == "ok" else f"{left >> 20} MiB are left on the disk of {path}"
    assert look(sqlite_url) == Storage(storage, why)  # type: ignore[arg-type]


def test_a_disk_is_counted_in_its_own_blocks(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=2, f_frsize=10 << 20))
    assert look(sqlite_url).why.startswith("20 MiB are left")


def test_a_file_or_folder_that_cannot_be_written_is_named(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    shut: dict[Path, int] = {}
    monkeypatch.setattr(os, "access", lambda asked, mode: not shut.get(Path(asked), 0) & mode)  # root may do anything
    assert look(sqlite_url).state in ("ok", "little")
    shut[path] = os.W_OK
    assert look(sqlite_url) == Storage("read-only", f"{path} cannot be written")
    for mode in (os.W_OK, os.X_OK):
        shut = {path.parent: mode}
        assert look(sqlite_url) == Storage(
            "read-only", f"{path.parent} cannot be written, and SQLite keeps a file beside the database"
        )


def test_looking_changes_nothing_and_waits_for_no_writer(sqlite_url: str) -> None:
    db = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    db.execute("PRAGMA user_version = 7")
    before = list(db.iterdump())
    assert look(sqlite_url).state in ("ok", "little")
    assert list(db.iterdump()) == before
    assert db.execute("PRAGMA user_version").fetchone() == (7,)
    db.close()


def test_what_cannot_be_opened_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=1, f_frsize=LITTLE))
    assert look(f"sqlite:///{tmp_path}") == Storage("unknown", "unable to open database file")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert look("postgresql://nobody@127.0.0.1:1/nothing") == Storage("unknown", "the driver is not installed")


def test_a_postgresql_on_which_nothing_new_is_written_is_read_only(postgres_url: str) -> None:
    assert look(postgres_url) == OK
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        name: Any = admin.execute("SELECT current_database()").fetchone()
        admin.execute(f"ALTER DATABASE {name[0]} SET default_transaction_read_only = on")
    assert look(postgres_url) == Storage("read-only", "default_transaction_read_only is on")
