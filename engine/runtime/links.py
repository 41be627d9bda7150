"""Mailed links and idempotency keys.

A link is derived when it is needed and never stored (I11). Its text is the instance's number in base 36 followed by 25
characters of base-36 HMAC-SHA256 over purpose, instance, generation and nonce: 129 bits, lower-case letters and digits
only, so that no mail program can break it at a sign and the last character is what the manual says it is (G24). A link
is killed by raising the generation and renewing the nonce.

A nonce is drawn at random and stored. It is no secret: without the key nothing can be derived from it. It makes links
and keys unique for ever. Numbers and generations are not unique: a database that was restored from a backup gives them
again, and a link that was mailed in the time between must open nothing then. An instance has two nonces, of 16 bytes
each: the first stays as long as the instance does, the second is renewed with the link. A row of the outbox has one,
which is part of the Message-ID. Rows from before there were nonces have an empty one, and keep the derivation without.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence

from engine.definition import HOLDER
from engine.store.base import LARGEST

TOKEN_LENGTH = 25
NONCE = 16  # bytes
_NONE = bytes(NONCE)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_RANGE = 36**TOKEN_LENGTH
_FOUR = 36**4


def base36(number: int) -> str:
    """A number from 0 up in base 36, lower case."""
    pairs = []
    while number:
        number, pair = divmod(number, 1296)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs).lstrip("0") or "0"


def _digits(number: int) -> str:
    """A number below 36 to the power of 25 with all its 25 digits.

    Written out, because every mailed link that is opened waits for it: a divisor of one machine word, and no loop.
    """
    number, f = divmod(number, _FOUR)
    number, e = divmod(number, _FOUR)
    number, d = divmod(number, _FOUR)
    number, c = divmod(number, _FOUR)
    number, b = divmod(number, _FOUR)
    first, a = divmod(number, _FOUR)
    pair = _PAIRS
    return (
        f"{_DIGITS[first]}{pair[a // 1296]}{pair[a % 1296]}{pair[b // 1296]}{pair[b % 1296]}{pair[c // 1296]}"
        f"{pair[c % 1296]}{pair[d // 1296]}{pair[d % 1296]}{pair[e // 1296]}{pair[e % 1296]}{pair[f // 1296]}"
        f"{pair[f % 1296]}"
    )


def drawn() -> bytes:
    """A random nonce of 16 bytes."""
    return os.urandom(NONCE)


def renewed(nonces: bytes, drawn: bytes) -> bytes:
    """An instance's nonces with `drawn` as that of its link. Where the instance had none, zeros stand for the first."""
    return (nonces[:NONCE] or _NONE) + drawn


def token(key: bytes, purpose: str, instance_id: int, generation: int, nonce: bytes = b"") -> str:
    """The secret part of a link: 25 characters, 129 bits (I11, G24)."""
    message = (
        f"{purpose}\n{instance_id}\n{generation}\n{nonce.hex()}" if nonce else f"{purpose}\n{instance_id}\n{generation}"
    )
    mac = hmac.digest(key, message.encode(), "sha256")
    return _digits(int.from_bytes(mac, "big") % _RANGE)


def link(key: bytes, purpose: str, instance_id: int, generation: int, nonce: bytes = b"") -> str:
    """The text of a link, which is appended to its path."""
    return base36(instance_id) + token(key, purpose, instance_id, generation, nonce)


def purpose_of(workflow: str, role: str) -> str:
    """The purpose from which a link is derived: the workflow's name for its holder, with the role for any other."""
    return workflow if role == HOLDER else f"{workflow}/{role}"


def instance_of(text: str) -> int | None:
    """The instance number in a link's text, genuine or not; None where the text cannot be a link."""
    number = text[:-TOKEN_LENGTH]
    if not 1 <= len(number) <= 13 or any(character not in _DIGITS for character in text):
        return None
    found = int(number, 36)
    return found if 0 < found <= LARGEST and base36(found) == number else None


def is_genuine(
    text: str, keys: Sequence[bytes], purpose: str, instance_id: int, generation: int, nonce: bytes = b""
) -> bool:
    """Whether `text` is this instance's current link under any of the keys. Each key is compared in constant time."""
    claimed = text.encode("utf-8", "surrogatepass")
    for key in keys:  # a generator takes longer, and each mailed link that is opened waits for it
        if hmac.compare_digest(claimed, link(key, purpose, instance_id, generation, nonce).encode()):
            return True
    return False


def effect_key(key: bytes, instance_id: int, seq: int, position: int, nonce: bytes) -> str:
    """An effect's idempotency key, from its row of the outbox. The instance itself counts as effect (0, 0), with the
    instance's nonces."""
    effect = f"{instance_id}.{seq}.{position}"
    unique = nonce[:NONCE]
    if not unique or unique == _NONE:
        return f"{effect}.{hmac.digest(key, effect.encode(), 'sha256').hex()[:12]}"
    return f"{effect}.{unique.hex()}"
