"""Bank accounts as people type them, made what banks read (全銀協規定フォーマット).

Banks and branches come from `zengin-code`, which is the data of the banks' own association. For the letters of a
holder's name see `holder_name`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jaconv

from engine.definition import Refusal
from engine.text import _
from workflows.business.typed import normalise

_LONGEST_INPUT = 200
_SMALL = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_DASHES = re.compile("[-‐‑–—―−ーｰ－]")  # whatever a keyboard types for ー
_BANK_ENDING = re.compile("(銀行|バンク)$")
_BRANCH_ENDING = re.compile("(支店|出張所|営業部|支所|本店|本所)$")
_FIRST_THAT_IS_NO_BANK = "1000"  # 信用金庫 and those after them carry their kind in their names
_POST = "9900"
_LISTED = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A bank or one of its branches."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class _Known:
    place: Place
    names: frozenset[str]


@lru_cache(maxsize=1)
def _banks() -> tuple[_Known, ...]:
    from zengin_code import Bank  # 30,000 branches: read when somebody asks

    return tuple(_known(bank, bank_name(bank.code, bank.name), _BANK_ENDING) for bank in Bank.all.values())


@lru_cache(maxsize=64)
def _branches(bank: str) -> tuple[_Known, ...]:
    from zengin_code import Bank

    branches: Mapping[str, Any] = Bank.all[bank].branches
    return tuple(_known(one, branch_name(bank, one.name), _BRANCH_ENDING) for one in branches.values())


def _known(one: Any, name: str, ending: re.Pattern[str]) -> _Known:
    spellings = {comparable(one.name), comparable(one.kana), comparable(name), ending.sub("", comparable(name))}
    return _Known(Place(one.code, name), frozenset(spellings))


def bank_name(code: str, name: str) -> str:
    """A bank's name as people write it: the data leave 銀行 out."""
    name = normalise(name)
    return name if code >= _FIRST_THAT_IS_NO_BANK and code != _POST else name + "銀行"


def branch_name(bank: str, name: str) -> str:
    """A branch's name as people write it: the data leave 支店 out."""
    name = normalise(name)
    return name if _BRANCH_ENDING.search(name) or bank == _POST else name + "支店"


def comparable(text: str) -> str:
    """A name in one spelling: NFKC, katakana, no small letters, one dash, no blanks, capitals."""
    text = jaconv.hira2kata(normalise(text)).translate(_SMALL).upper()
    return _DASHES.sub("-", re.sub(r"\s+", "", text))


def find_bank(text: str) -> Place | Refusal:
    """The bank of this code (4 digits) or name; a name that several have is refused with their names."""
    return _find(text, _banks(), 4, _BANK_ENDING, "bank")


def find_branch(bank: str, text: str) -> Place | Refusal:
    """The branch of this code (3 digits) or name."""
    return _find(text, _branches(bank), 3, _BRANCH_ENDING, "branch")


def _find(text: str, known: Iterable[_Known], digits: int, ending: re.Pattern[str], field: str) -> Place | Refusal:
    wanted = comparable(text[:_LONGEST_INPUT])
    missing = _("金融機関をご入力ください。") if field == "bank" else _("支店をご入力ください。")
    if not wanted:
        return Refusal(f"{field}_missing", missing, field)
    if re.fullmatch(r"[0-9]+", wanted) and len(wanted) <= digits:
        matches = [one.place for one in known if one.place.code == wanted.zfill(digits)]
    else:
        matches = [one.place for one in known if wanted in one.names]
        bare = ending.sub("", wanted)
        if not matches and bare:
            matches = [one.place for one in known if bare in one.names]
        if not matches and bare:
            matches = [one.place for one in known if any(name.startswith(bare) for name in one.names)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        return Refusal(f"{field}_unknown", _("見つかりません。名称またはコードをご確認ください。"), field)
    listed = "、".join(f"{one.name}（{one.code}）" for one in matches[:_LISTED])
    more = _(
        "候補が複数あります。コードでご入力ください：%(listed)s", listed=listed + ("…" if matches[_LISTED:] else "")
    )
    return Refusal(f"{field}_several", more, field)


def account_number(text: str) -> str | Refusal:
    """The number with its seven digits; a shorter one gets zeros in front, as bank books leave them out."""
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
