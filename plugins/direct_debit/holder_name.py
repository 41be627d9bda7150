"""An account holder's name in the letters that banks exchange (全銀協規定フォーマット).

The format knows the katakana from ア to ン without ヲ and without small letters, voicing marks as characters of their
own, capitals, digits and `( ) - . / 「 」`. What is another way to write one of these is converted, as banks do it when
they open an account. Every other letter is refused by its name, because a debit under a name that is not the bank's
fails: so ヷ (ヴア or バ?), iteration marks (with the voice of the letter that they repeat, or without?) and a comma,
which is no full stop.
"""

from __future__ import annotations

import re
import unicodedata
from string import ascii_lowercase, ascii_uppercase

import jaconv

from engine.definition import Refusal
from engine.text import _
from workflows.business.typed import normalise

LONGEST_HOLDER = 30  # characters of the record's field, voicing marks counted by themselves
_LONGEST_INPUT = 200
_LISTED = 8

# Marks that stand by themselves belong to the letter before them; NFKC would put a blank between both.
_VOICED = str.maketrans("゛゜", "\u3099\u309a")
_LARGE = str.maketrans(
    "ァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿヰヱヲ",
    "アイウエオツヤユヨワカケクシストヌハヒフヘホムラリルレロイエオ",
)
_CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)  # and not those of other scripts: ß would become SS
_LONG = re.compile("[-‐‑‒–—―−ー─━]")  # what is typed for the sign of a long vowel, which is a hyphen there
_STOP = re.compile("[・。]")  # stands as a full stop
_LETTER = re.compile("[ｱ-ﾝA-Z]")
_KNOWN = re.compile(r"[ｱ-ﾝﾞﾟA-Z0-9().\-/｢｣ ]")


def holder(text: str) -> str | Refusal:
    """The holder's name in the letters of the banks' format, half-width; or which letters that format lacks."""
    name = normalise(text[:_LONGEST_INPUT].translate(_VOICED))
    # A small letter with a mark (ㇷ゚) is one letter only when it is large. What is refused keeps the look it had.
    name = unicodedata.normalize("NFC", jaconv.hira2kata(name, ignore="ゝゞ").translate(_LARGE)).translate(_CAPITALS)
    name = _STOP.sub(".", _LONG.sub("-", re.sub(r"\s+", " ", name)))
    if not name:
        return Refusal("holder_missing", _("口座名義をカタカナでご入力ください。"), "holder")
    letters = {letter: str(jaconv.z2h(letter, kana=True, digit=True, ascii=True)) for letter in name}
    unknown = [letter for letter, half in letters.items() if not all(map(_KNOWN.fullmatch, half))]
    if unknown:
        listed = "".join(f"「{_name(letter)}」" for letter in unknown[:_LISTED])
        message = _(
            "%(letters)sは口座名義に使えません。カタカナ・英字・数字・（ ）．－／で、通帳のとおりにご入力ください。",
            letters=listed + ("…" if unknown[_LISTED:] else ""),
        )
        return Refusal("holder_invalid", message, "holder")
    written = "".join(letters[letter] for letter in name)
    if not _LETTER.search(written):
        return Refusal("holder_invalid", _("口座名義をカタカナでご入力ください。"), "holder")
    if len(written) > LONGEST_HOLDER:
        message = _("口座名義は%(most)s文字以内（濁点も1文字）でご入力ください。", most=LONGEST_HOLDER)
        return Refusal("holder_long", message, "holder")
    return written


def _name(letter: str) -> str:
    """A letter as a message can show it."""
    shown = {"\u3099": "゛", "\u309a": "゜"}.get(letter, letter)
    return shown if shown.isprintable() and not unicodedata.combining(shown) else f"U+{ord(letter):04X}"
