"""What is killed here keeps its databases on a disk: a commit that waits for one is longer, and so more often hit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.databases import NewDatabase

_DISK = Path("/var/tmp")  # which outlives a reboot, and so is not in memory (Filesystem Hierarchy Standard 3.0, 5.15)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tz-", dir=_DISK))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """A migrated database of a kind, its own for each call."""
    made: list[str] = []

    def new(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path / f"site-{len(made)}.db"
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
            made.append("")
            return f"sqlite:///{path}"
        made.append(request.getfixturevalue("postgres").migrated())
        return made[-1]

    yield new
    for url in filter(None, made):
        request.getfixturevalue("postgres").drop(url)
