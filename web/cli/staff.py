"""`tetsuzuki staff add|list|reset|deactivate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from web.cli.sites import opened_site

if TYPE_CHECKING:
    from web.assembly.site import Site
    from workflows.business.access.staff.set_up import SetUp


@click.group(epilog='Example: tetsuzuki staff add hanako@example.co.jp "見本 花子"')
def staff() -> None:
    """Who works on the staff side, /staff/."""


@staff.command(epilog='Example: tetsuzuki staff add hanako@example.co.jp "見本 花子"')
@click.argument("email")
@click.argument("name")
def add(email: str, name: str) -> None:
    """Add somebody, and print the one-time address where they set a password and their authenticator."""
    with opened_site(begins=True) as site:
        _show(site, site.staff.members.add(email, name))


@staff.command(epilog="Example: tetsuzuki staff reset hanako@example.co.jp")
@click.argument("email")
def reset(email: str) -> None:
    """Print a new one-time address. Password, authenticator and sessions that were before end at once.

    For a lost phone or a forgotten password, and to let somebody in again who was deactivated.
    """
    with opened_site() as site:
        _show(site, site.staff.members.reset(email))


@staff.command(epilog="Example: tetsuzuki staff deactivate hanako@example.co.jp")
@click.argument("email")
def deactivate(email: str) -> None:
    """Shut somebody out, now. Their name stays in the history of what they did."""
    with opened_site() as site:
        member = site.staff.members.deactivate(email)
    click.echo(f"{member.email} ({member.name}) is shut out; all sessions have ended")


@staff.command("list", epilog="Example: tetsuzuki staff list")
def list_staff() -> None:
    """Everybody who is or was on the staff: number, since when, address, name, and whether they can log in."""
    with opened_site(looks=True) as site:
        members = site.staff.members.all()
    for member in members:
        standing = "active" if member.totp_secret else "waits for set-up"
        click.echo(
            f"staff:{member.id}  {member.created_at:%Y-%m-%d}  {member.email}  {member.name}  "
            f"{standing if member.active else 'deactivated'}"
        )
    click.echo(f"{len(members)} members" if members else "no staff yet: tetsuzuki staff add EMAIL NAME", err=True)


def _show(site: Site, made: SetUp) -> None:
    """Print a one-time address: alone on standard output, so that a script can pass it on; the explanation on standard
    error."""
    click.echo(
        f"{made.member.name} sets a password and an authenticator at this address. "
        "It works once, within 24 hours; hand it over in person or by a channel that you trust.",
        err=True,
    )
    click.echo(f"{site.settings.base_url}/staff/setup/{made.token}")
