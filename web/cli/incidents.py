"""`tetsuzuki incidents list|retry|skip|amend`; `bulk` has the acts on many."""

from __future__ import annotations

from typing import Any

import click

from engine.store.base import LARGEST
from web.cli.bulk_acts import bulk, criteria_of, line, narrowing
from web.cli.sites import opened_site, operator

_reason = click.option("--reason", required=True, help="Goes into history for ever: name no person.")


@click.group(epilog="Example: tetsuzuki incidents list")
def incidents() -> None:
    """What was given up, and what to do about it."""


incidents.add_command(bulk)


@incidents.command("list", epilog="Example: tetsuzuki incidents list --channel mail --code 550")
@narrowing
@click.option("--most", type=click.IntRange(1, LARGEST), default=1000, show_default=True, help="How many at most.")
def list_incidents(most: int, **narrowed: Any) -> None:
    """Open incidents, oldest first: name, since when, what failed and why."""
    from engine.operations.incidents import count
    from engine.operations.incidents import incidents as open_incidents

    with opened_site(looks=True) as site:
        criteria = criteria_of(site, **narrowed)
        listed = open_incidents(site.engine, criteria, most)
        total = count(site.engine, criteria)
    for one in listed:
        click.echo(line(one))
    more = f", {len(listed)} of them shown: see --most" if len(listed) < total else ""
    click.echo(f"{total} open incidents{more}" if total else "no open incidents", err=True)


@incidents.command(epilog='Example: tetsuzuki incidents retry 42.1.0 --reason "mail server was down"')
@click.argument("ref")
@_reason
def retry(ref: str, reason: str) -> None:
    """Try again, with a new deadline that counts from that try. What was delivered is not delivered again."""
    from engine.operations.incidents import retry as act

    with opened_site() as site:
        act(site.engine, ref, operator(), reason)
    click.echo(f"{ref} will be tried again")


@incidents.command(epilog='Example: tetsuzuki incidents skip 42.3.0 --reason "told by phone"')
@click.argument("ref")
@_reason
def skip(ref: str, reason: str) -> None:
    """Give the effect up for good; what waits behind it goes on."""
    from engine.operations.incidents import skip as act

    with opened_site() as site:
        act(site.engine, ref, operator(), reason)
    click.echo(f"{ref} was skipped")


@incidents.command(epilog='Example: tetsuzuki incidents amend 42.1.0 --to taro@example.jp --reason "typing error"')
@click.argument("ref")
@click.option("--to", "address", required=True, help="The correct email address.")
@_reason
def amend(ref: str, address: str, reason: str) -> None:
    """Correct the recipient's address and try again. A mailed link gets a new one; the old is dead."""
    from engine.attempt import Refusal
    from engine.errors import ConfigurationError
    from engine.operations.incidents import amend as act
    from workflows.business import typed

    checked = typed.email(address)
    if isinstance(checked, Refusal):
        raise ConfigurationError(checked.message)
    with opened_site() as site:
        act(site.engine, ref, operator(), reason, checked)
    click.echo(f"{ref} will be tried again, to the new address")
