"""The inputs of the events of a payment."""

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


@dataclass(frozen=True, slots=True)
class Refunding:
    """A refund. Its reason is mailed to the customer; `checked` says that whoever decides has seen how much it is."""

    reason: str
    checked: bool = False
