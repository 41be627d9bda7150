"""The public API has docstrings, and is what other people are told to import. Its pages are built here, too."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from release.public import PUBLIC
from release.reference import undocumented
from release.source import ROOT, tracked
from tests.kit.waiting import PATIENCE

_TOLD = re.compile(r"README\.md|docs/(?!tutorial)[\w/-]+\.md|web/cli/skeletons/\w+\..+\.txt|examples/.+\.py")
_IMPORTED = re.compile(r"^ *from ((?:engine|workflows|web)[\w.]*) import", re.MULTILINE)


def test_every_public_name_has_a_docstring() -> None:
    assert list(undocumented()) == []


def test_what_other_people_are_told_to_import_is_public() -> None:
    """Authors of plugins; a procedure lies in the checkout, and may import whatever that holds."""
    told = [path for path in tracked() if _TOLD.fullmatch(path)]
    imported = {module for path in told for module in _IMPORTED.findall((ROOT / path).read_text("utf-8"))}
    assert len(imported) > 10
    assert sorted(imported - set(PUBLIC)) == []


def test_the_reference_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "release.reference", "--into", str(tmp_path / "reference")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "reference").rglob("*.html"))) == len(PUBLIC) + 1


def test_the_check_builds_the_reference() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert "\t$(BIN)/python -m release.reference\n" in recipe
