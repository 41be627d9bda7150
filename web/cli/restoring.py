"""`tetsuzuki restored`: the last step of a restore."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from web.cli.sites import REASON, opened_site, operator

if TYPE_CHECKING:
    from web.assembly.site import Site


@click.command(epilog='Example: tetsuzuki restored --reason "disk failure, backup of 3 May 02:00"')
@click.option("--reason", type=REASON, required=True, help="Kept for ever: name no person.")
def restored(reason: str) -> None:
    """Say that the database was restored from a backup, before the site is started again.

    Ends what the backup brings back although it had ended: sessions, one-time addresses and codes of staff. What began
    after the backup is unknown to the database and opens nothing. Where the site collects bills, its payments are
    halted: which of them were collected after the backup, the providers and banks alone know. See docs/operations.md,
    "Backup and restore".
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
        halted = _halt_payments(site)
    click.echo(
        f"ended: {ended.sessions} sessions, {ended.set_ups} one-time addresses of staff, "
        f"{ended.forms} forms under way. "
        f"Checkpoint {noted.number} says why. Next: tetsuzuki workflow verify --all, tetsuzuki doctor, then start."
    )
    for version in halted:
        click.echo(
            "Payments are halted, because bills that were collected after the backup would be collected again: compare "
            f'them first, then tetsuzuki workflow resume payment --version {version} --reason "…"'
        )


def _halt_payments(site: Site) -> list[int]:
    """Pause the payments of a site that collects. Returns the paused versions."""
    from engine.errors import EventNotPossible
    from engine.operations.pauses.acts import pause
    from engine.runtime.pauses.scopes import OneVersion
    from workflows.payment import PAYMENT
    from workflows.ports.collecting import collects

    methods = site.services.payment_methods.values()  # whose files are drawn up also without `collect_from`
    if site.settings.collect_from is None and not any(map(collects, methods)):
        return []
    versions = sorted(version for name, version in site.engine.workflows if name == PAYMENT.name)
    for version in versions:
        with suppress(EventNotPossible):  # it is paused already
            pause(site.engine, OneVersion(PAYMENT.name, version), operator(), "restored: compare what was collected")
    return versions
