"""Opens the database that a URL names. The driver is imported only then."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import ConfigurationError
from engine.store.base import SiteDatabase, database
from engine.store.sqlite import SqliteDatabase

_POSTGRESQL = ("postgresql", "postgres")


def is_shared(url: str) -> bool:
    """Whether several processes may work on the database of a URL at once."""
    return urlsplit(url).scheme in _POSTGRESQL


def open_database(url: str, *, pool: int = 32) -> SiteDatabase:
    """Open `sqlite:///path` or `postgresql://…`. It becomes the current database by rule 3 of `current_database`.

    `pool` is the most connections to PostgreSQL. An SQLite file is created with mode 0600, a missing folder with 0700.
    Raises ConfigurationError where the URL is of neither form or the driver is not installed.
    """
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if not path:
            raise ConfigurationError("DATABASE_URL: sqlite:/// needs a path, as in sqlite:///var/tetsuzuki.db")
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with suppress(OSError):  # SQLite says it better
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # it holds personal data
        opened: SiteDatabase = SqliteDatabase(path)
    elif is_shared(url):
        try:
            from engine.store.postgres import PostgresDatabase
        except ImportError as error:
            raise ConfigurationError(
                f"DATABASE_URL: PostgreSQL needs its driver: pip install tetsuzuki[pg] ({error})"
            ) from error
        opened = PostgresDatabase(url, max_connections=pool, stale_timeout=600, timeout=30)
    else:
        raise ConfigurationError(
            "DATABASE_URL: expected sqlite:///path or postgresql://user@host/name, "
            f"got one that begins with {url.split(':', 1)[0]!r}"
        )
    database.initialize(opened)
    return opened
