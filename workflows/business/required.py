"""What a write needs in order to write.

A write does not rely on a guard having run: a definition may leave the guard out, or ask another one before it. A value
that a guard and a write both need is read by one function, which reads it or remembers it in `attempt.memo`. Where the
value is missing, the write refuses as the guard does, and the transaction is rolled back.
"""

from __future__ import annotations

from typing import TypeVar

from engine.definition import Refusal
from engine.errors import Refused

_T = TypeVar("_T")


def required(value: _T | None, refusal: Refusal) -> _T:
    """`value`. Raises Refused with `refusal` where it is None."""
    if value is None:
        raise Refused([refusal])
    return value
