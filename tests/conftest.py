"""Real parts for every test: a SQLite file, a PostgreSQL of the test run's own, a site assembled as the product is."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from engine.plugins.loaded import Plugins
from engine.plugins.site_facts import SiteFacts
from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.testing import Clock, MemoryMailer
from tests.engine.test_waits import Site
from web.assembly.settings import Settings
from web.assembly.site import build, plugins_of
from workflows.registry import MIGRATIONS

pytest_plugins = ["tests.kit.time_limits", "tests.kit.postgres", "tests.kit.order", "tests.kit.compiled"]

SECRET = b"a secret of the tests, long enough for everybody"
CHEAP = (1, 8, 1)  # the lowest cost of Argon2id; the production default is asserted elsewhere

hypothesis_settings.register_profile(
    "tetsuzuki", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
hypothesis_settings.load_profile("tetsuzuki")

_MEMORY = Path("/dev/shm")
_ENOUGH = 6 << 30  # bytes


def pytest_configure(config: pytest.Config) -> None:
    """Keep databases in memory where there is enough of it: most tests wait for a disk more than for anything else.

    The trials that kill processes do not (see `tests/trials/conftest.py`); and a TMPDIR or --basetemp is respected.
    """
    if "TMPDIR" in os.environ or config.option.basetemp or not _MEMORY.is_mount():
        return
    if (
        shutil.disk_usage(_MEMORY).free > _ENOUGH
        and os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > _ENOUGH
    ):
        folder = _MEMORY / f"tetsuzuki-tests-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ["TMPDIR"] = str(folder)  # for this process, its workers, and what they start
        tempfile.tempdir = None


def pytest_collection_finish() -> None:
    """What is imported by now stays: looked through again and again by the collector, it costs a tenth of the run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    db = open_database(f"sqlite:///{path}")
    migrate(db, MIGRATIONS)
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


SiteMaker = Callable[..., Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[SiteMaker]:
    """`make_site(database_url, clock=…, mailer=…, **settings)`: a site assembled by the product's own `build`."""
    made: list[Site] = []

    def make(
        database_url: str, *, clock: Clock | None = None, mailer: MemoryMailer | None = None, **changes: Any
    ) -> Site:
        options = {
            "database_url": database_url,
            "base_url": "http://localhost",
            "var": tmp_path / "var",
            "password_cost": CHEAP,
        }
        settings = Settings(secret_key=SECRET, **{**options, **changes})  # type: ignore[arg-type]
        plugins = plugins_with(settings, mailer) if mailer is not None else None
        if mailer is not None:
            settings = replace(settings, mailer="memory")
        site = build(settings, clock=clock, plugins=plugins)
        made.append(site)
        return site

    yield make
    for site in made:
        site.close()


def memory_plugin(mailer: MemoryMailer) -> type[Any]:
    """A plugin whose mailer remembers."""
    from dataclasses import dataclass

    from engine.hookspecs import hookimpl

    class Memory:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site: SiteFacts) -> None:
            pass

        @hookimpl
        def register_mailers(self) -> dict[str, MemoryMailer]:
            return {"memory": mailer}

    return Memory


def plugins_with(settings: Settings, mailer: MemoryMailer) -> Plugins:
    """The installed plugins and one more, whose mailer remembers."""
    return plugins_of(settings, extra=[("memory", memory_plugin(mailer))])


@pytest.fixture
def site(make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    """A site on SQLite with a clock that is set and a mailer that remembers."""
    return make_site(sqlite_url, clock=clock, mailer=mailer)


@pytest.fixture
def any_site(make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    """The same on each kind of database."""
    return make_site(database_url, clock=clock, mailer=mailer)
