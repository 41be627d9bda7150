"""How the storage of a database is, by what SQLite and PostgreSQL themselves answer. Full and read-only disks are in
tests/web/test_storage.py."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from engine.storage import FULL, LITTLE, OK, Storage, _of_sqlite, look


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
