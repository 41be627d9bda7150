"""`tetsuzuki migrate`."""

from __future__ import annotations

import click


@click.command(epilog="Example: tetsuzuki migrate")
def migrate() -> None:
    """Bring the database up to date. Safe when several start at once; doing it again changes nothing."""
    from engine.store.opening import open_database
    from engine.store.schema import migrate as apply
    from web.assembly.settings import read
    from web.assembly.unlocking import unlock
    from workflows.registry import MIGRATIONS

    settings = read()
    db = open_database(settings.database_url)
    applied = apply(db, MIGRATIONS)
    unlock(db, settings, db.now)
    db.close()
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("the database is up to date")
