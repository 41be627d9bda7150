"""Test modules are compiled once before a run with several workers (pytest plugin).

pytest rewrites the asserts of a test module when it imports it, which costs three times the rest of the import, and
keeps what it made. Every worker imports every test module, all of them at the same moment: after a fresh clone each
would do the same work at once. So the controller lets each processor do a part of it before the workers start.

Whoever asked Python to keep no compiled modules (PYTHONDONTWRITEBYTECODE, as images of containers do) did not mean a
run that starts some hundred processes of the product: each would compile it anew, which takes half of its start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_FEW = 20  # modules that the workers may as well compile themselves


@pytest.hookimpl(trylast=True)  # conftest.py says where files go
def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # for the workers, and what they start
    sys.dont_write_bytecode = False
    if not getattr(config.option, "numprocesses", None):
        return
    modules = [str(path) for path in _modules(config) if not _is_compiled(path)]
    if len(modules) <= _FEW:
        return
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider"]
    parts = [modules[number :: os.cpu_count() or 1] for number in range(os.cpu_count() or 1)]
    running = [
        subprocess.Popen([*command, *part], cwd=config.rootpath, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for part in parts
        if part
    ]
    for process in running:  # one that fails says so in the workers
        process.wait()


def _modules(config: pytest.Config) -> list[Path]:
    """The test modules that this run was asked for."""
    asked = [Path(str(argument).partition("::")[0]) for argument in config.args]
    return [
        path for one in asked for path in ([one] if one.is_file() else sorted(one.rglob("test_*.py"))) if path.is_file()
    ]


def _is_compiled(module: Path) -> bool:
    kept = module.parent.glob(f"__pycache__/{module.stem}.*-pytest-*.pyc")
    return any(file.stat().st_mtime >= module.stat().st_mtime for file in kept)
