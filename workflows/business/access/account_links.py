"""The link in the mail to the contractor about a new account, by which it is confirmed or stopped.

It names the account and is signed, so that nothing about it is stored: a reader of the database has none (I11), and it
can be mailed again. It is good for 30 days from the account's creation, and says nothing about any other account.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from engine.definition import Attempt, Permission
from engine.keyring import Keyring
from engine.text import _
from workflows.business.permissions import number_of
from workflows.business.records import Account

LINK_LIFE = timedelta(days=30)
CONTRACTOR_KIND = "contractor"
"""The kind of an actor who holds such a link; its id is the account's, its proof is the link's text."""

_PURPOSE = "new account"
_LONGEST_NUMBER = 12  # digits: within what a database takes for a number
_SIGNATURE = 15  # bytes, 120 bits
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class AccountLinks:
    """Signs links with the newest secret, and reads those of each. Without a secret it signs and reads none."""

    def __init__(self, secret: bytes | Sequence[bytes] | Keyring | None = None) -> None:
        self._secrets = Keyring.of(secret).secrets if secret else ()

    def text(self, account: Account) -> str:
        """What the address of the account's link ends in: short enough for one line of a mail (G24). Raises IndexError
        without a secret."""
        return f"{_in_base_36(account.id)}-{_signature(self._secrets[0], account)}"

    def fits(self, text: str, account: Account, now: datetime) -> bool:
        """Whether `text` is that of the account's link, and the link is still good."""
        if now - account.created_at >= LINK_LIFE:
            return False
        _number, _dash, shown = text.partition("-")
        signatures = [_signature(secret, account) for secret in self._secrets]
        signed = any(hmac.compare_digest(shown.encode("utf-8", "replace"), one.encode()) for one in signatures)
        return signed and number_in(text) == account.id


def number_in(text: str) -> int | None:
    """The number of the account that `text` says that it is about; None where it says none."""
    number = text.partition("-")[0]
    return int(number, 36) if number.isascii() and number.isalnum() and len(number) <= _LONGEST_NUMBER else None


def _in_base_36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = f"{_DIGITS[digit]}{digits}"
    return digits


def _holds(attempt: Attempt) -> bool:
    if attempt.actor.kind != CONTRACTOR_KIND:
        return False
    account = attempt.records.get(Account, id=number_of(attempt.instance.about))
    links: AccountLinks = attempt.services.account_links
    return account is not None and links.fits(attempt.actor.proof, account, attempt.now)


CONTRACTOR = Permission("contractor", _("ご契約者に届いたURLを開いた方"), _holds)


def _signature(secret: bytes, account: Account) -> str:
    created = account.created_at.astimezone(UTC).isoformat()
    made = hmac.new(secret, f"{_PURPOSE}\0{account.id}\0{created}".encode(), hashlib.sha256).digest()
    return b32encode(made[:_SIGNATURE]).decode().lower()
