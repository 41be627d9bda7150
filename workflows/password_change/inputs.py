"""The input of a change of password. The passwords are here only as their Argon2id hashes."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class PasswordChangeInput:
    """パスワード変更. `verified` is the hash that the present password was verified against; empty where it fits none.

    `session` is the token of the session that stays, and `renewed` the one under which it stays. `mark` is equal for
    the same passwords in the same form, and is stored nowhere: so a form that is sent twice is one request (I10).
    """

    verified: Secret
    password_hash: Secret
    session: Secret
    renewed: Secret
    mark: str = field(default="", repr=False)
