"""What an invitation to open an account is made of."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class OpeningInput:
    """Which place in a wave is taken up: the number of its `Opening`."""

    opening: int


@dataclass(frozen=True, slots=True)
class FirstAccountInput:
    """パスワード設定 (G19). The password is here only as its Argon2id hash.

    `terms_version` names the terms of use that were accepted with it (G10).
    """

    password_hash: Secret
    language: str = "ja"
    terms_version: str = ""
