"""The input of a change of an account's own name and language."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from workflows.business.records import Account


@dataclass(frozen=True, slots=True)
class ProfileInput:
    """The new name (G17) and the language of mails. `shown` is the `mark` of what the page showed."""

    user_name: str
    language: str
    shown: str


def mark(account: Account) -> str:
    """A digest of an account's name and language: a form that was shown before another change has another one."""
    return hashlib.sha256(f"{account.language}\0{account.user_name}".encode()).hexdigest()[:16]
