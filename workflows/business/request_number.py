"""受付番号: the number of a request as people read it, type it and dictate it.

    request_number(123)                 == "R-2457-4212-5"
    read_request_number("ｒ２４５７４２１２５") == 123

The number is computed from the instance's id and stored nowhere: a bijection of the ids, whose last digit is a check
digit. It needs no key, because a number on paper must be readable after every key is lost. So it hides from a customer
how many requests there are, and hides nothing from somebody who reads this file: it is no secret and grants nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

from engine.definition import Refusal
from engine.store.base import LARGEST
from engine.text import _
from workflows.business.typed.text import dashed, refusal

MISTYPED = "request_number_mistyped"  # the code of the refusal of a number with a wrong digit

_WIDTHS = (8, 12, 16, 20)  # digits before the check digit: the shortest of them that the id fits in
_TURNS = 4  # of the Feistel network: with four, both halves depend on each digit of both
_WITH_LETTER = re.compile(r"[Rr][- ]?(?P<digits>[0-9][0-9 -]*)")
_WITHOUT = re.compile(r"#?(?P<digits>[0-9][0-9 -]*)")

# The quasigroup of H. M. Damm (Total anti-symmetrische Quasigruppen, Marburg 2004, page 111): the check digit tells
# every wrong digit, and every two neighbours that changed places.
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


@lru_cache(maxsize=4096)
def request_number(instance_id: int) -> str:
    """The 受付番号 of an instance: `R-`, groups of four digits, and the check digit.

    Raises ValueError for what is no id of an instance.
    """
    if not 0 <= instance_id <= LARGEST:
        raise ValueError(f"{instance_id} is no id of an instance")
    width = next(width for width in _WIDTHS if instance_id < 10**width)
    digits = f"{_scrambled(instance_id, width):0{width}}"
    groups = [digits[at : at + 4] for at in range(0, width, 4)]
    return "-".join(("R", *groups, str(_check_digit(digits))))


def read_request_number(text: str) -> int | Refusal:
    """The id of the instance whose number somebody typed, as it is printed or without letter, hyphens and blanks, in
    full width, too.

    A number without letter and hyphens that is no 受付番号 is the id itself: older mails show that. The
    refusal says whether the number is mistyped or something else.
    """
    readable = dashed(text).strip()
    match = _WITH_LETTER.fullmatch(readable) or _WITHOUT.fullmatch(readable)
    digits = re.sub("[ -]", "", match["digits"]) if match else ""
    found = _decoded(digits)
    if found is not None:
        return found
    bare = readable.removeprefix("#")
    if bare.isdecimal() and len(bare) <= len(str(LARGEST)) and int(bare) <= LARGEST:
        return int(bare)
    if len(digits) - 1 in _WIDTHS:
        return Refusal(MISTYPED, _("受付番号に誤りがあります。もう一度お確かめください。"), "request_number")
    return refusal("request_number", "invalid", _("受付番号は「R-」と数字でご入力ください（例：R-2457-4212-5）。"))


def _decoded(digits: str) -> int | None:
    width = len(digits) - 1
    if width not in _WIDTHS or _check_digit(digits) != 0:
        return None
    found = _unscrambled(int(digits[:-1]), width)
    shortest = found >= 10 ** (width - 4) or width == _WIDTHS[0]
    return found if shortest and found <= LARGEST else None


def _check_digit(digits: str) -> int:
    """The check digit of `digits`; 0 where their last one is it and is right."""
    check = 0
    for digit in digits:
        check = _DAMM[check][int(digit)]
    return check


def _scrambled(value: int, width: int) -> int:
    half: int = 10 ** (width // 2)
    left, right = divmod(value, half)
    for turn in range(_TURNS):
        left, right = right, (left + _mixed(right, turn)) % half
    return left * half + right


def _unscrambled(value: int, width: int) -> int:
    half: int = 10 ** (width // 2)
    left, right = divmod(value, half)
    for turn in reversed(range(_TURNS)):
        left, right = (right - _mixed(left, turn)) % half, left
    return left * half + right


def _mixed(value: int, turn: int) -> int:
    """A number in which each bit depends on all bits of `value`: the finalizer of MurmurHash3."""
    mixed = (value + (turn + 1) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ mixed >> 33) * 0xFF51AFD7ED558CCD & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ mixed >> 33) * 0xC4CEB9FE1A85EC53 & 0xFFFFFFFFFFFFFFFF
    return mixed ^ mixed >> 33
