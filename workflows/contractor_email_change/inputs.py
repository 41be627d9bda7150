"""What E-mail変更 is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContractorEmailInput:
    """The new address."""

    email: str
