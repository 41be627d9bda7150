"""The secret keys with which a database was sealed, by fingerprint.

A site that starts with another key than its database's would seem to work: no mailed link opens, no history verifies,
no authenticator fits, and what it writes is sealed with a key that nobody kept. So a key's fingerprint is recorded
before anything is sealed with it, and a process that opens the database must have every key in use: the newest first,
which seals, and older ones until `key_rotation` has sealed anew what they had sealed.

A key is *in use* from the moment that it is first in the setting; *retired* when nothing is sealed with it any more;
*lost* when an operator said so (`key_loss`). A database that is older than this table knows no key: it accepts the
first one that opens what is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from engine.errors import ConfigurationError
from engine.keyring import HISTORY, Keyring, fingerprint, short
from engine.runtime.history_rows import ends_with_a_seal_of
from engine.store.base import Clock, SiteDatabase, Unit, from_db, to_db

log = logging.getLogger("tetsuzuki.keys")

IN_USE, RETIRED, LOST = "in use", "retired", "lost"
UNNAMED = "unnamed"  # in place of the fingerprint of a key that was lost before anybody wrote it down

_COLUMNS = "fingerprint, number, state, since, ended_at, reason, done, finished_at, histories, sealing_at"
SIGN_OF_LIFE = timedelta(seconds=150)  # longer than two sweeps are apart, at which processes give it
_ALONE = 7_380_214_916  # the advisory lock for recording keys: any number, but always this one
_PROVED_BY = 20  # so many of the newest histories tell whether a key is right; one that verifies is enough

Proof = Callable[[Keyring], bool | None]
"""Whether a keyring opens what is there; None where nothing is there."""


class WrongSecretKey(ConfigurationError):
    """The configured secret key is not the one of this database."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that the database knows. `number` is the order of first use, `since` when it last became the newest.

    `done` and `finished_at` are the progress of the work under way, by the number of the last instance: for a key in
    use, sealing everything anew with it; for a lost one, giving up what it had sealed. `histories` counts what was
    given up. `sealing_at` is when a process last recorded that it seals with this key.
    """

    fingerprint: str
    number: int
    state: str
    since: datetime
    ended_at: datetime | None
    reason: str
    done: int
    finished_at: datetime | None
    histories: int
    sealing_at: datetime | None

    def is_sealing(self, now: datetime) -> bool:
        """Whether a process has recorded within SIGN_OF_LIFE that it seals with this key."""
        return self.sealing_at is not None and now - self.sealing_at < SIGN_OF_LIFE

    def __str__(self) -> str:
        return f"{short(self.fingerprint)} (since {self.since:%Y-%m-%d %H:%M} UTC)"


def known(db: SiteDatabase) -> tuple[KnownKey, ...]:
    """Every key that was ever in use, in the order of first use."""
    rows = db.execute_sql(f"SELECT {_COLUMNS} FROM secret_key ORDER BY number").fetchall()
    return tuple(
        KnownKey(
            row[0],
            row[1],
            row[2],
            from_db(row[3]),
            _moment(row[4]),
            row[5],
            row[6],
            _moment(row[7]),
            row[8],
            _moment(row[9]),
        )
        for row in rows
    )


def _moment(value: Any) -> datetime | None:
    return None if value is None else from_db(value)


def proves_right(db: SiteDatabase, keyring: Keyring, proofs: Iterable[Proof]) -> bool | None:
    """Whether a keyring opens something that is sealed in the database; None where nothing is sealed."""
    verdicts = [verdict for proof in (_histories_of(db), *proofs) if (verdict := proof(keyring)) is not None]
    return any(verdicts) if verdicts else None


def wrong(keys: Sequence[KnownKey], keyring: Keyring | None) -> str:
    """Why these keys are not the database's, in words for an operator; empty where they are."""
    configured = keyring.fingerprints() if keyring is not None else ()
    missing = [key for key in keys if key.state == IN_USE and key.fingerprint not in configured]
    if missing:
        has = "the configured key is " if len(configured) == 1 else "the configured keys are "
        said = has + ", ".join(map(short, configured)) if configured else "no key is configured"
        return (
            f"SECRET_KEY: this database is sealed with key {', '.join(map(str, missing))}, and {said}. Put that key "
            "back, as the only one or behind a newer one. If it is gone for good: tetsuzuki secret accept-loss --help"
        )
    if unfinished(keys):
        return "SECRET_KEY: giving a lost key up was interrupted: run tetsuzuki secret accept-loss again"
    return ""


def admit(
    db: SiteDatabase, keyring: Keyring, proofs: Sequence[Proof] = (), *, now: Clock | None = None, looks: bool = False
) -> Keyring:
    """Check that a process has the database's keys, and record the newest one where it is new. Raises WrongSecretKey.

    `proofs` tell, beside the histories, whether a keyring is right for a database that knows no key yet. With `looks`
    nothing is recorded. Returns the keyring, which then knows which of its keys is the oldest.
    """
    keys = known(db)
    if not keys:
        _prove(db, keyring, proofs)
    _check(keys, keyring)
    if looks:
        return _with_oldest(keyring, keys)
    if not _is_in_use(keys, keyring.newest):
        keys = write_down(db, keyring, (now or db.now)())
    return _with_oldest(keyring, keys)


def _check(keys: Sequence[KnownKey], keyring: Keyring) -> None:
    reason = wrong(keys, keyring)
    if reason:
        raise WrongSecretKey(reason)


def _is_in_use(keys: Iterable[KnownKey], secret: bytes) -> bool:
    mark = fingerprint(secret)
    return any(key.fingerprint == mark and key.state == IN_USE for key in keys)


def _with_oldest(keyring: Keyring, keys: Iterable[KnownKey]) -> Keyring:
    numbers = {key.fingerprint: key.number for key in keys}
    used = [secret for secret in keyring.secrets if fingerprint(secret) in numbers]
    if not used:
        return keyring
    return replace(keyring, oldest=min(used, key=lambda secret: numbers[fingerprint(secret)]))


def _prove(db: SiteDatabase, keyring: Keyring, proofs: Iterable[Proof]) -> None:
    """Raise WrongSecretKey where something is sealed and no key opens any of it."""
    if proves_right(db, keyring, proofs) is False:
        own = ", ".join(map(short, keyring.fingerprints()))
        raise WrongSecretKey(
            f"SECRET_KEY: nothing in this database was sealed with the configured key ({own}): neither its newest "
            "histories nor what is kept encrypted. Put the key back that it was used with. A key with a line break or "
            'a comma in it stands in the file, as secret_key = ["…"]. If it is gone for good: '
            "tetsuzuki secret accept-loss --help"
        )


def _histories_of(db: SiteDatabase) -> Proof:
    def verify(keyring: Keyring) -> bool | None:
        keys = keyring.derived(HISTORY)
        with db.store().reading() as unit:
            newest = unit.rows("SELECT id FROM instance ORDER BY id DESC LIMIT ?", (_PROVED_BY,))
            return any(ends_with_a_seal_of(keys, unit, row[0]) for row in newest) if newest else None

    return verify


def write_down(db: SiteDatabase, keyring: Keyring, now: datetime) -> tuple[KnownKey, ...]:
    """Record the newest key as in use; in a database that knows no key, also the older keys that were used before it.

    Returns all known keys. Raises WrongSecretKey.
    """
    with db.exclusive():
        if db.is_shared:  # on SQLite a writer is alone
            db.execute_sql(f"SELECT pg_advisory_xact_lock({_ALONE})")
        keys = known(db)  # another process may have been faster
        _check(keys, keyring)
        highest = max((key.number for key in keys), default=0)
        secrets = [keyring.newest] if keys else _used(db, keyring)
        for number, secret in enumerate(secrets, start=highest + 1):
            _put(db, fingerprint(secret), number, now)
        return known(db)


def _used(db: SiteDatabase, keyring: Keyring) -> list[bytes]:
    """The keys with which a database that knows none was sealed, oldest first: those that verify a history, and the
    newest."""
    older = [secret for secret in keyring.secrets[1:] if _histories_of(db)(Keyring((secret,)))]
    return [*reversed(older), keyring.newest]


def _put(db: SiteDatabase, mark: str, number: int, now: datetime) -> None:
    """Record a key as in use. A key that was in use before keeps its number."""
    values = ", ".join([db.param] * 4)
    db.execute_sql(
        "INSERT INTO secret_key (fingerprint, number, state, since, ended_at, reason, done, finished_at, histories) "
        f"VALUES ({values}, NULL, '', 0, NULL, 0) ON CONFLICT (fingerprint) DO UPDATE SET state = EXCLUDED.state, "
        "since = EXCLUDED.since, ended_at = NULL, reason = '', done = 0, finished_at = NULL, histories = 0",
        (mark, number, IN_USE, to_db(now)),
    )


def write_progress(unit: Unit, mark: str, done: int, histories: int) -> None:
    """Record, inside an open unit, the progress of the work for a key."""
    unit.write("UPDATE secret_key SET done = ?, histories = ? WHERE fingerprint = ?", (done, histories, mark))


def finish_rotation(db: SiteDatabase, keyring: Keyring, now: datetime) -> None:
    """Retire the older of these keys: everything is sealed with the newest. A key that another process has begun to use
    meanwhile stays in use, because what it sealed was not looked at."""
    newest, *older = keyring.fingerprints()
    with db.exclusive():
        mark = db.param
        db.execute_sql(f"UPDATE secret_key SET finished_at = {mark} WHERE fingerprint = {mark}", (to_db(now), newest))
        for one in older:
            db.execute_sql(
                f"UPDATE secret_key SET state = '{RETIRED}', ended_at = {mark} "
                f"WHERE state = '{IN_USE}' AND fingerprint = {mark}",
                (to_db(now), one),
            )


def watch(db: SiteDatabase, keyring: Keyring, now: Clock) -> None:
    """The chore of a process that seals: records that it does, and logs an error where its keys are no longer right."""
    db.execute_sql(
        f"UPDATE secret_key SET sealing_at = {db.param} WHERE fingerprint = {db.param}",
        (to_db(now()), fingerprint(keyring.newest)),
    )
    keys = known(db)
    reason = wrong(keys, keyring)
    if reason or not _is_in_use(keys, keyring.newest):
        log.error("restart this process: it seals with a key that was replaced. %s", reason)


def still_sealing(db: SiteDatabase, keyring: Keyring, now: datetime) -> tuple[KnownKey, ...]:
    """The keys in use, other than the newest, with which a process has recorded within SIGN_OF_LIFE that it seals."""
    newest = fingerprint(keyring.newest)
    return tuple(key for key in known(db) if key.state == IN_USE and key.fingerprint != newest and key.is_sealing(now))


def give_up(db: SiteDatabase, keyring: Keyring, reason: str, now: datetime) -> tuple[KnownKey, ...]:
    """Record as lost the keys in use that are not in the keyring, and the keyring's newest as in use.

    In a database that knows no key yet, a key without a name is recorded as lost. Returns the lost keys whose histories
    are not all given up yet.
    """
    with db.exclusive():
        if db.is_shared:
            db.execute_sql(f"SELECT pg_advisory_xact_lock({_ALONE})")
        keys = known(db)
        if not keys:
            _put(db, UNNAMED, 1, now)
            keys = known(db)
        configured = keyring.fingerprints()
        for key in keys:
            if key.state == IN_USE and key.fingerprint not in configured:
                db.execute_sql(
                    f"UPDATE secret_key SET state = '{LOST}', ended_at = {db.param}, reason = {db.param}, done = 0, "
                    f"finished_at = NULL, histories = 0 WHERE fingerprint = {db.param}",
                    (to_db(now), reason, key.fingerprint),
                )
        if not _is_in_use(keys, keyring.newest):
            _put(db, fingerprint(keyring.newest), max(key.number for key in keys) + 1, now)
        return unfinished(known(db))


def unfinished(keys: Iterable[KnownKey]) -> tuple[KnownKey, ...]:
    """The lost keys whose histories are not all given up yet."""
    return tuple(key for key in keys if key.state == LOST and key.finished_at is None)


def finish_loss(db: SiteDatabase, now: datetime) -> None:
    """Record that everything which lost keys had sealed is given up."""
    with db.exclusive():
        db.execute_sql(
            f"UPDATE secret_key SET finished_at = {db.param} WHERE state = '{LOST}' AND finished_at IS NULL",
            (to_db(now),),
        )
