"""The input of a deletion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemovalInput:
    """`shown` is the mark of the account as the page showed it: see
    `workflows.business.shared.account_administration.mark_of`."""

    shown: str
