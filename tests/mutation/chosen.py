"""Runs chosen tests in a given order, and writes down how long each took (pytest plugin, loaded by `trials`).

`MUTATION_CHOSEN` names a file with node ids, one a line: the others are left out. `MUTATION_TIMES` names a file into
which each test's outcome and its seconds are written, as JSON.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

_times: dict[str, tuple[bool, float]] = {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the chosen ones, as they were chosen."""
    named = os.environ.get("MUTATION_CHOSEN")
    if named is None:
        return
    order = {name: place for place, name in enumerate(Path(named).read_text().splitlines())}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in order])
    items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """One phase of a test has ended."""
    well, seconds = _times.get(report.nodeid, (True, 0.0))
    _times[report.nodeid] = well and not report.failed and not report.skipped, seconds + report.duration


def pytest_sessionfinish() -> None:
    """All have ended."""
    named = os.environ.get("MUTATION_TIMES")
    if named is not None:
        Path(named).write_text(json.dumps(_times))
