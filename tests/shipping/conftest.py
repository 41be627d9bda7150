"""What is handed out, built as `make dist` builds it, and the environments into which the tests install it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from release.source import ROOT
from tests.kit.once import once
from tests.shipping.dockerfile import Image, build, context
from tests.shipping.installed import Installed, install


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


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, dist: Path) -> Installed:
    """The product as README.md installs it from the wheel. Only the test of plugins may add to it."""
    return Installed(once(tmp_path_factory, "installed", lambda folder: install(folder, dist)) / "tetsuzuki")


# Imports everything that the site imports, so that Python compiles it once and not in each process of a read-only root.
_IMPORT_ALL = (
    "import importlib, pkgutil, web; "
    "names = [one.name for one in pkgutil.walk_packages(web.__path__, 'web.')]; "
    "[importlib.import_module(name) for name in names if not name.endswith('__main__')]"
)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image of the Dockerfile. It is shared: `fork` its root before you change something in it."""

    def make(folder: Path) -> None:
        files = {name: ROOT / name for name in context()}
        made = build((ROOT / "Dockerfile").read_text(encoding="utf-8"), folder, {}, files)
        made.root.run([f'python3 -c "{_IMPORT_ALL}"'])
        made.keep(folder)

    return Image.kept(once(tmp_path_factory, "image", make))
