"""`tetsuzuki workflow cure timers|link`: cures for an instance that `tetsuzuki doctor` calls stuck."""

from __future__ import annotations

import click

from web.cli.sites import INSTANCE, REASON, opened_site, operator

_reason = click.option("--reason", type=REASON, required=True, help="Goes into history for ever: name no person.")


@click.group(epilog='Example: tetsuzuki workflow cure timers 42 --reason "lost in the restore"')
def cure() -> None:
    """Help an instance that is stuck; `tetsuzuki doctor` says which, and which command helps."""


@cure.command(epilog='Example: tetsuzuki workflow cure timers 42 --reason "lost in the restore"')
@click.argument("instance_id", metavar="INSTANCE", type=INSTANCE)
@_reason
def timers(instance_id: int, reason: str) -> None:
    """Put back the timers that an instance lost, due when its history says."""
    from engine.operations.cures import restore_timers

    with opened_site() as site:
        restored = restore_timers(site.engine, instance_id, operator(), reason)
    for event, due in sorted(restored.items()):
        click.echo(f"instance {instance_id}: timer {event} is due {due:%Y-%m-%d %H:%M:%S} UTC")


@cure.command(epilog='Example: tetsuzuki workflow cure link 42 --reason "its mail was skipped"')
@click.argument("instance_id", metavar="INSTANCE", type=INSTANCE)
@click.option("--mail", default="", help="The mail's name, where several could bring the link.")
@_reason
def link(instance_id: int, mail: str, reason: str) -> None:
    """Mail the link of an instance again, as a new one. The old one is dead."""
    from engine.operations.cures import mail_link

    with opened_site() as site:
        sent = mail_link(site.engine, instance_id, operator(), reason, mail)
    click.echo(f"instance {instance_id}: {sent} will be mailed, with a new link")
