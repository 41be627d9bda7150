"""What an application is made of, once it was typed, normalised and found valid."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class ApplicationInput:
    """アカウント情報設定 (G17–G19). The password is here only as its Argon2id hash; `language` is "ja" or "en".
    `terms_version` names the terms of use that were accepted with it (G10).

    `password_mark` is the same for the same password of the same form and kept nowhere: a form that is sent twice is
    one request, and one whose password was changed in between is not (I10), though each hash has a salt of its own.
    """

    customer_id: int
    user_name: str
    email: str
    password_hash: Secret
    language: str = "ja"
    terms_version: str = ""
    password_mark: str = field(default="", repr=False)
