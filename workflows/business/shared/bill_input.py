"""The input with which the payment of a bill begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class BillInput:
    """A bill that is due, and the mandate by which it is paid. `total` is in yen with tax."""

    bill: str
    contract: int
    total: int
    due_on: date
    mandate: int
    method: str
