"""What is killed here keeps its databases on a disk: a commit that waits for one is longer, and so more often hit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_DISK = Path("/var/tmp")  # which outlives a reboot, and so is not in memory (Filesystem Hierarchy Standard 3.0, 5.15)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tz-", dir=_DISK))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
