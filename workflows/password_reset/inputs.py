"""The input of a password reset."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class PasswordResetInput:
    """The new password, only as its Argon2id hash."""

    password_hash: Secret
