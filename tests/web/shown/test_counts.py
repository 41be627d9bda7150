"""How many rows a list has and which of them a page shows, worded alike everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.text import reading_in
from web.shown.counts import Count, how_many, which_behind, which_of

WEB = Path(__file__).parents[3] / "web"


@pytest.mark.parametrize(
    ("count", "japanese", "english"),
    [
        (Count(31), "全31件中 26〜31件目", "26–31 of 31"),
        (31, "全31件中 26〜31件目", "26–31 of 31"),
        (Count(10_000, more=True), "10,000件以上のうち 26〜31件目", "26–31 of 10,000 or more"),
        (Count(1_201), "全1,201件中 26〜31件目", "26–31 of 1,201"),
    ],
)
def test_which_rows_a_page_shows(count: Count | int, japanese: str, english: str) -> None:
    for language, said in (("ja", japanese), ("en", english)):
        with reading_in(language):
            assert str(which_of(count, 26, 6)) == said


@pytest.mark.parametrize(
    ("before", "japanese", "english"),
    [
        (Count(25), "1,000件以上のうち 26〜31件目", "26–31 of 1,000 or more"),
        (Count(1_000), "1,000件以上のうち 1,001〜1,006件目", "1,001–1,006 of 1,000 or more"),
        (
            Count(1_000, more=True),
            "1,000件以上のうち 1,000件目より後の6件",
            "6 behind the first 1,000, of 1,000 or more",
        ),
    ],
)
def test_what_stands_behind_more_rows_than_anybody_counts_is_not_numbered(
    before: Count, japanese: str, english: str
) -> None:
    for language, said in (("ja", japanese), ("en", english)):
        with reading_in(language):
            assert str(which_behind(Count(1_000, more=True), before, 6)) == said


def test_how_many_there_are() -> None:
    for count, japanese, english in ((Count(1_201), "1,201件", "1,201"), (Count(3, more=True), "3件以上", "3 or more")):
        for language, said in (("ja", japanese), ("en", english)):
            with reading_in(language):
                assert str(how_many(count)) == said


def test_no_page_words_it_otherwise() -> None:
    sources = [path for path in WEB.rglob("*") if path.suffix in (".html", ".py") and path.name != "counts.py"]
    assert len(sources) > 100
    assert [path for path in sources if re.search(r"件目|件中|_\(\"全%", path.read_text())] == []
