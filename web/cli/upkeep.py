"""`tetsuzuki migrate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.store.upgrade_check import UpgradeCheck
    from web.assembly.settings import Settings

WOULD_MIGRATE, NO_ROOM = 3, 4  # how --check ends; 0 is up to date, and 1 and 2 are what they are everywhere


@click.command(epilog="Example: tetsuzuki migrate --check\n\nExample: tetsuzuki migrate")
@click.option("--check", is_flag=True, help="Say what would be done, and how long and how large it is; change nothing.")
def migrate(check: bool) -> None:
    """Bring the database up to date. Safe when several start at once; doing it again changes nothing.

    It tells how far it is; interrupted, run it again: it goes on. --check ends with 0 where the database is up to date,
    with 3 where there is something to do, and with 4 where the disk has no room for that.
    """
    from engine.store.data_steps import carry_out
    from engine.store.opening import open_database
    from engine.store.schema import migrate as apply
    from web.assembly.procedures import brought
    from web.assembly.settings import read
    from web.assembly.settling import settle
    from web.assembly.site import plugins_of
    from web.assembly.unlocking import check_known_keys, unlock
    from web.cli.remaining import Remaining
    from workflows.business.plugin_procedures import note
    from workflows.registry import DATA_STEPS, MIGRATIONS

    settings = read()
    plugins = plugins_of(settings)
    folders = (*MIGRATIONS, *plugins.migrations())
    if check:
        _check(settings, folders)
        return
    settle()
    db = open_database(settings.database_url)
    check_known_keys(db, settings)
    applied = apply(
        db, folders, progress=lambda name, done, of: click.echo(f"step {done + 1} of {of}: {name}", err=True)
    )
    had_a_key = settings.keyring is not None
    unlock(db, settings, db.now)
    note(db, brought(plugins))  # so that nobody takes a plugin out that has procedures under way
    worked = carry_out(db, DATA_STEPS, Remaining("rows"), lambda: None)
    db.close()
    for name in applied:
        click.echo(f"applied {name}")
    if not had_a_key:
        click.echo("the site has its secret key now")
    elif not applied and not worked:
        click.echo("the database is up to date")


def _check(settings: Settings, folders: tuple[Path, ...]) -> None:
    from engine.store.opening import open_database
    from engine.store.upgrade_check import check
    from workflows.registry import DATA_STEPS

    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).exists():
        click.echo(f"{settings.database_url}: there is no database yet; migrate would make it")
        sys.exit(WOULD_MIGRATE)
    db = open_database(settings.database_url)
    found = check(db, folders, DATA_STEPS)
    db.close()
    _tell(found)
    if found.steps:
        sys.exit(WOULD_MIGRATE if found.fits else NO_ROOM)


def _tell(found: UpgradeCheck) -> None:
    from web.cli.remaining import bytes_in_words, lasting

    click.echo(f"the database: {found.rows:,} rows, {bytes_in_words(found.size)}")
    if not found.steps:
        click.echo("the database is up to date")
        return
    width = max(len(step.name) for step in found.steps)
    for step in found.steps:
        seconds = "" if step.seconds is None else f"  about {lasting(step.seconds)}"
        click.echo(f"would run {step.name:{width}}{seconds}")
    if found.seconds is not None and found.growth is not None:
        click.echo(
            f"all of it: about {lasting(found.seconds)} and {bytes_in_words(found.growth)} more on disk, "
            f"by a sample of {found.sampled:,} rows"
        )
    else:
        click.echo(f"how long it takes is not known: no sample could be taken: {found.unknown}")
    if found.free is None:
        click.echo("free disk: PostgreSQL does not tell; look where its data is")
    else:
        click.echo(f"free disk: {bytes_in_words(found.free)}" + ("" if found.fits else ": not enough"))
    click.echo("Back up first: see docs/operations.md, “Backup and restore”.")
