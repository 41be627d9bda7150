"""The second factor: codes of an authenticator (TOTP, RFC 6238), and the secrets that they are made of."""

from __future__ import annotations

import hmac
import logging
import unicodedata
from datetime import datetime

import pyotp

from engine.definition import Secret
from workflows.business.access.vault import Unreadable, Vault

log = logging.getLogger("tetsuzuki.staff")

TOTP_PURPOSE = "staff totp"
TOTP_PERIOD = 30  # seconds: what every authenticator app assumes
_TOTP_DIGITS = 6


class Authenticators:
    """Seals and opens the secrets of authenticators, and reads their codes. Safe to use from several threads."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def new_secret(self) -> str:
        """A secret that nobody has had before, sealed."""
        return self.seal(pyotp.random_base32())

    def seal(self, secret: str) -> str:
        """A secret as the database keeps it."""
        return self._vault.seal(secret, TOTP_PURPOSE)

    def readable(self, sealed: str) -> Secret | None:
        """A secret, opened. None where SECRET_KEY was changed: its owner must be set up anew, and the log says so."""
        try:
            return self._vault.open(sealed, TOTP_PURPOSE)
        except Unreadable:
            log.error("a TOTP secret cannot be read: SECRET_KEY was changed; use tetsuzuki staff reset")
            return None

    def step(self, sealed: str, code_text: str, now: datetime) -> int | None:
        """The step that a code is of; of a secret that nobody has, where `sealed` is empty."""
        secret = self.readable(sealed) if sealed else None
        step = step_of(secret or pyotp.random_base32(), code_text, now)
        return step if secret is not None else None


def step_of(secret: str, code_text: str, now: datetime) -> int | None:
    """The 30 seconds that a code is of: these, those before or those after; None where it is of none of them."""
    code = "".join(unicodedata.normalize("NFKC", code_text[:64]).split())
    if len(code) != _TOTP_DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    totp = pyotp.TOTP(secret)
    current = int(now.timestamp()) // TOTP_PERIOD
    steps = (current, current - 1, current + 1)
    right = [step for step in steps if hmac.compare_digest(totp.generate_otp(step), code)]
    return right[0] if right else None
