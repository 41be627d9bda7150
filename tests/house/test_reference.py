"""The public API has docstrings, and is what other people are told to import. `make check` builds its pages."""

from __future__ import annotations

import re

from release.reference import PUBLIC, undocumented
from release.source import ROOT, tracked


def test_every_public_name_has_a_docstring() -> None:
    assert list(undocumented()) == []


def test_what_other_people_are_told_to_import_is_public() -> None:
    """Authors of plugins; a procedure lies in the checkout, and may import whatever that holds."""
    told = [
        path
        for path in tracked()
        if path == "README.md" or re.fullmatch(r"docs/(?!tutorial)[\w-]+\.md|web/cli/skeletons/\w+\..+\.txt", path)
    ]
    imported = {
        module
        for path in told
        for module in re.findall(
            r"^from ((?:engine|workflows)[\w.]*) import", (ROOT / path).read_text("utf-8"), re.MULTILINE
        )
    }
    assert len(imported) > 10
    assert sorted(imported - set(PUBLIC)) == []


def test_the_check_builds_the_reference() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert "\t$(BIN)/python -m release.reference\n" in recipe
