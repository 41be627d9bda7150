"""Catalogues of translations (`.po`), read without Babel where they are plain.

A plain file has entries of one msgid and one msgstr, with comments, and blank lines between them; it is read by one
regular expression, in a fraction of the time that importing Babel takes. Babel reads every other file, and says what is
wrong with one.
"""

from __future__ import annotations

import re
from pathlib import Path

_QUOTED = r'"(?:[^"\\\n]|\\[nt"\\])*"'
_STRING = rf"({_QUOTED}(?:\n{_QUOTED})*)(?:\n|\Z)"
_ENTRY = re.compile(rf"\s*((?:#(?!~).*(?:\n|\Z))*)(?:msgid {_STRING}msgstr {_STRING})?")
_UTF8 = "charset=utf-8"
_ESCAPED = re.compile(r"\\(.)")
_MEANT = {"n": "\n", "t": "\t"}


def translations_in(path: Path, language: str) -> list[tuple[str, str]]:
    """Each msgid of a catalogue with its translation; fuzzy and empty ones are left out. Raises what Babel raises for a
    file that is none, and OSError."""
    content = path.read_bytes()
    plain = _plain(content)
    return plain if plain is not None else _of_babel(path, language)


def _plain(content: bytes) -> list[tuple[str, str]] | None:
    """The translations of a plain file; None where it is not plain."""
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    found: dict[str, str] = {}  # of a msgid that comes twice the first one, as in Babel
    at = 0
    while (entry := _ENTRY.match(text, at)) is not None and entry.end() > at:
        at = entry.end()
        comments, msgid, said = entry.groups()
        if msgid is None and "#," in comments:  # of the entry behind the blank line
            return None
        if msgid is not None and "fuzzy" not in comments:
            found.setdefault(_meant(msgid), _meant(said))
    if at < len(text) or _UTF8 not in found.get("", "").lower():
        return None
    return [(msgid, said) for msgid, said in found.items() if msgid and said]


def _meant(quoted: str) -> str:
    joined = "".join(line[1:-1] for line in quoted.split("\n"))
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), joined) if "\\" in joined else joined


def _of_babel(path: Path, language: str) -> list[tuple[str, str]]:
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        entries = read_po(file, locale=language, abort_invalid=True)
    return [(str(one.id), str(one.string)) for one in entries if one.id and one.string and not one.fuzzy]
