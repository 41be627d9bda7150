"""Each package of `examples/` is installed as a stranger does it, and passes its own tests there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tests.kit.examples import EXAMPLES, install
from tests.kit.once import once
from tests.kit.waiting import PATIENCE

HOUSE = Path(__file__).parents[2]
PACKAGES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
WITH_PROVIDER = [name for name in PACKAGES if (EXAMPLES / name / f"tetsuzuki_{name}" / "sandbox.py").exists()]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_passes_its_own_tests_as_it_is_installed(
    name: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    installed = once(tmp_path_factory, name, partial(install, name)) / "installed"
    shutil.copytree(EXAMPLES / name / "tests", tmp_path / "tests")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(installed), str(HOUSE)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert " passed" in tested.stdout


@pytest.mark.parametrize("name", WITH_PROVIDER)
def test_the_provider_for_trials_says_where_it_listens_and_ends_when_nobody_asks(name: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", f"tetsuzuki_{name}.sandbox", "--port", "0", "--idle", "0.1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(EXAMPLES / name), str(HOUSE)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert said.returncode == 0, said.stderr
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", said.stdout)


@pytest.mark.parametrize("name", PACKAGES)
def test_every_text_of_a_package_has_its_english(name: str) -> None:
    folder = EXAMPLES / name / f"tetsuzuki_{name}"
    written = {text for _f, _l, text, _c, _x in extract_from_dir(folder, [("**.py", "python")], keywords={"_": None})}
    po = folder / "locale" / "en.po"
    translated = {entry.id for entry in read_po(po.open("rb")) if entry.id and entry.string} if po.exists() else set()
    assert written == translated


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_says_what_it_is_and_how_it_is_tried(name: str) -> None:
    said = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert "pip install ." in said
    assert f"[plugins.{name}]" in said
    assert name not in WITH_PROVIDER or f"python -m tetsuzuki_{name}.sandbox" in said
