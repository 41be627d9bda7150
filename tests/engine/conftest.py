"""Databases, engines, an office that reviews papers and a post that sends parcels: nothing of the business in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from engine.definition import Workflow
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase
from engine.testing import Clock
from tests.kit.databases import opened_database
from tests.kit.parcels import Post, open_post
from tests.kit.reviews import Office, OfficeOf, open_office
from tests.kit.timers import SECRET, EngineOf


@pytest.fixture
def db(database_url: str) -> Iterator[SiteDatabase]:
    with opened_database(database_url) as opened:
        yield opened


@pytest.fixture
def sqlite_db(sqlite_url: str) -> Iterator[SiteDatabase]:
    with opened_database(sqlite_url) as opened:
        yield opened


@pytest.fixture
def engine_of(db: SiteDatabase, clock: Clock) -> EngineOf:
    """`engine_of(*workflows)`: an engine on the test's database."""
    return lambda *workflows: Engine(db, workflows, secret=SECRET, clock=clock)


@pytest.fixture
def office(database_url: str, clock: Clock) -> Iterator[Office]:
    with closing(open_office(database_url, clock)) as opened:
        yield opened


@pytest.fixture
def sqlite_office(sqlite_url: str, clock: Clock) -> Iterator[Office]:
    with closing(open_office(sqlite_url, clock)) as opened:
        yield opened


@pytest.fixture
def office_of(sqlite_url: str, clock: Clock) -> Iterator[OfficeOf]:
    """`office_of(*workflows)`: an office with other definitions."""
    with ExitStack() as stack:

        def opened(*workflows: Workflow) -> Office:
            return stack.enter_context(closing(open_office(sqlite_url, clock, *workflows)))

        yield opened


@pytest.fixture
def post(database_url: str, clock: Clock) -> Iterator[Post]:
    with closing(open_post(database_url, clock)) as opened:
        yield opened


@pytest.fixture
def sqlite_post(sqlite_url: str, clock: Clock) -> Iterator[Post]:
    with closing(open_post(sqlite_url, clock)) as opened:
        yield opened
