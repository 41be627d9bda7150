"""The site's secret keys, and the keys that are derived from them for each purpose.

Several keys may be in use at once: the first seals and signs whatever is new, and each of them verifies. So a key is
rotated without a break: the new one is put first, what the old one sealed is sealed anew (`operations.key_rotation`),
and the old one is removed when nothing depends on it any more.

A secret key itself seals nothing: each purpose has a key of its own, the HMAC-SHA256 of the purpose's name under the
secret key. The key of one purpose tells nothing about another's.

A key is named by its fingerprint. A fingerprint may be seen without the database (in a log, a ticket, on a screen), and
must then be no cheap check of guesses at a poor key, as a plain HMAC would be. So it is scrypt (RFC 7914), with 16 MiB
a guess. The salt is always the same, so that the same key has the same fingerprint everywhere: operators compare the
keys of machines and backups by it. That cannot make a poor key good: with a copy of the database a guess can be checked
by the seals of its histories, at the price of one HMAC. Keys must be drawn at random.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

HISTORY, LINKS, REQUESTS = "tetsuzuki history", "tetsuzuki links", "tetsuzuki requests"  # the engine's purposes

_SALT = b"tetsuzuki fingerprint"
_SHOWN = 8  # characters of a fingerprint that people read: 32 bits tell a handful of keys apart


@lru_cache(maxsize=32)
def fingerprint(secret: bytes) -> str:
    """The fingerprint of a key: 32 hexadecimal digits of scrypt (RFC 7914). Takes some hundredths of a second."""
    return hashlib.scrypt(secret, salt=_SALT, n=2**14, r=8, p=1, maxmem=2**26, dklen=16).hex()


def short(fingerprint: str) -> str:
    """A fingerprint as people read it, in two groups of four."""
    return f"{fingerprint[: _SHOWN // 2]}-{fingerprint[_SHOWN // 2 : _SHOWN]}"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The secret keys, newest first: the first one seals, each of them verifies.

    `oldest` is the key that was in use before all others; by default the last one. Values that are not stored and may
    have been given out long ago are derived from it, such as idempotency keys.
    """

    secrets: tuple[bytes, ...] = field(repr=False)
    oldest: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not self.secrets or not all(self.secrets):
            raise ValueError("expected at least one secret key, and none that is empty")
        object.__setattr__(self, "secrets", tuple(dict.fromkeys(self.secrets)))
        if not self.oldest:
            object.__setattr__(self, "oldest", self.secrets[-1])

    @classmethod
    def of(cls, secrets: bytes | Sequence[bytes] | Keyring) -> Keyring:
        """A keyring of one key, or of several with the newest first; a keyring stays as it is. Raises ValueError where
        there is none, or an empty one."""
        if isinstance(secrets, Keyring):
            return secrets
        return cls((secrets,) if isinstance(secrets, bytes) else tuple(secrets))

    @property
    def newest(self) -> bytes:
        """The key that seals and signs."""
        return self.secrets[0]

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """The keys of one purpose, newest first. A purpose's name never changes, because all that was sealed depends on
        it."""
        return tuple(derive(secret, purpose) for secret in self.secrets)

    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprint of each key, newest first."""
        return tuple(fingerprint(secret) for secret in self.secrets)


def derive(secret: bytes, purpose: str) -> bytes:
    """The key of one purpose: the HMAC-SHA256 of its name under the secret key."""
    return hmac.digest(secret, purpose.encode(), "sha256")
