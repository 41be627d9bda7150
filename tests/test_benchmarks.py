"""Benchmarks run at small size, so that they cannot rot; their figures are `make bench`'s business."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("durable_flow", ["--flows", "20", "--rounds", "1"], "chains verified"),
        ("start_up", ["--rounds", "1"], "tetsuzuki --help"),
    ],
)
def test_benchmark_runs_at_small_size(module: str, arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
