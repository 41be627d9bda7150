"""`tetsuzuki plugins new`: what it writes is installed by pip, passes the contract tests, and is found by the site."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.errors import ConfigurationError
from web.cli.skeleton import SHAPES, SKELETONS, write_package

NAME = "convenience_store"


def run(arguments: Sequence[str], folder: Path, installed: Path) -> subprocess.CompletedProcess[str]:
    """A command of a stranger, who has the package `installed` and stands in `folder`."""
    house = str(Path(__file__).parents[2])
    environ = {**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{house}", "TETSUZUKI_CONFIG": ""}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_new_plugin_is_installed_passes_its_contract_and_is_found(shape: str, tmp_path: Path) -> None:
    site, installed = tmp_path / "site", tmp_path / "installed"
    site.mkdir()
    made = run(["-m", "web", "plugins", "new", NAME, "--shape", shape, "--into", str(tmp_path)], site, installed)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "tetsuzuki-convenience-store"

    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    said = run([*pip, "--target", str(installed), "."], folder, installed)
    assert said.returncode == 0, said.stderr

    tested = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], folder, installed)
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout

    settings = (SKELETONS / f"{shape}.settings.txt").read_text().replace("$name", NAME)
    (site / "tetsuzuki.toml").write_text(settings)
    checked = run(["-m", "web", "plugins", "check"], site, installed)
    assert checked.returncode == 0, checked.stderr
    listed = run(["-m", "web", "plugins", "list"], site, installed)
    assert f"{NAME}  enabled  (tetsuzuki-convenience-store 0.1.0)" in listed.stdout


@pytest.mark.parametrize("name", ["Store", "9lives", "a-b", "a__b", "", "class", "json", "x" * 41, "../up"])
def test_a_name_that_cannot_be_one_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected lower-case letters"):
        write_package(name, "mailer", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    folder = write_package(NAME, "mailer", tmp_path)
    (folder / "README.md").write_text("mine")
    with pytest.raises(ConfigurationError, match="is already there"):
        write_package(NAME, "disk_usage", tmp_path)
    assert (folder / "README.md").read_text() == "mine"
