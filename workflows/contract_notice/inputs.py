"""What an account is told of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContractNoticeInput:
    """The number of the act (`StaffAct`) of which the account is told."""

    act: int
