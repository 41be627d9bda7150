"""Unlocks the site's database with its secret keys; draws a first key where there is none."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from engine.keyring import Keyring
from engine.operations.known_keys import WrongSecretKey, admit, known, proves_right, wrong
from engine.store.base import Clock, SiteDatabase
from web.assembly import secret_keys
from workflows.registry import SEALED

if TYPE_CHECKING:
    from web.assembly.settings import Settings

PROOFS = (SEALED.is_opened_by,)


def check_known_keys(db: SiteDatabase, settings: Settings) -> None:
    """Raise WrongSecretKey where the database knows another key, also before its tables are up to date: whoever has not
    its key changes nothing of it."""
    if db.table_exists("secret_key") and (reason := wrong(known(db), _configured(settings))):
        raise WrongSecretKey(reason if settings.keyring is not None else _missing(db, settings))


def _configured(settings: Settings) -> Keyring | None:
    """The keys of the settings, or those that a process has drawn that began just then as well."""
    drawn = secret_keys.from_file(settings.var) if settings.keyring is None else ()
    return Keyring(drawn) if drawn else settings.keyring


def unlock(db: SiteDatabase, settings: Settings, now: Clock, *, looks: bool = False) -> Keyring:
    """The configured keys, where they are the database's. Raises WrongSecretKey where they are not.

    A single machine without a key draws one, but only while nothing in the database depends on any. With `looks`, such
    a database is read with a throw-away key, and nothing is written.
    """
    keyring = _configured(settings)
    if keyring is None:
        nobodys = Keyring((secrets.token_bytes(32),))
        if known(db) or proves_right(db, nobodys, PROOFS) is not None:
            raise WrongSecretKey(_missing(db, settings))
        keyring = nobodys if looks else Keyring(secret_keys.make(settings.var))
    return admit(db, keyring, PROOFS, now=now, looks=looks)


def _missing(db: SiteDatabase, settings: Settings) -> str:
    path = secret_keys.key_file(settings.var)
    reason = wrong(known(db), None)
    if reason:
        return f"{reason} ({path} is not there)"
    return (
        f"SECRET_KEY: {path} is not there, no setting names a key, and this database was sealed with one. "
        "Put it back. If it is gone for good: tetsuzuki secret accept-loss --help"
    )
