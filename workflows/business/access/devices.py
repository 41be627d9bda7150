"""Device cookies: a browser in which somebody has logged in before keeps an allowance of guesses of its own.

Without them the bucket of an identity, which bounds a botnet, would let any stranger lock its owner out (OWASP, "Slow
Down Online Guessing Attacks with Device Cookies"). A cookie opens nothing; it names whose it is, when it was issued
and a number of its own, and is signed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine.keyring import Keyring

DEVICE_LIFE = timedelta(days=180)
_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that belongs to `owner`. `nonce` names its bucket."""

    owner: int
    nonce: str


class Devices:
    """Issues device cookies, signed with the newest secret, and reads those of each. `purpose` keeps those of customers
    and of staff apart."""

    def __init__(self, secret: bytes | Sequence[bytes] | Keyring, purpose: str) -> None:
        self._secrets = Keyring.of(secret).secrets
        self._purpose = purpose

    def issue(self, owner: int, now: datetime, nonce: str | None = None) -> str:
        """A cookie's value, good for 180 days. `nonce` keeps the bucket of a cookie that is renewed."""
        body = f"{owner}.{int(now.timestamp())}.{nonce or secrets.token_urlsafe(_NONCE_BYTES)}"
        return f"{body}.{self._sign(self._secrets[0], body)}"

    def known(self, cookie: str | None, now: datetime) -> Device | None:
        """What a cookie says; None where it is none of ours, or too old."""
        body, _dot, signature = (cookie or "").rpartition(".")
        shown = signature.encode("utf-8", "surrogatepass")
        if not any(hmac.compare_digest(shown, self._sign(secret, body).encode()) for secret in self._secrets):
            return None
        owner, issued, nonce = body.split(".")  # ours, as its signature is
        if now - datetime.fromtimestamp(int(issued), UTC) >= DEVICE_LIFE:
            return None
        return Device(int(owner), nonce)

    def _sign(self, secret: bytes, body: str) -> str:
        text = f"{self._purpose}\0{body}".encode("utf-8", "surrogatepass")
        return hmac.new(secret, text, hashlib.sha256).hexdigest()
