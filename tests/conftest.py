"""Real parts for every test: a SQLite file, a PostgreSQL of the test run's own, a site assembled as the product is."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.testing import Clock, MemoryMailer
from tests.kit.databases import EVERY_MIGRATION
from tests.kit.scale import is_same_each_time
from tests.kit.sites import SiteMaker, site_maker
from web.assembly.site import Site

if TYPE_CHECKING:
    from tests.kit.stripe_server import StripeServer

pytest_plugins = [
    "tests.kit.time_limits",
    "tests.kit.postgres",
    "tests.kit.order",
    "tests.kit.compiled",
    "tests.kit.installed",
    "tests.kit.addresses",
    "tests.kit.hanging",
]

hypothesis_settings.register_profile(
    "tetsuzuki",
    deadline=None,
    derandomize=is_same_each_time(),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("tetsuzuki")

_DATABASES = ("sqlite_url", "postgres_url", "empty_postgres_url", "database_url", "empty_url")
_MEMORY = Path("/dev/shm")
_FILES = 2 << 30  # bytes; a run keeps less than one gigabyte of files at a time
_ENOUGH = 4 << 30  # bytes of memory for the files, the workers and a browser


def pytest_configure(config: pytest.Config) -> None:
    """Keep databases in memory where there is enough of it: most tests wait for a disk more than for anything else.

    The trials that kill processes do not (see `tests/trials/conftest.py`); and a TMPDIR or --basetemp is respected.
    """
    if "TMPDIR" in os.environ or config.option.basetemp or not _MEMORY.is_mount():
        return
    # Available, not free: most of the memory holds what was read from files, and the system gives that up.
    if shutil.disk_usage(_MEMORY).free > _FILES and psutil.virtual_memory().available > _ENOUGH:
        folder = _MEMORY / f"tetsuzuki-tests-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ["TMPDIR"] = str(folder)  # for this process, its workers, and what they start
        tempfile.tempdir = None


def pytest_collection_finish() -> None:
    """What is imported by now stays: looked through again and again by the collector, it costs a tenth of the run.

    And what tests make is mostly gone when they end: to look for circles in it less often saves some hundredths more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    db = open_database(f"sqlite:///{path}")
    migrate(db, EVERY_MIGRATION)
    db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "tetsuzuki.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    return str(request.getfixturevalue("empty_postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each kind (I9)."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mailer() -> MemoryMailer:
    return MemoryMailer()


@pytest.fixture
def make_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SiteMaker]:
    """`make_site(database_url, clock=…, mailer=…, **settings)`: see `tests/kit/sites.py`.

    The sites are closed before the databases of the test are given back: one that is in use cannot be lent again.
    """
    for name in _DATABASES:
        if name in request.fixturenames:
            request.getfixturevalue(name)
    with site_maker(tmp_path / "var") as make:
        yield make


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    """What the `site` of a module is set to besides: a module that needs something overrides this."""
    return {}


@pytest.fixture
def site(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer, site_settings: Mapping[str, Any]
) -> Site:
    """A site on SQLite with a clock that is set and a mailer that remembers."""
    return make_site(sqlite_url, clock=clock, mailer=mailer, **site_settings)


@pytest.fixture
def any_site(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer, site_settings: Mapping[str, Any]
) -> Site:
    """The same on each kind of database."""
    return make_site(database_url, clock=clock, mailer=mailer, **site_settings)


@pytest.fixture
def stripe() -> Iterator[StripeServer]:
    """A Stripe of the tests' own."""
    from tests.kit.payments import WEBHOOK_SECRET  # here: Stripe's library takes a second, and few tests need it
    from tests.kit.stripe_server import StripeServer

    running = StripeServer(WEBHOOK_SECRET)
    yield running
    running.close()
