"""Tokens that open something: 256 bits from the system, kept in the database as their SHA-256 (I11).

Which needs no salt or stretching at that length.
"""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32


def new_token() -> str:
    """A token that nobody has had before, in the letters of addresses and cookies."""
    return secrets.token_urlsafe(_BYTES)


def digest(token: str) -> str:
    """What the database keeps of `token`: 64 hexadecimal digits. Takes whatever a browser sends."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
