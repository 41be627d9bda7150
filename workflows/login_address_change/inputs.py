"""What a change of the log-in address is made of."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class LoginAddressInput:
    """The new address, and the hash that the present password was found to fit; empty where it fits none."""

    email: str
    verified: Secret
