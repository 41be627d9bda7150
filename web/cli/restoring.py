"""`tetsuzuki restored`: the last step of a restore."""

from __future__ import annotations

import click

from web.cli.sites import REASON, opened_site, operator


@click.command(epilog='Example: tetsuzuki restored --reason "disk failure, backup of 3 May 02:00"')
@click.option("--reason", type=REASON, required=True, help="Kept for ever: name no person.")
def restored(reason: str) -> None:
    """Say that the database was restored from a backup, before the site is started again.

    Ends what the backup brings back although it had ended: sessions, one-time addresses and codes of staff. What began
    after the backup is unknown to the database and opens nothing. See docs/operations.md, "Backup and restore".
    """
    from engine.runtime.checkpoints import note_restore
    from workflows.business.access.restoring import end_what_was_open

    with opened_site() as site:
        store = site.engine.store
        with store.begin() as unit:
            now = store.now()
            ended = end_what_was_open(now)
            noted = note_restore(site.engine, unit, operator(), reason, now)
            store.commit(unit)
    click.echo(
        f"ended: {ended.sessions} sessions, {ended.set_ups} one-time addresses of staff, "
        f"{ended.forms} forms under way. "
        f"Checkpoint {noted.number} says why. Next: tetsuzuki workflow verify --all, tetsuzuki doctor, then start."
    )
