"""ゆうちょ銀行: an account has a 記号 and a 番号, where others have a branch and a number.

Both stand in the passbook. A 記号 of 通常貯金 has five digits and begins with 1; its second and third digit with an 8
behind them are the 店番 for transfers from other banks. A 番号 has up to eight digits, the last of them a 1.
Other banks write the same account with 店番 and 口座番号, which the bank does not take for its own form.
"""

from __future__ import annotations

import re

from engine.definition import Refusal
from engine.text import _
from plugins.direct_debit.branches import all_branches
from plugins.direct_debit.institutions import POST, by_code
from plugins.direct_debit.spelling import comparable

_SYMBOL = re.compile(r"(1[0-9]{4})(?:-?[0-9])?")  # some cards have a digit between the two, which nobody asks for


def symbol(text: str) -> str | Refusal:
    """記号 of five digits."""
    digits = comparable(text)
    if not digits:
        return Refusal("symbol_missing", _("記号をご入力ください。"), "symbol")
    whole = _SYMBOL.fullmatch(digits)
    if whole is not None and _is_kept(whole[1]):
        return whole[1]
    if re.fullmatch("[0-9]{3}", digits):
        message = _("店番ではなく、通帳の記号（1で始まる5桁の数字）をご入力ください。")
        return Refusal("symbol_is_branch", message, "symbol")
    if re.fullmatch("0[0-9]{4}.*", digits):
        message = _("振替口座（記号が0で始まる口座）からは引き落とせません。通常貯金の記号をご入力ください。")
        return Refusal("symbol_of_transfer_account", message, "symbol")
    return Refusal("symbol_invalid", _("記号は、通帳に記載の1で始まる5桁の数字でご入力ください。"), "symbol")


def _is_kept(digits: str) -> bool:
    """Whether there is a 店番 of this 記号."""
    bank = by_code(POST)
    return bank is not None and any(branch.code == f"{digits[1:3]}8" for branch in all_branches(bank))


def number(text: str) -> str | Refusal:
    """番号 with its eight digits; a shorter one gets zeros in front, as passbooks leave them out."""
    digits = comparable(text).replace("-", "")
    if not digits:
        return Refusal("number_missing", _("番号をご入力ください。"), "yucho_number")
    if not re.fullmatch("[0-9]{2,8}", digits) or not digits[:-1].strip("0"):
        return Refusal("number_invalid", _("番号は、通帳に記載の8桁以内の数字でご入力ください。"), "yucho_number")
    if digits[-1] != "1":
        message = _("番号の末尾は1です。口座番号ではなく、通帳に記載の番号をご入力ください。")
        return Refusal("number_is_other", message, "yucho_number")
    return digits.zfill(8)
