"""The input of a change of role."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoleInput:
    """The new role. `shown` is the mark of the account as the page showed it: see
    `workflows.business.shared.account_administration.mark_of`."""

    role: str
    shown: str
