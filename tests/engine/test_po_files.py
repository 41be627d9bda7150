"""Catalogues of translations: what is read without Babel is what Babel reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import PoFileError, read_po

from engine.po_files import translations_in

_HOUSE = Path(__file__).parents[2]
_HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'


def catalogues() -> Iterator[Path]:
    """Every catalogue of the product."""
    for package in ("engine", "workflows", "plugins", "web"):
        yield from sorted((_HOUSE / package).rglob("*.po"))


def of_babel(path: Path) -> list[tuple[str, str]]:
    with path.open("rb") as file:
        entries = read_po(file, locale="en", abort_invalid=True)
    return [(str(one.id), str(one.string)) for one in entries if one.id and one.string and not one.fuzzy]


@pytest.fixture
def without_babel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "babel.messages.pofile", None)


def test_every_catalogue_of_the_product_is_read_without_babel_as_babel_reads_it(
    without_babel: None,
) -> None:
    there = list(catalogues())
    assert len(there) > 40
    for path in there:
        assert translations_in(path, "en") == of_babel(path)


@pytest.mark.parametrize(
    "entries",
    [
        'msgid "a"\nmsgstr "one\\ttwo\\n\\"three\\" \\\\ four"\n',
        'msgid ""\n"a "\n"b"\nmsgstr ""\n"one "\n"two"\n',
        '# a word on what follows\n\n#: file.py:3\nmsgid "a"\nmsgstr "one"\n',
        '#, fuzzy\nmsgid "a"\nmsgstr "one"\n\nmsgid "b"\nmsgstr "two"',
        '#, fuzzy\n\nmsgid "a"\nmsgstr "one"\n',
        'msgid "a"\nmsgstr "first"\n\nmsgid "a"\nmsgstr "second"\n',
        'msgid "a"\nmsgstr ""\n',
        'msgctxt "menu"\nmsgid "a"\nmsgstr "one"\n',
        '#~ msgid "gone"\n#~ msgstr "one"\n\nmsgid "a"\nmsgstr "two"\n',
        'msgid "a"\r\nmsgstr "one"\r\n',
        'msgid "a"\nmsgstr "\\r one"\n',
    ],
)
def test_any_catalogue_means_what_it_means_to_babel(tmp_path: Path, entries: str) -> None:
    path = tmp_path / "en.po"
    path.write_bytes((_HEAD + entries).encode())
    assert translations_in(path, "en") == of_babel(path)


def test_a_catalogue_in_another_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "en.po"
    path.write_bytes((_HEAD.replace("utf-8", "latin-1") + 'msgid "a"\nmsgstr "é"\n').encode("latin-1"))
    assert translations_in(path, "en") == [("a", "é")]


def test_what_is_no_catalogue_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "en.po"
    path.write_text("this is no catalogue\n")
    with pytest.raises(PoFileError):
        translations_in(path, "en")
