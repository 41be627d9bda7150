"""What the looks of the whole rest on: sound style sheets, and a list of pages that forgets none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.stories.pictures import FOR_README
from tests.stories.scene import NO_PICTURE, PAGES, is_file

WEB = Path(__file__).parents[3] / "web"
SHEETS = sorted((WEB / "static").glob("*.css"))


def rules(sheet: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each rule of a style sheet: the at-rules around it, and its selector. Fails where braces do not match."""
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    around: list[str] = []
    before = ""
    for part in re.split(r"([{};])", text):
        if part == "{":
            head = " ".join(before.split())
            assert all(one.startswith("@") for one in around), f"{sheet.name}: {head} stands within {around[-1]}"
            if not head.startswith("@"):
                yield tuple(around), head
            around.append(head)
        elif part == "}":
            assert around, f"{sheet.name}: a brace too many after {before!r}"
            around.pop()
        before = part
    assert not around, f"{sheet.name}: {around[-1]} is not closed"


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_style_sheet_closes_every_rule_and_says_each_selector_once(sheet: Path) -> None:
    said = Counter(rules(sheet))
    twice = [rule for rule, count in said.items() if count > 1 and rule[1] != ":root"]
    assert len(said) > 40
    assert twice == []


def test_whatever_takes_the_keyboard_has_a_ring_while_it_has_the_focus() -> None:
    """Of an outline, which forced colours keep; Bootstrap takes it from fields."""
    text = re.sub(r"/\*.*?\*/", "", (WEB / "static" / "site.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    (ring,) = re.findall(r":is\(([^)]*)\):focus-visible \{([^}]*)\}", text)
    assert set(ring[0].split(", ")) >= {"a", "button", "input", "select", "textarea", "summary"}
    assert "outline: 3px solid" in ring[1]


def test_every_class_of_the_style_sheets_is_used() -> None:
    used = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in (WEB, WEB.parent / "plugins", WEB.parent / "workflows" / "notice")
        for path in folder.rglob("*")
        if path.suffix in (".html", ".py", ".js")
    )
    named = {name for sheet in SHEETS for _, head in rules(sheet) for name in re.findall(r"\.([a-z][a-z-]*)", head)}
    assert {name for name in named if not re.search(rf"\b{name}\b", used)} == set()


def test_every_page_has_a_picture_or_a_reason_why_not(app: Flask) -> None:
    rules = app.url_map.iter_rules()
    answers = {rule.endpoint for rule in rules if "GET" in (rule.methods or ()) and not is_file(rule.rule)}
    pictured = {shot.endpoint for shot in PAGES}
    assert pictured | set(NO_PICTURE) == answers
    assert pictured & set(NO_PICTURE) == set()


def test_pictures_have_names_of_their_own() -> None:
    names = [shot.name for shot in PAGES]
    assert sorted(names) == sorted(set(names))
    assert set(FOR_README) <= set(names)
