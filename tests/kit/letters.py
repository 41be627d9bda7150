"""Which letters there are, and whether a document shows them."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from difflib import SequenceMatcher
from pathlib import Path

from tests.kit.renderers import RENDERERS
from workflows.typesetting.fonts import opened
from workflows.typesetting.manuscript import Manuscript

_TEMPLATE = Path(__file__).with_name("letters.typ")
_JOINED = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ſt", "ﬆ": "st"})
_MOVED = ("o\u0334", "o\u0361")
_LINE, _PAGE, _SIDE = 40, 2400, 10.0
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # of Hangul, and of Braille: signs that are there and not seen


def jis_x_0213() -> list[str]:
    """The 11,233 letters of JIS X 0213, of which 25 are two signs; a mark stands with a base."""
    leads = [*range(0x81, 0xA0), *range(0xE0, 0xFD)]
    found = []
    for code in (bytes((lead, trail)) for lead in leads for trail in range(0x40, 0xFD)):
        with suppress(UnicodeDecodeError):
            letter = code.decode("shift_jis_2004")
            found.append(f"o{letter}" if unicodedata.combining(letter[0]) else letter)
    return found


def assigned() -> list[str]:
    """Every sign of Unicode that is a letter, a digit, a punctuation mark or a symbol: what forms accept of it."""
    signs = map(chr, range(0x21, sys.maxunicode))
    return [sign for sign in signs if unicodedata.category(sign)[0] in "LNPS" and sign not in _FILLERS]


def variants() -> list[str]:
    """Every ideograph with a selector for which the first font has a form."""
    face = opened().faces[0].shaped.face
    return [chr(base) + chr(sign) for sign in face.variation_selectors for base in face.variation_unicodes(sign)]


def printed(letters: Sequence[str]) -> list[str]:
    """Those that a font has; blanks and signs that nobody sees are not among them."""
    fonts = opened()
    return [
        letter
        for letter in letters
        if not letter.isspace() and (known := fonts.letters(letter)) and all(one.font is not None for one in known)
    ]


def not_shown(letters: Sequence[str]) -> dict[str, list[str]]:
    """By renderer: the pages whose text is read otherwise than it was set, and the letters without ink."""
    pages = [letters[start : start + _PAGE] for start in range(0, len(letters), _PAGE)]
    pdf = Manuscript(_TEMPLATE, {"pages": pages}, title="letters", author="tests").pdf()
    wrong: dict[str, list[str]] = {}
    for name, pages_of in RENDERERS.items():
        for page, wanted in zip(pages_of(pdf), pages, strict=True):
            picture = page.picture(2)
            found = wrong.setdefault(name, [])
            if page.bare() != _copied(wanted, name):
                found.append(_difference(_copied(wanted, name), page.bare()))
            for index, letter in enumerate(wanted):
                left, top = index % _LINE * _SIDE, index // _LINE * _SIDE
                if not picture.has_ink(left, top, left + _SIDE, top + _SIDE):
                    found.append(f"{letter!a} has no ink")
    return {name: found for name, found in wrong.items() if found}


def apart(letters: Sequence[str]) -> list[list[str]]:
    """The letters in lists of which each has a glyph once: what PDFium reads of two that share one is another test."""
    lists: list[list[str]] = []
    seen: dict[tuple[int | None, int], int] = {}
    for letter in letters:
        font = opened().letters(letter)[0].font
        assert font is not None
        shaped = opened().faces[font].shaped
        glyph = shaped.get_variation_glyph(*map(ord, letter)) if len(letter) == 2 else None
        key = font, glyph or shaped.get_nominal_glyph(ord(letter[0]))
        turn = seen[key] = seen.get(key, -1) + 1
        if turn == len(lists):
            lists.append([])
        lists[turn].append(letter)
    return lists


def _difference(wanted: str, read: str) -> str:
    parts = SequenceMatcher(None, wanted, read, autojunk=False).get_opcodes()
    told = (f"{wanted[a:b]!a} as {read[c:d]!a}" for tag, a, b, c, d in parts if tag != "equal")
    return f"read: {', '.join(told)}"


def _copied(letters: Sequence[str], renderer: str) -> str:
    """The text that is read. PDFium copies ﬁ and its like as the letters that they join; a mark that the font moves up
    or down has its letter's text once more."""
    text = "".join(letter * 2 if letter in _MOVED else letter for letter in letters)
    return text.translate(_JOINED) if renderer == "PDFium" else text
