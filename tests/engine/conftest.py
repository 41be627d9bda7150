"""An office that reviews papers: the engine on each kind of database, with nothing of the business in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.testing import Clock
from tests.kit.reviews import Office, open_office


@pytest.fixture
def office(database_url: str, clock: Clock) -> Iterator[Office]:
    opened = open_office(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_office(sqlite_url: str, clock: Clock) -> Iterator[Office]:
    opened = open_office(sqlite_url, clock)
    yield opened
    opened.close()
