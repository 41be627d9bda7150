"""Keeps what must be readable again but never lie in the clear: account numbers, TOTP secrets (I11).

AES-256-GCM (NIST SP 800-38D) under a key that is derived from the site's secret. What is sealed for one purpose cannot
be opened for another.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from engine.definition import Secret
from engine.errors import EngineError
from engine.keyring import Keyring

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12  # bytes, as GCM wants it


class Unreadable(EngineError):
    """What was kept encrypted cannot be read: SECRET_KEY is not the one it was sealed with."""


class Vault:
    """Seals texts and opens them again. `secret` is the site's SECRET_KEY, or several with the newest first: the newest
    seals, each of them opens."""

    def __init__(self, secret: bytes | Sequence[bytes] | Keyring) -> None:
        self._keys = Keyring.of(secret).derived("tetsuzuki vault")

    @cached_property
    def _aeads(self) -> tuple[AESGCM, ...]:
        # OpenSSL comes with the first text that is sealed or opened.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return tuple(map(AESGCM, self._keys))

    def seal(self, text: str, purpose: str) -> str:
        """`text` as ASCII that nobody can read, a new one each time."""
        nonce = os.urandom(_NONCE)
        return urlsafe_b64encode(nonce + self._aeads[0].encrypt(nonce, text.encode(), purpose.encode())).decode()

    def open(self, sealed: str, purpose: str) -> Secret:
        """The text again. Raises Unreadable where it was changed, or sealed with another secret or purpose."""
        for aead in self._aeads:
            text = _opened(aead, sealed, purpose)
            if text is not None:
                return text
        raise Unreadable

    def opens(self, sealed: str, purpose: str) -> bool:
        """Whether any of the secrets opens it."""
        try:
            self.open(sealed, purpose)
        except Unreadable:
            return False
        return True

    def is_newest(self, sealed: str, purpose: str) -> bool:
        """Whether it was sealed with the newest secret."""
        return _opened(self._aeads[0], sealed, purpose) is not None


def _opened(aead: AESGCM, sealed: str, purpose: str) -> Secret | None:
    """The text; None where this does not open it."""
    from cryptography.exceptions import InvalidTag

    try:
        raw = urlsafe_b64decode(sealed)
        return Secret(aead.decrypt(raw[:_NONCE], raw[_NONCE:], purpose.encode()).decode())
    except (InvalidTag, ValueError):
        return None
