"""The input of a change of the log-in address."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class LoginAddressInput:
    """The new address, and the hash that the typed password was verified against; empty where it fits none."""

    email: str
    verified: Secret
