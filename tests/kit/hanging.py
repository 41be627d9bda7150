"""What hangs: a call of a plugin that does not come back before its test has ended."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

HANGS = Event()  # never set while a test waits for it


@pytest.fixture
def let_go() -> Iterator[None]:
    """Lets what hangs come back once the test has ended."""
    HANGS.clear()
    yield
    HANGS.set()
