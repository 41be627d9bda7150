"""docs/glossary.md: each word once, in the order of the alphabet, and at home where it says that it is."""

from __future__ import annotations

import re

import pytest

from release.source import ROOT

PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
CHAPTERS = re.split(r"^## .+$", PAGE, flags=re.MULTILINE)[1:]
HOMES = sorted(set(re.findall(r"\(`(\w+)`,\s+`([\w/]+\.py)`\)", PAGE)))
_WORD = re.compile(r"^- \*\*([^*]+)\*\*", re.MULTILINE)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_words_stand_once_and_in_order(chapter: str) -> None:
    words = _WORD.findall(chapter)
    assert words == sorted(set(words))


def test_no_word_carries_an_idea_of_the_engine_and_one_of_the_business() -> None:
    words = _WORD.findall(PAGE)
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize(("name", "path"), HOMES)
def test_a_word_is_at_home_where_it_says(name: str, path: str) -> None:
    home = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^\s*(class|def) {name}\b|^\s*{name}\b.*=", home, re.MULTILINE), f"{path}: no {name}"


def test_every_home_is_looked_at() -> None:
    """A home that is written in another way would be looked for nowhere."""
    assert len(re.findall(r"`[\w/]+\.py`", PAGE)) == len(re.findall(r"\(`(\w+)`,\s+`([\w/]+\.py)`\)", PAGE))
