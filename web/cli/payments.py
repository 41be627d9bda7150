"""`tetsuzuki payments reports|replay|settle`: what payment providers have reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.configuration import one_line
from engine.store.base import LARGEST
from web.cli.sites import REASON, opened_site, operator

if TYPE_CHECKING:
    from workflows.business.records import PaymentReport

_NUMBER = click.IntRange(1, LARGEST)


@click.group(epilog="Example: tetsuzuki payments reports")
def payments() -> None:
    """What payment providers have reported, and what could not be applied."""


@payments.command(
    "reports",
    epilog="""\b
Example: tetsuzuki payments reports
         tetsuzuki payments reports --all --most 50""",
)
@click.option("--all", "everything", is_flag=True, help="Those that were applied or settled, too; the newest first.")
@click.option("--most", type=_NUMBER, default=1000, show_default=True, help="How many at most.")
def list_reports(everything: bool, most: int) -> None:
    """The reports that are not applied, the oldest first: number, state, what was said of which request, and why."""
    from workflows.payment_method_change import reports

    with opened_site(looks=True):
        listed = reports.reports(reports.STATES if everything else reports.OPEN, most)
        waiting = sum(reports.counts().values())
    for one in listed:
        click.echo(_line(one))
    click.echo(f"{waiting} reports are not applied" if waiting else "no report waits", err=True)


def _line(one: PaymentReport) -> str:
    said = one.status or "not read yet"
    amount = f" {one.amount} yen" if one.amount else ""
    request = f" of request {one.request}" if one.request else " of no request"
    why = f" ({one.reason})" if one.reason else ""
    again = f", sent {one.times} times" if one.times > 1 else ""
    event = one_line(f"{one.event} {one.kind}")
    return (
        f"{one.id}  {one.state}{why}  {one.provider}: {said}{amount}{request}, received "
        f"{one.received_at:%Y-%m-%d %H:%M} UTC{again}: {event}"
    )


@payments.command(epilog="Example: tetsuzuki payments replay 12")
@click.argument("number", type=_NUMBER)
@click.option("--reason", type=REASON, help="Kept with the report: name no person.")
def replay(number: int, reason: str | None) -> None:
    """Ask the payment method anew what a report says, and apply it. Ends with 1 where it cannot be applied."""
    from engine.errors import EventNotPossible
    from workflows.payment_method_change.reports import OPEN, try_again

    with opened_site() as site:
        try:
            tried = try_again(site.engine, site.services, number, operator(), reason or "")
        except EventNotPossible:
            raise click.ClickException(f"report {number} was applied or settled before") from None
    if tried is None:
        raise click.ClickException(f"there is no report {number}; see tetsuzuki payments reports --all")
    if tried.state in OPEN:
        raise click.ClickException(f"report {number} cannot be applied: {tried.reason}")
    click.echo(f"report {number} is {tried.state}")


@payments.command(epilog='Example: tetsuzuki payments settle 12 --reason "paid back by hand"')
@click.argument("number", type=_NUMBER)
@click.option("--reason", type=REASON, required=True, help="Kept with the report: name no person.")
def settle(number: int, reason: str) -> None:
    """Say that a report was dealt with by hand: it is not tried again."""
    from engine.errors import EventNotPossible
    from workflows.payment_method_change.reports import settle as act

    with opened_site() as site:
        try:
            settled = act(site.services, number, operator(), reason)
        except EventNotPossible:
            raise click.ClickException(f"report {number} was applied or settled before") from None
    if settled is None:
        raise click.ClickException(f"there is no report {number}; see tetsuzuki payments reports --all")
    click.echo(f"report {number} is settled")
