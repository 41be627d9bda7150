"""How many guesses somebody has: buckets that hold across threads, processes and machines.

A bucket lets `burst` guesses through at once and one more each `per`. It is the generic cell rate algorithm (ITU-T
I.371, the virtual scheduling form): all that is stored is the time at which the bucket will be empty again, so a
bucket is one small row, and a row whose time has come says the same as no row.

A guess is counted by a compare-and-swap: read the time, then move it in one statement that holds only if nobody moved
it meanwhile, the same on SQLite and on PostgreSQL; one that counts in several buckets moves all of them in one
transaction. Who loses reads again; as every loss is somebody's gain and a bucket has `burst` of them, it ends. A guess
that is refused writes nothing, so a flood costs reads only.

Guesses are counted before the answer is known and given back when it was right. Counted afterwards, a hundred guesses
sent at once would all be checked before the first of them counts (OWASP Authentication Cheat Sheet; NIST SP 800-63B
§5.2.2).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

from engine.definition import Refusal
from engine.keyring import Keyring
from engine.store.base import Clock, database, transaction
from engine.store.prepared import prepared
from engine.text import _
from workflows.business.records import Throttle


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` guesses at once, and one more each `per`. The name keeps its buckets apart from those of other limits."""

    name: str
    burst: int
    per: timedelta

    def __post_init__(self) -> None:
        if self.burst < 1 or self.per <= timedelta(0) or "\0" in self.name:
            raise ValueError(f"limit {self.name!r}: expected burst ≥ 1, per > 0 and no NUL in its name, got {self!r}")


Guess = tuple[Limit, str]
"""One bucket in which a guess counts: its limit and key."""


class Throttles:
    """Counts guesses in the database. Keys (addresses, customer numbers) are stored only as HMAC-SHA256, under the
    newest secret: with a new one every bucket begins anew.

    `now` is aware; where it is None, `clock` tells it. Nothing here may run inside a transaction: its rollback would
    give the guess back (RuntimeError).
    """

    def __init__(self, secret: bytes | Sequence[bytes] | Keyring, clock: Clock) -> None:
        self._secret = Keyring.of(secret).newest
        self._clock = clock

    def reserve(self, limit: Limit, key: str, now: datetime | None = None) -> timedelta | None:
        """Count one guess. None: it may be made. Otherwise nothing was counted, and this is how long until it may."""
        return self.reserve_all(((limit, key),), now)

    def release(self, limit: Limit, key: str, now: datetime | None = None) -> None:
        """Give one guess back, because it was right or was not made after all."""
        now = now or self._clock()
        bucket = self._bucket(limit, key)
        while (stored := self._read(bucket)) is not None and stored > now:
            with suppress(_Moved), transaction():
                _swap(bucket, stored, _within(limit, stored, now) - limit.per)
                return

    def reserve_all(self, guesses: Sequence[Guess], now: datetime | None = None) -> timedelta | None:
        """Count one guess in every bucket, or in none and say how long until all of them have one.

        Raises ValueError where a bucket is named twice.
        """
        if len(set(guesses)) < len(guesses):
            raise ValueError(f"a bucket is named twice: {', '.join(limit.name for limit, _ in guesses)}")
        now = now or self._clock()
        # In one order for all, so that two that share several buckets never wait for each other's.
        buckets = sorted(((limit, self._bucket(limit, key)) for limit, key in guesses), key=lambda pair: pair[1])
        while True:
            read = [(limit, bucket, self._read(bucket)) for limit, bucket in buckets]
            waits = [wait for limit, _, stored in read if (wait := _wait(limit, _within(limit, stored, now), now))]
            if waits:
                return max(waits)
            with suppress(_Moved), transaction():
                for limit, bucket, stored in read:
                    _swap(bucket, stored, _within(limit, stored, now) + limit.per)
                return None

    def release_all(self, guesses: Sequence[Guess], now: datetime | None = None) -> None:
        """Give the guess back in every bucket."""
        for limit, key in guesses:
            self.release(limit, key, now)

    def forget(self, limit: Limit, key: str) -> None:
        """Empty the bucket: whoever holds `key` starts anew."""
        bucket = self._bucket(limit, key)
        with transaction():
            Throttle.delete().where(Throttle.bucket == bucket).execute()

    def purge(self, now: datetime | None = None) -> int:
        """Remove the rows that say nothing any more. Returns how many they were."""
        now = now or self._clock()
        over = Throttle.full_at <= now
        rows = Throttle.select(Throttle.bucket).where(over)
        if database.obj.for_update:  # PostgreSQL: one that somebody counts in right now is left; waiting could deadlock
            rows = rows.for_update(skip_locked=True)
        with transaction():
            return int(Throttle.delete().where(Throttle.bucket.in_(rows), over).execute())

    def _bucket(self, limit: Limit, key: str) -> str:
        text = f"throttle\0{limit.name}\0{key}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    def _read(self, bucket: str) -> datetime | None:
        if database.in_transaction():
            raise RuntimeError("a guess is counted outside of any transaction, or its rollback would give it back")
        row = _row.first(bucket)
        return None if row is None else row.full_at


class _Moved(Exception):
    """Somebody else moved the bucket since it was read: nothing of the transaction is to be kept."""


@prepared
def _row(bucket: str) -> Any:
    return Throttle.select().where(Throttle.bucket == bucket).limit(1)


@prepared
def _first_guess(bucket: str, full_at: datetime) -> Any:
    return Throttle.insert(bucket=bucket, full_at=full_at).on_conflict_ignore().as_rowcount()


@prepared
def _move(bucket: str, stored: datetime, full_at: datetime) -> Any:
    return Throttle.update(full_at=full_at).where((Throttle.bucket == bucket) & (Throttle.full_at == stored))


def _swap(bucket: str, stored: datetime | None, full_at: datetime) -> None:
    """Write `full_at` if the row is still as it was read. Raises _Moved where it is not."""
    moved = _first_guess.write(bucket, full_at) if stored is None else _move.write(bucket, stored, full_at)
    if not moved:
        raise _Moved


def _wait(limit: Limit, full_at: datetime, now: datetime) -> timedelta | None:
    """How long until a bucket that is empty again at `full_at` has room for one guess more; None where it has."""
    wait = full_at - now - limit.per * (limit.burst - 1)
    return wait if wait > timedelta(0) else None


def _within(limit: Limit, stored: datetime | None, now: datetime) -> datetime:
    """The stored time, at least now and at most a full bucket from now.

    More than a full bucket was written by a clock that ran ahead, or under a longer limit that was shortened since;
    without the bound it would lock its key out for as long as that clock was wrong.
    """
    return min(max(stored or now, now), now + limit.per * limit.burst)


def network_of(address: str) -> str:
    """What is throttled as one remote side: an IPv4 address, or the /64 of an IPv6 address.

    A host usually has a /64 to itself (RFC 6177, RFC 7421), so its single addresses are free guesses. An IPv4 address
    in IPv6 clothes (RFC 4291 §2.5.5.2) counts as that IPv4 address. What is no address counts as it is written.
    """
    try:
        parsed = ip_address(address.strip().partition("%")[0])  # a zone (RFC 4007 §11) names our interface, not theirs
    except ValueError:
        return address.strip()
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), 64), strict=False))


def too_many(wait: timedelta, field: str | None = None) -> Refusal:
    """The refusal for somebody who is out of guesses for `wait`; says the whole minutes, rounded up."""
    minutes = max(1, -(wait // -timedelta(minutes=1)))
    message = _("試行回数が上限に達しました。%(minutes)d分後に、もう一度お試しください。", minutes=minutes)
    return Refusal("too_many", message, field)
