"""What tests of operators' views and acts stand on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.testing import Clock
from tests.kit.receipts import Counter, open_counter, workflow, write_mails


@pytest.fixture
def counter(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Counter]:
    """Requests whose receipts go to two people, see `tests/kit/receipts.py`."""
    opened = open_counter(database_url, clock, workflow(write_mails(tmp_path / "request")))
    yield opened
    opened.close()
