"""The input of E-mail変更."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContractorEmailInput:
    """The contractor's new mail address, normalised."""

    email: str
