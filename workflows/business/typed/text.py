"""Letters: what a machine reads becomes NFKC, and names keep the letters that their owner chose."""

from __future__ import annotations

import re
import unicodedata

from engine.definition import Refusal
from engine.text import Text, _

_LONGEST_INPUT = 2000  # code points: nobody types more, and NFKC makes some letters eighteen times as long
_DASHES = frozenset("−ー─━⁃˗")  # what is typed for a hyphen and is no dash to Unicode; the others are of category Pd
_ICHI = re.compile("(?<=[0-9])一(?=[0-9])")  # the ideograph of one, which a keyboard converts a dash to

# Compatibility ideographs (神 U+FA19, 福 U+FA1B) are how some people write their names; NFC would replace them.
_KEPT = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f]+)")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"


def normalise(text: str) -> str:
    """`text` in NFKC without invisible format characters, blanks (full-width ones too) stripped.

    Idempotent. Format characters (BOM, zero-width space, direction marks) come along with what is copied from mails
    and spreadsheets, and nobody could see why the text with them is wrong. Not for passwords, whose letters this
    changes: see `business.access.opaque_string`.
    """
    if text.isascii():  # is NFKC, and has no format characters: most of what machines read
        return text.strip()
    while True:
        # What is taken out may part two letters that NFKC joins, and the other way round: until nothing changes.
        result = unicodedata.normalize("NFKC", "".join(c for c in text if unicodedata.category(c) != "Cf")).strip()
        if result == text:
            return result
        text = result


def single_line(text: str, field: str, most: int) -> str | Refusal:
    """A name or an address line of at most `most` code points, NFC and stripped; may be empty.

    Full-width letters stay, and so do compatibility ideographs, which NFC would replace by the common form of the
    letter. Control characters, line ends and direction marks are refused: they would forge lines of mails and logs.
    """
    if text.isascii() and text.isprintable():
        line = text.strip()
    else:
        parts = _KEPT.split(text[: most + _LONGEST_INPUT])
        parts[::2] = (unicodedata.normalize("NFC", part) for part in parts[::2])
        line = _strip_invisible("".join(parts))
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _BIDI for c in line):
        return refusal(field, "invalid", _("改行や制御文字は使えません。"))
    if len(line) > most:
        return refusal(field, "long", _("%(most)s文字以内でご入力ください。", most=most))
    return line


def _strip_invisible(text: str) -> str:
    """`text` without blanks and zero-width characters at its ends, in whichever order they stand."""
    while (stripped := text.strip().strip(_INVISIBLE)) != text:
        text = stripped
    return text


def dashed(text: str) -> str:
    """`text` normalised, with a plain hyphen for each dash, and for whatever else is typed for one between numbers."""
    readable = machine_readable(text)
    if not readable.isascii():
        readable = "".join("-" if c in _DASHES or unicodedata.category(c) == "Pd" else c for c in readable)
    return _ICHI.sub("-", readable)


def machine_readable(text: str) -> str:
    """`text` normalised; what is longer than anybody types is cut, and its rest could not have been valid either."""
    return normalise(text[:_LONGEST_INPUT])


def refusal(field: str, fault: str, message: Text) -> Refusal:
    """A refusal at `field`, with a code that begins with the field's name."""
    return Refusal(f"{field}_{fault}", message, field)
