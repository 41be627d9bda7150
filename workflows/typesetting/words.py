"""Texts as documents set them: in which font each letter stands, where a line may end, and what is left out.

typst breaks lines as UAX #14 has it for Japanese: no opening bracket ends a line, and no closing one, comma, full stop,
small kana or ー begins one (JIS X 4051). What it does not do is added here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from workflows.typesetting.fonts import Fonts, Letter

# What common.typ sets: ("text", number of the font, text), ("blank",), ("break",) or ("glue",).
Piece = tuple[str | int, ...]

_LONGEST_WORD = 20.0  # em, less than the narrowest column has: a longer word may be broken wherever it must
_SMALL = frozenset("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ")
_DASH = "～"  # FULLWIDTH TILDE, which Windows types for 〜: UAX #14 takes the one for a letter, the other for a dash


def pieces(text: str, fonts: Fonts) -> list[Piece]:
    """`text` in pieces; a letter that no font has is a blank of its width."""
    return list(_joined(_marked(fonts.letters(text))))


def _joined(marked: Sequence[Letter | str]) -> Iterator[Piece]:
    """Letters of one font as one piece."""
    run, of = "", -1
    for one in marked:
        font = one.font if isinstance(one, Letter) else None
        if run and font != of:
            yield "text", of, run
            run = ""
        if isinstance(one, str):
            yield (one,)
        elif font is None:
            yield ("blank",)
        else:
            run, of = run + one.text, font
    if run:
        yield "text", of, run


def _marked(letters: Sequence[Letter]) -> list[Letter | str]:
    """The letters, with a mark between two where a line may end for want of a better place, or must not."""
    marked: list[Letter | str] = []
    for word in _words(letters):
        places = _places(word)
        for index, letter in enumerate(word):
            if index in places:
                marked.append("break")
            elif letter.text == _DASH:
                marked.append("glue")
            marked.append(letter)
    return marked


def _words(letters: Sequence[Letter]) -> Iterator[Sequence[Letter]]:
    """The letters in parts between which a line may end by the rules; there may be more such places."""
    start = 0
    for index in range(1, len(letters)):
        before, letter = letters[index - 1].text, letters[index].text
        if before == " " or (_may_begin(letter) and not _opens(before)):
            yield letters[start:index]
            start = index
    yield letters[start:]


def _places(word: Sequence[Letter]) -> frozenset[int]:
    """Before which letters of a word that is too long a line may begin: those between two letters or digits where
    that is enough, else all."""
    if sum(letter.width for letter in word) <= _LONGEST_WORD:
        return frozenset()
    between = [
        index for index in range(1, len(word)) if _is_plain(word[index - 1].text) and _is_plain(word[index].text)
    ]
    ends = [0, *between, len(word)]
    widest = max(sum(letter.width for letter in word[a:b]) for a, b in pairwise(ends))
    return frozenset(between if widest <= _LONGEST_WORD else range(1, len(word)))


def _may_begin(letter: str) -> bool:
    """Whether a line may begin with `letter`, whatever stands before it but an opening bracket."""
    return _is_plain(letter) and unicodedata.east_asian_width(letter[0]) in "WF"


def _is_plain(letter: str) -> bool:
    """Whether it is a letter or a digit that stands anywhere in a line."""
    return unicodedata.category(letter[0]) in ("Lo", "Lu", "Ll", "Nd", "Nl") and letter[0] not in _SMALL


def _opens(letter: str) -> bool:
    return unicodedata.category(letter[0]) in ("Ps", "Pi") or letter in ("〝", "\u00a0", "\u2060")
