"""Mailed links: derived when they are needed, never stored (I11).

A link's text is the instance's number in base 36 followed by 25 characters of base-36 HMAC-SHA256 over purpose,
instance and generation: 129 bits, lower-case letters and digits only, so that no mail program can break it at a sign
and the last character is what the manual says it is (G24). Who raises the generation kills the link before.
"""

from __future__ import annotations

import hmac

from engine.definition import HOLDER

TOKEN_LENGTH = 25
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_RANGE = 36**TOKEN_LENGTH
_CHUNK = 36**10  # what a machine word holds: dividing longer numbers takes several times as long


def base36(number: int) -> str:
    """A number from 0 up in base 36, lower case."""
    pairs = []
    while number:
        number, chunk = divmod(number, _CHUNK)
        for _ in range(5):
            chunk, pair = divmod(chunk, 1296)
            pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs).lstrip("0") or "0"


def token(key: bytes, purpose: str, instance: int, generation: int) -> str:
    """The secret part of a link."""
    mac = hmac.digest(key, f"{purpose}\n{instance}\n{generation}".encode(), "sha256")
    return base36(int.from_bytes(mac, "big") % _RANGE).rjust(TOKEN_LENGTH, "0")


def link(key: bytes, purpose: str, instance: int, generation: int) -> str:
    """A link's text, to be put behind its path."""
    return base36(instance) + token(key, purpose, instance, generation)


def purpose_of(workflow: str, role: str) -> str:
    """What a link is for: a workflow's holder, or one of the other roles to whom it mails links of their own."""
    return workflow if role == HOLDER else f"{workflow}/{role}"


def instance_of(text: str) -> int | None:
    """The instance that a link's text speaks of, genuine or not; None where it cannot be a link."""
    number = text[:-TOKEN_LENGTH]
    if not 1 <= len(number) <= 13 or any(character not in _DIGITS for character in text):
        return None
    found = int(number, 36)
    return found if 0 < found < 2**63 and base36(found) == number else None


def is_genuine(text: str, key: bytes, purpose: str, instance: int, generation: int) -> bool:
    """Whether it is this instance's current link; takes the same time for every wrong one."""
    return hmac.compare_digest(text.encode("utf-8", "surrogatepass"), link(key, purpose, instance, generation).encode())
