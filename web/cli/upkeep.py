"""`tetsuzuki migrate` and `doctor`."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from web.cli.sites import opened_site

if TYPE_CHECKING:
    from engine.store import SiteDatabase

LONGEST_WAIT = timedelta(minutes=2)


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


def _workers(db: SiteDatabase) -> list[str]:
    """What is wrong with the workers of a site on several machines; says how they are."""
    from engine.cluster import STALLED, condition

    found = condition(db)
    click.echo(
        f"workers: {found.workers} at work (each process counts for timers and for the outbox), "
        f"{found.running} jobs under way, {found.waiting} waiting"
    )
    wrong = []
    if not found.workers:
        wrong.append("no worker: is `tetsuzuki serve` or `tetsuzuki worker` running?")
    if found.dead or found.stuck:
        wrong.append(
            f"{found.dead} workers said nothing for {STALLED:.0f} s and {found.stuck} jobs of dead ones are stuck: "
            "others take them over within a minute, where there are others"
        )
    if found.longest_wait > LONGEST_WAIT:
        wrong.append(f"a job has waited for {found.longest_wait.total_seconds():.0f} s: more workers are needed")
    return wrong


def silent_plugins(now: datetime) -> list[str]:
    """Plugins that a process of the site has stopped asking, as it has told within the last hour."""
    from workflows.troubles import troubles

    return [
        f"{one.kind} {one.name} does not answer: {one.reason} (since {one.since:%Y-%m-%d %H:%M} UTC, last tried "
        f"{one.told_at:%H:%M}; told by {', '.join(one.workers)})"
        for one in troubles(now)
    ]


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
        if site.db.is_shared:
            wrong += _workers(site.db)
        wrong += silent_plugins(now)
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
