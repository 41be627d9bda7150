"""The inputs of an invitation, after they were typed, normalised and found valid."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class InvitationInput:
    """アカウント追加 (G37): the name, address and role of the invited person, and the language that they read."""

    user_name: str
    email: str
    role: str
    language: str = "ja"


@dataclass(frozen=True, slots=True)
class ShownInput:
    """The generation of the mailed link, counted from 0, that the administrator's page showed as the current one.

    ［メール再送信］ corrects the address where `email` is given and differs from the invitation's.
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
