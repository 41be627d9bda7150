"""`tetsuzuki webhooks events|replay|settle`: what machines outside have sent to plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.configuration import one_line
from engine.store.base import LARGEST
from web.cli.sites import REASON, opened_site, operator

if TYPE_CHECKING:
    from workflows.webhook_events import WebhookEvent

_NUMBER = click.IntRange(1, LARGEST)


@click.group(epilog="Example: tetsuzuki webhooks events")
def webhooks() -> None:
    """What machines outside have sent to plugins, and what could not be handled."""


@webhooks.command(
    "events",
    epilog="""\b
Example: tetsuzuki webhooks events
         tetsuzuki webhooks events --all --most 50""",
)
@click.option("--all", "everything", is_flag=True, help="Those that were handled or settled, too; the newest first.")
@click.option("--most", type=_NUMBER, default=1000, show_default=True, help="How many at most.")
def list_events(everything: bool, most: int) -> None:
    """The events that are not handled, the oldest first: number, state, where it came, and why."""
    from workflows import webhook_events

    with opened_site(looks=True):
        listed = webhook_events.events(webhook_events.STATES if everything else webhook_events.OPEN, most)
        waiting = sum(webhook_events.counts().values())
    for one in listed:
        click.echo(_line(one))
    click.echo(f"{waiting} events are not handled" if waiting else "no event waits", err=True)


def _line(one: WebhookEvent) -> str:
    why = f" ({one.reason})" if one.reason else ""
    again = f", sent {one.times} times" if one.times > 1 else ""
    event = one_line(f"{one.event} {one.kind}")
    return f"{one.id}  {one.state}{why}  {one.address}: received {one.received_at:%Y-%m-%d %H:%M} UTC{again}: {event}"


@webhooks.command(epilog="Example: tetsuzuki webhooks replay 12")
@click.argument("number", type=_NUMBER)
@click.option("--reason", type=REASON, help="Kept with the event: name no person.")
def replay(number: int, reason: str | None) -> None:
    """Have the plugin handle an event once more. Ends with 1 where it cannot be handled."""
    from engine.errors import EventNotPossible
    from workflows.webhook_events import OPEN, try_again

    with opened_site() as site:
        try:
            tried = try_again(site.services, number, operator(), reason or "")
        except EventNotPossible:
            raise click.ClickException(f"event {number} was handled or settled before") from None
    if tried is None:
        raise click.ClickException(f"there is no event {number}; see tetsuzuki webhooks events --all")
    if tried.state in OPEN:
        raise click.ClickException(f"event {number} cannot be handled: {tried.reason}")
    click.echo(f"event {number} is {tried.state}")


@webhooks.command(epilog='Example: tetsuzuki webhooks settle 12 --reason "of a mail of the test system"')
@click.argument("number", type=_NUMBER)
@click.option("--reason", type=REASON, required=True, help="Kept with the event: name no person.")
def settle(number: int, reason: str) -> None:
    """Say that an event was dealt with by hand: it is not tried again."""
    from engine.errors import EventNotPossible
    from workflows.webhook_events import settle as act

    with opened_site() as site:
        try:
            settled = act(site.services, number, operator(), reason)
        except EventNotPossible:
            raise click.ClickException(f"event {number} was handled or settled before") from None
    if settled is None:
        raise click.ClickException(f"there is no event {number}; see tetsuzuki webhooks events --all")
    click.echo(f"event {number} is settled")
