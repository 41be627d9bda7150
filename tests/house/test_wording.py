"""docs/wording.md: one name for one thing in front of customers, and none that it says is never used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from release.source import ROOT

PAGE = (ROOT / "docs" / "wording.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in row.strip("| ").split("|")] for row in re.findall(r"^\|.*\|$", PAGE, re.MULTILINE)[2:]
]
NEVER = [word.strip() for row in ROWS for word in row[2].split(",")]
CATALOGUES = sorted(
    path for layer in ("engine", "workflows", "web", "plugins") for path in (ROOT / layer).rglob("*en.po")
)
MAILS = sorted(path for layer in ("workflows", "plugins") for path in (ROOT / layer).rglob("mail/*.en.*"))
IN_JAPANESE_MAILS = [  # below the Japanese of notices, for others who read the same address
    path
    for path in sorted((ROOT / "plugins").rglob("mail/*.ja.*"))
    if re.search(r'\nEnglish\n|lang="en"', path.read_text(encoding="utf-8"))
]
_STRAIGHT = re.compile(r"(?<!\bdesknet)(?<=[A-Za-z])'(?=[a-z ])")
_WORDS = re.compile("|".join(rf"(?<![\w“-]){re.escape(word)}(?![\w-])" for word in NEVER))


def test_the_table_is_read_and_each_word_has_two_languages() -> None:
    assert len(ROWS) > 20
    assert all(len(row) == 3 and all(row) for row in ROWS)
    assert all(re.search("[ぁ-んァ-ヶ一-龠…]|URL", row[0]) and re.search("[A-Za-z¥]", row[1]) for row in ROWS)


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_no_text_of_a_page_says_what_is_never_said(path: Path) -> None:
    with path.open("rb") as file:
        found = [str(entry.string) for entry in read_po(file, locale="en") if entry.id]
    texts = [re.sub(r"%\(\w+\)\w+", "", text) for text in found]
    assert [text for text in texts if _WORDS.search(text)] == []


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.name)
def test_no_mail_says_what_is_never_said(path: Path) -> None:
    said = re.sub(r"\{[{%].*?[%}]\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert _WORDS.findall(said) == []


def test_the_english_of_a_japanese_mail_is_held_to_the_same_words() -> None:
    assert len(IN_JAPANESE_MAILS) == 2
    for path in IN_JAPANESE_MAILS:
        text = re.split(r'\nEnglish\n|<div lang="en"', path.read_text(encoding="utf-8"))[1]
        said = re.sub(r"\{[{%].*?[%}]\}", "", text, flags=re.DOTALL)
        assert _WORDS.findall(said) == [], path.name
        assert re.search("Our contact details are below|View this notice", said), path.name


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_apostrophes_of_pages_have_one_form(path: Path) -> None:
    with path.open("rb") as file:
        found = [str(entry.string) for entry in read_po(file, locale="en") if entry.id]
    assert [text for text in found if _STRAIGHT.search(text)] == []


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.name)
def test_apostrophes_and_quotation_marks_of_mails_have_one_form(path: Path) -> None:
    said = re.sub(r"\{[{%].*?[%}]\}|<[^>]*>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert _STRAIGHT.findall(said) == []
    assert '"' not in said


FORMS = [
    path
    for layer in ("web", "workflows", "plugins")
    for path in sorted((ROOT / layer).rglob("*"))
    if path.suffix in (".html", ".txt") and {"templates", "mail"} & set(path.parts)
]


def test_no_template_writes_dates_and_amounts_by_itself() -> None:
    """They come as `day`, `time` and `yen` write them."""
    wrong = []
    for path in FORMS:
        text = re.sub(r'(datetime|value|min|max)="\{\{[^}]*\}\}"', "", path.read_text(encoding="utf-8"))
        wrong += [f"{path.name}: {found}" for found in re.findall(r"strftime|isoformat|¥|\}\}円", text)]
    assert len(FORMS) > 300
    assert wrong == []
