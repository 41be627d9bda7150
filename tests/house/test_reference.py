"""The public API has docstrings, and is what other people are told to import. `make check` builds its pages."""

from __future__ import annotations

import re

from release.public import PUBLIC
from release.reference import undocumented
from release.source import ROOT, tracked

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


def test_the_check_builds_the_reference() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert "\t$(BIN)/python -m release.reference\n" in recipe
