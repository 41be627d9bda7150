"""What an invitation is made of, once it was typed, normalised and found valid."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class InvitationInput:
    """アカウント追加 (G37): whom to invite, and as what. `language` is the invited's, as far as one can know it."""

    user_name: str
    email: str
    role: str
    language: str = "ja"


@dataclass(frozen=True, slots=True)
class ShownInput:
    """What the administrator's page showed: which of the mailed links, counted from 0, was the current one.

    ［メール再送信］ corrects the address where `email` is another one than the invitation's.
    """

    generation: int
    email: str = ""


@dataclass(frozen=True, slots=True)
class ActivationInput:
    """パスワード設定 (G19, G38). The password is here only as its Argon2id hash.

    `terms_version` names the terms of use that were accepted with it (G10).
    """

    password_hash: Secret
    language: str = "ja"
    terms_version: str = ""
