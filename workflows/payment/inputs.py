"""The inputs of the events of a payment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refunding:
    """A refund. Its reason is mailed to the customer; `checked` says that whoever decides has seen how much it is."""

    reason: str
    checked: bool = False
