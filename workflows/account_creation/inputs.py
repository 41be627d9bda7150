"""What an application is made of, once it was typed, normalised and found valid."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class ApplicationInput:
    """アカウント情報設定 (G17–G19). The password is here only as its Argon2id hash; `language` is "ja" or "en"."""

    customer_id: int
    user_name: str
    email: str
    password_hash: Secret
    language: str = "ja"
