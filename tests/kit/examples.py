"""The packages of `examples/` as a stranger has them: a wheel, installed beside the product."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def install(name: str, folder: Path) -> Path:
    """Build the wheel of an example and install it; the folder `folder/installed`, for PYTHONPATH."""
    source, wheels, installed = folder / name, folder / "wheels", folder / "installed"
    shutil.copytree(EXAMPLES / name, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    offline = ("--quiet", "--no-deps", "--no-index")
    _pip(["wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels), str(source)])
    (wheel,) = wheels.glob("*.whl")
    _pip(["install", *offline, "--target", str(installed), str(wheel)])
    return installed


def _pip(arguments: Sequence[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert said.returncode == 0, said.stderr
