"""Sites with a price list, on an April noon."""

from __future__ import annotations

import pytest

from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import PLUGINS, at
from tests.kit.sites import SiteMaker
from web.assembly.site import Site


@pytest.fixture
def changing(make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    """A site of each kind of database with a price list."""
    at(clock, 2026, 4, 10, 12, 0)
    return make_site(database_url, clock=clock, mailer=mailer, plugins=PLUGINS)


@pytest.fixture
def lite(make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    """The same on SQLite alone."""
    at(clock, 2026, 4, 10, 12, 0)
    return make_site(sqlite_url, clock=clock, mailer=mailer, plugins=PLUGINS)
