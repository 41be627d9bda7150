"""A link of one of our pages leads to a file that there is, and to a heading that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from release.source import ROOT, tracked

# Those under tests/ are what a release before said, kept as it stood.
PAGES = tuple(path for path in tracked() if path.endswith(".md") and not path.startswith("tests/"))
_LINK = re.compile(r"\]\((?!\w+:)([^()\s#]*)(?:#([^()\s]+))?\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_pages_and_links() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/operations.md"} <= set(PAGES)
    assert _LINK.findall("see [a](b.md#c) and [d](#e), not [f](https://g.example/)") == [("b.md", "c"), ("", "e")]


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_somewhere(path: str) -> None:
    page = ROOT / path
    wrong = []
    for target, anchor in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        goal: Path = page.parent / target if target else page
        if not goal.exists() or (anchor and anchor not in anchors(goal.read_text(encoding="utf-8"))):
            wrong.append(f"{target}#{anchor}")
    assert wrong == []
