"""Numbers and holders of accounts as people type them, made what banks read (全銀協規定フォーマット).

For the letters of a holder's name see `holder_name`. Banks are found in `institutions`, branches in `branches`, and
what ゆうちょ銀行 has instead in `yucho`.
"""

from __future__ import annotations

import re

import jaconv

from engine.definition import Refusal
from engine.text import _
from workflows.business.typed import normalise

_LONGEST_INPUT = 200
_DASHES = re.compile("[-‐‑–—―−ーｰ－]")  # whatever a keyboard types for ー


def account_number(text: str) -> str | Refusal:
    """The number with its seven digits; a shorter one gets zeros in front, as passbooks leave them out."""
    digits = _DASHES.sub("-", normalise(text[:_LONGEST_INPUT]))
    if not digits:
        return Refusal("number_missing", _("口座番号をご入力ください。"), "number")
    if re.fullmatch(r"[0-9]+(?:[ -][0-9]+)*", digits):
        digits = re.sub("[ -]", "", digits)
    if not re.fullmatch(r"[0-9]{1,7}", digits) or not digits.strip("0"):
        return Refusal("number_invalid", _("口座番号は7桁以内の数字でご入力ください。"), "number")
    return digits.zfill(7)


def full_width(text: str) -> str:
    """A holder's name as people read it."""
    return str(jaconv.h2z(text, kana=True, digit=True, ascii=True))


def masked(number: str) -> str:
    """The number with all but its last three digits hidden."""
    return "*" * (len(number) - 3) + number[-3:]
