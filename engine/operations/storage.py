"""Storage check: whether the database can be written and has room, over a new connection.

The check writes without changing anything: SQLite's header is written with its present value, so that a file, a folder
or a file system that is read-only or full says so itself. PostgreSQL is asked whether new transactions are read-only,
and sorts a little on its disk, which is possible even then and needs room where its tables have theirs.

Where the database cannot be asked at all, the state is "unknown": the callers that need the database report that
better.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LITTLE = 256 << 20  # bytes free on the disk of a SQLite database: below, operators should know
FULL = 16 << 20  # bytes: below, the next commits may fail
_PATIENCE = 1.0  # seconds to wait for another writer: one that writes shows that it can be written
_ASKED_WITHIN = 2  # seconds for a connection to PostgreSQL

State = Literal["ok", "little", "full", "read-only", "unknown"]

# Sorting more than fits into the smallest `work_mem` (64 kB) writes a temporary file, a megabyte or so.
_SORT = "SELECT count(*) FROM (SELECT n FROM generate_series(1, 20000) n ORDER BY md5(n::text)) sorted"


@dataclass(frozen=True, slots=True)
class Storage:
    """The state of the storage. `why` says it in words for operators: it may name paths."""

    state: State
    why: str = ""


OK = Storage("ok")


def look(url: str) -> Storage:
    """Check the storage of the database of `url`. Takes a few seconds at most; raises nothing."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        return _sqlite(path) if path.exists() else OK  # it is made on the first start
    try:
        return _postgres(url)
    except ImportError:
        return Storage("unknown", "the driver is not installed")


def _sqlite(path: Path) -> Storage:
    if not os.access(path, os.W_OK):
        return Storage("read-only", f"{path} cannot be written")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return Storage("read-only", f"{path.parent} cannot be written, and SQLite keeps a file beside the database")
    free = os.statvfs(path.parent)
    left = free.f_bavail * free.f_frsize
    if left < FULL:
        return Storage("full", f"{left >> 20} MiB are left on the disk of {path}")
    tried = _try_sqlite(path)
    if tried is OK and left < LITTLE:
        return Storage("little", f"{left >> 20} MiB are left on the disk of {path}")
    return tried


def _try_sqlite(path: Path) -> Storage:
    try:
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    except sqlite3.Error as error:
        return Storage("unknown", str(error))
    try:
        connection.execute("PRAGMA synchronous = normal")  # in WAL mode: no flush for this
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {int(version)}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        return _of_sqlite(error)
    finally:
        connection.close()
    return OK


def _of_sqlite(error: sqlite3.Error) -> Storage:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary one (https://sqlite.org/rescode.html)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return OK
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return Storage("read-only", str(error))
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return Storage("full", str(error))
    return Storage("unknown", str(error))


def _postgres(url: str) -> Storage:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=_ASKED_WITHIN, autocommit=True) as connection:
            connection.execute("SET statement_timeout = '5s'; SET work_mem = '64kB'")
            row = connection.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')").fetchone()
            if row is not None and row[0]:
                return Storage("read-only", "the server is a standby: it is in recovery")
            if row is not None and row[1] == "on":
                return Storage("read-only", "default_transaction_read_only is on")
            connection.execute(_SORT)
    except psycopg.errors.DiskFull as error:
        return Storage("full", str(error).split("\n", 1)[0])
    except psycopg.Error as error:
        return Storage("unknown", type(error).__name__)
    return OK
