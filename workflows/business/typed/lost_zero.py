"""Numbers that have lost the zeros in front of them, because a spreadsheet took them for quantities.

What they were can be told in most cases and not in all: whoever typed them may as well have left another digit out. So
the whole number is a question that the refusal asks, and never an answer.
"""

from __future__ import annotations

import re

from engine.definition import Refusal
from engine.text import _
from workflows.business.typed.text import refusal

LOST_ZERO = "zero"  # what the codes of these refusals end with

_PHONE = re.compile("[1-9][0-9]{8,9}")  # of 10 or 11 digits with its 0; a quantity has no hyphens
_POSTCODE = re.compile("[1-9][0-9]{4,5}")  # of 7 digits, of which one or two in front are zeros


def whole_phone(digits: str) -> str:
    """The telephone number with its 0, where digits may be one without; "" for whatever else."""
    return f"0{digits}" if _PHONE.fullmatch(digits) else ""


def phone_without_zero(whole: str, field: str) -> Refusal:
    """The refusal of a telephone number that may be this one."""
    return refusal(field, LOST_ZERO, _("先頭の0がありません。「%(whole)s」ではありませんか。", whole=whole))


def postcode_without_zero(digits: str, field: str) -> Refusal | None:
    """The refusal of a postcode of five or six digits; None for whatever else."""
    if not _POSTCODE.fullmatch(digits):
        return None
    whole = digits.zfill(7)
    message = _(
        "郵便番号は7桁の数字でご入力ください。先頭の0がない「%(whole)s」ではありませんか。",
        whole=f"{whole[:3]}-{whole[3:]}",
    )
    return refusal(field, LOST_ZERO, message)
