"""`tetsuzuki secret show|new|rotate|accept-loss`."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from web.cli.progress import progress_of
from web.cli.sites import REASON, opened_site, operator

if TYPE_CHECKING:
    from engine.keyring import Keyring
    from engine.operations.key_rotation import Waiting
    from engine.operations.known_keys import KnownKey
    from engine.runtime.engine import Engine
    from engine.store.base import SiteDatabase
    from web.assembly.site import Site
    from workflows.business.access.sealed import Forgotten

_MOST_SHOWN = 200
_NONE_YET = "there is no key yet: the first start draws one"


@click.group(epilog="Example: tetsuzuki secret show")
def secret() -> None:
    """The secret key: look at it, replace it, or go on without it."""


# -- show --------------------------------------------------------------------------------------------------------------


@secret.command(epilog="Example: tetsuzuki secret show")
def show() -> None:
    """Which keys the database and the settings know, what still needs an old one, and until when.

    Keys are named by their fingerprints. Every history is verified, which takes a while where there are many.
    """
    from engine.operations.key_rotation import dependence, waiting
    from engine.operations.known_keys import IN_USE, known
    from engine.runtime import checkpoints
    from web.assembly.settings import read
    from workflows.registry import SEALED

    with opened_site(looks=True) as site:
        keys = known(site.db)
        for line in _keys(keys, site.engine.keyring) if read().keyring is not None else (_NONE_YET,):
            click.echo(line)
        with progress_of("verified") as progress:
            needed = dependence(site.engine, progress)
        click.echo(
            f"histories: {needed.histories}, of which {needed.older} need an old key, "
            f"{needed.broken} verify with no key, "
            f"{needed.unverifiable} are unverifiable before a loss"
        )
        older = SEALED.older(site.services.vault)
        newest = next((key for key in keys if key.fingerprint == site.engine.keyring.fingerprints()[0]), None)
        since = newest.finished_at if newest is not None and newest.finished_at is not None else site.clock()
        older["checkpoints"] = checkpoints.of_older_keys(site.engine)
        for what, number in older.items():
            click.echo(f"{what}: {number} need an old key")
        several = len(site.engine.keyring.secrets) > 1 or sum(key.state == IN_USE for key in keys) > 1
        if several:
            left = waiting(site.engine, since)
            for line in _waiting(left):
                click.echo(line)
            to_retire = sum(key.state == IN_USE for key in keys) > 1
            click.echo(_next(to_retire or needed.older > 0 or any(older.values()), left))


def _keys(keys: tuple[KnownKey, ...], keyring: Keyring) -> Iterator[str]:
    from engine.keyring import short

    configured = keyring.fingerprints()
    for key in reversed(keys):
        at = f", {key.state} since {key.ended_at:%Y-%m-%d %H:%M} UTC" if key.ended_at is not None else ""
        why = f" ({key.reason})" if key.reason else ""
        place = (
            "seals"
            if key.fingerprint == configured[0]
            else "verifies"
            if key.fingerprint in configured
            else "not configured"
        )
        yield f"{short(key.fingerprint)}  first used as newest {key.since:%Y-%m-%d %H:%M} UTC{at}{why}: {place}"
    for one in configured:
        if one not in {key.fingerprint for key in keys}:
            yield f"{short(one)}  not used yet: {'will seal' if one == configured[0] else 'verifies'}"


def _waiting(left: Waiting) -> Iterator[str]:
    until = f"; the last timer of them ends at {left.until:%Y-%m-%d %H:%M} UTC" if left.until is not None else ""
    endless = f"; {left.endless} of them have no timer" if left.endless else ""
    yield f"mailed links: {left.links} procedures under way may have one of an old key{until}{endless}"
    yield f"idempotency keys: {left.derived} procedures and effects under way have one derived from the oldest key"


def _next(to_rotate: bool, left: Waiting) -> str:
    if to_rotate:
        return "next: tetsuzuki secret rotate"
    if left.links or left.derived:
        return "next: nothing is sealed with an old key any more; keep it until those procedures have ended"
    return "next: nothing needs an old key any more: take it out of the setting, and restart"


# -- new and rotate ----------------------------------------------------------------------------------------------------


@secret.command(epilog="Example: tetsuzuki secret new")
def new() -> None:
    """Draw a new key. One machine: it is put first in var/secret.key. Otherwise it is printed, to be put first.

    Then restart every process of the site, and run `tetsuzuki secret rotate`.
    """
    from web.assembly import secret_keys

    with opened_site(looks=True) as site:
        settings = site.settings
    path = secret_keys.key_file(settings.var)
    if secret_keys.from_file(settings.var) == (settings.secret_key, *settings.old_secret_keys):
        secret_keys.put_first(settings.var)
        click.echo(f"a new key stands first in {path}. Next: restart the site, then tetsuzuki secret rotate", err=True)
        return
    click.echo(secrets.token_hex(32))
    click.echo(
        "Put it first in secret_key and keep the old one behind it, for every process; restart them; "
        "then tetsuzuki secret rotate",
        err=True,
    )


@secret.command(epilog="Example: tetsuzuki secret rotate")
def rotate() -> None:
    """Seal everything anew with the newest key, while the site runs; ends with 1 where something could not be.

    Every history is verified first: one that does not verify stays as it is and is listed. Interrupted, it goes on
    where it was when it is run again. Links mailed before work until they end, so keep the old key until `secret show`
    says that nothing needs it.
    """
    from engine.keyring import short
    from engine.operations.key_rotation import rotate as seal_histories
    from engine.operations.known_keys import finish_rotation, still_sealing
    from workflows.registry import SEALED

    with opened_site() as site:
        with progress_of("histories") as progress:
            done = seal_histories(site.engine, progress)
        anew, unreadable = SEALED.seal_anew(site.services.vault)
        stale = still_sealing(site.db, site.engine.keyring, site.clock())
        if not done.late and not stale:
            finish_rotation(site.db, site.engine.keyring, site.clock())
    for number, faults in sorted(done.broken.items())[:_MOST_SHOWN]:
        for fault in faults:
            click.echo(f"instance {number}: {fault}")
    for fault in done.checkpoints:
        click.echo(fault)
    if len(done.broken) > _MOST_SHOWN:
        click.echo(f"… and {len(done.broken) - _MOST_SHOWN} more: tetsuzuki workflow verify --all")
    click.echo(
        f"{done.histories} histories, {done.anew} of them sealed anew; {len(done.broken)} do not verify and stay as "
        f"they are; {anew} stored secrets sealed anew, {unreadable} that no key opens",
        err=True,
    )
    if done.late:
        click.echo(
            f"{len(done.late)} histories are still written with an old key: a process runs that was started before the "
            "new key stood first. Restart it, then run this again.",
            err=True,
        )
    for key in stale:
        assert key.sealing_at is not None
        click.echo(
            f"a process sealed with the old key {short(key.fingerprint)} until {key.sealing_at:%H:%M:%S} UTC. Restart "
            "it; where it was restarted since, run this again in two minutes. Until then the old key is not retired.",
            err=True,
        )
    if done.broken or done.checkpoints or unreadable or done.late or stale:
        sys.exit(1)


# -- a key that is gone ------------------------------------------------------------------------------------------------

_ENDS = """\
The key {lost} is given up for good. What ends with it:

  histories      {histories} of {total} can no longer be verified. Each gets an entry that says so, with your reason,
                 and is shown as unverifiable before it, for ever
  mailed links   none of them opens any more; {links} procedures under way may have one. They can be sent again from
                 their pages, or asked for anew
  sessions       every customer must log in again, and a form that is open must be filled in anew
  browsers       no browser is known any more: each has the allowance of guesses of a stranger. Buckets begin anew
  staff          {staff} cannot log in until `tetsuzuki staff reset`: their authenticators are gone{names}
  payment data   {payment} stored entries (account numbers and the like) are gone. Where a request still needs one, it
                 becomes an incident (forgotten)
  payments       {derived} procedures and effects under way have an idempotency key that is derived from it. Where one
                 of them is tried again, a provider may take it for something new
  repeats        a form that was sent before and is sent again is refused rather than recognised

Stop every process that still runs with that key first. If the key may yet be found, do not go on.
"""


@secret.command(
    "accept-loss", epilog='Example: tetsuzuki secret accept-loss --reason "disk of the key server died, no copy"'
)
@click.option("--reason", type=REASON, required=True, help="Goes into histories for ever: name no person.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def accept_loss(reason: str, yes: bool) -> None:
    """Go on without a secret key that is gone for good. Says first what ends, and asks.

    Interrupted, it goes on where it was when it is run again.
    """
    from engine.keyring import Keyring
    from engine.operations import known_keys
    from engine.operations.key_loss import base_anew
    from engine.runtime.engine import Engine
    from web.assembly import secret_keys
    from web.assembly.settings import read
    from workflows.business.access.vault import Vault
    from workflows.registry import SEALED, WORKFLOWS

    if not reason.strip():
        raise click.UsageError("a reason is needed: it is written into histories")
    settings = read()
    with _unchecked(settings.database_url) as db:
        keyring = settings.keyring or Keyring((secrets.token_bytes(32),))
        lost = _lost(db, keyring)
        _nobody_seals(db, keyring)
        engine = Engine(db, WORKFLOWS, secret=keyring)
        click.echo(_what_ends(engine, lost, SEALED.unreadable(Vault(keyring))))
        if not yes:
            click.confirm("Give it up?", abort=True)
        if settings.keyring is None:
            keyring = Keyring(secret_keys.make(settings.var))
            engine = Engine(db, WORKFLOWS, secret=keyring)
        based = 0
        for key in known_keys.give_up(db, keyring, reason.strip(), engine.store.now()):
            with progress_of("histories") as progress:
                based += base_anew(engine, key, operator(), progress)
        gone = SEALED.forget_unreadable(Vault(keyring))
        known_keys.finish_loss(db, engine.store.now())
    click.echo(f"{based} histories go on from an entry that tells of the loss", err=True)
    for email in gone.staff:
        click.echo(f"next: tetsuzuki staff reset {email}")


@contextmanager
def _unchecked(database_url: str) -> Iterator[SiteDatabase]:
    """The database without a check of its keys, for the one command that may open it so."""
    from engine.store.opening import open_database
    from engine.store.schema import migrate
    from workflows.registry import MIGRATIONS

    db = open_database(database_url)
    try:
        migrate(db, MIGRATIONS)
        yield db
    finally:
        db.close()


def _lost(db: SiteDatabase, keyring: Keyring) -> str:
    """The missing keys, in words. Raises ConfigurationError where none is missing."""
    from engine.errors import ConfigurationError
    from engine.keyring import short
    from engine.operations.known_keys import IN_USE, UNNAMED, known, proves_right, unfinished
    from web.assembly.unlocking import PROOFS

    keys, configured = known(db), keyring.fingerprints()
    if not keys and proves_right(db, keyring, PROOFS) is False:
        return "that this database was sealed with"
    gone = [key for key in keys if key.state == IN_USE and key.fingerprint not in configured] or unfinished(keys)
    if not gone:
        raise ConfigurationError("no secret key is missing: nothing is given up")
    return ", ".join("without a name" if key.fingerprint == UNNAMED else short(key.fingerprint) for key in gone)


def _nobody_seals(db: SiteDatabase, keyring: Keyring) -> None:
    """Raise ConfigurationError where a process still seals with a key that is to be given up: what it adds after the
    entry of the loss could never be verified."""
    from engine.errors import ConfigurationError
    from engine.keyring import short
    from engine.operations.known_keys import known

    configured = keyring.fingerprints()
    for key in known(db):
        if key.fingerprint not in configured and key.is_sealing(db.now()):
            assert key.sealing_at is not None
            raise ConfigurationError(
                f"a process sealed with the key {short(key.fingerprint)} until {key.sealing_at:%H:%M:%S} UTC: the key "
                "is there. Where that process is stopped, run this again three minutes later"
            )


def _what_ends(engine: Engine, lost: str, gone: Forgotten) -> str:
    from engine.operations.key_rotation import dependence, waiting

    with progress_of("verified") as progress:
        needed = dependence(engine, progress)
    left = waiting(engine, engine.store.now())
    return _ENDS.format(
        lost=lost,
        histories=needed.broken,
        total=needed.histories,
        links=left.links,
        derived=left.derived,
        staff=f"{len(gone.staff)} members",
        names=f" ({', '.join(gone.staff)})" if gone.staff else "",
        payment=gone.of_procedures,
    )


def state_of_keys(site: Site) -> tuple[list[str], list[str]]:
    """The faults of the secret keys, and notes on them, as sentences."""
    from engine.keyring import short
    from engine.operations.known_keys import IN_USE, LOST, RETIRED, known

    keys, configured = known(site.db), site.engine.keyring.fingerprints()
    told = [
        f"secret key: {short(key.fingerprint)} was lost, given up on {key.finished_at:%Y-%m-%d} ({key.reason}): "
        f"{key.histories} histories are unverifiable before that"
        for key in keys
        if key.state == LOST and key.finished_at is not None
    ]
    told += [
        f"secret key: {short(key.fingerprint)} is retired and still configured: tetsuzuki secret show says until when"
        for key in keys
        if key.state == RETIRED and key.fingerprint in configured
    ]
    if not keys:
        told.append("secret key: the database knows none yet; the first start writes it down")
    older = [key for key in keys if key.state == IN_USE and key.fingerprint != configured[0]]
    wrong = [f"secret key: {short(key.fingerprint)} is to be replaced: tetsuzuki secret rotate" for key in older]
    return wrong, told
