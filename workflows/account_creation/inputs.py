"""The input of an application, after it was typed, normalised and found valid."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class ApplicationInput:
    """アカウント情報設定 (G17–G19). The password is here only as its Argon2id hash; `language` is "ja" or "en".

    `terms_version` names the terms of use that were accepted with it (G10). `password_mark` is equal for the same
    password in the same form, and is stored nowhere. Each hash has a salt of its own, so the mark decides that a form
    sent twice is one request, and that one with another password is not (I10).
    """

    customer_id: int
    user_name: str
    email: str
    password_hash: Secret
    language: str = "ja"
    terms_version: str = ""
    password_mark: str = field(default="", repr=False)
