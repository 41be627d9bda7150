"""What is handed out, built as `make dist` builds it, and the environments into which the tests install it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from release.source import ROOT
from tests.shipping.once import once


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make dist` fills."""

    def build(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "release", "--into", str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return once(tmp_path_factory, "dist", build)
