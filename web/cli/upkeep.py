"""`tetsuzuki migrate` and `doctor`."""

from __future__ import annotations

import sys

import click

from web.cli.sites import opened_site


@click.command(epilog="Example: tetsuzuki migrate")
def migrate() -> None:
    """Bring the database up to date. Safe when several start at once; doing it again changes nothing."""
    from engine.migrate import migrate as apply
    from engine.store import open_database
    from web.settings import read
    from workflows.registry import MIGRATIONS

    db = open_database(read().database_url)
    applied = apply(db, MIGRATIONS)
    db.close()
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("the database is up to date")


@click.command(epilog="Example: tetsuzuki doctor")
def doctor() -> None:
    """Is everything well? Lists what is not and ends with 1."""
    from engine.incidents import incidents
    from engine.sweep import stuck

    wrong: list[str] = []
    with opened_site() as site:
        wrong += [str(failure) for failure in site.plugins.failures]
        if site.dispatcher.mailer not in site.dispatcher.mailers:
            wrong.append(f"the mailer {site.dispatcher.mailer!r} is not there: no mail can be sent")
        now = site.engine.store.now()
        for what, due in (("timers", site.engine.next_due()), ("outbox", site.dispatcher.next_due())):
            late = (now - due).total_seconds() if due is not None else 0
            shown = "nothing waits" if due is None else f"next is due {due:%Y-%m-%d %H:%M:%S} UTC"
            click.echo(f"{what}: {shown}")
            if late > 120:
                wrong.append(f"{what}: {late:.0f} s late; is `tetsuzuki serve` or `tetsuzuki worker` running?")
        open_ones = incidents(site.engine)
        if open_ones:
            wrong.append(f"{len(open_ones)} open incidents: tetsuzuki incidents list")
        wrong += [
            f"instance {one.instance} ({one.workflow}, {one.state}) is stuck: {one.why}" for one in stuck(site.engine)
        ]
    for line in wrong:
        click.echo(f"✗ {line}")
    if wrong:
        sys.exit(1)
    click.echo("✓ all is well")
