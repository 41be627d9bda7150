"""`tetsuzuki mails bounce|marks|clear`: mails that came back, and the addresses that are marked by them."""

from __future__ import annotations

import sys
from typing import IO

import click

from engine.configuration import one_line
from engine.store.base import LARGEST
from web.cli.sites import REASON, expect_up_to_date, opened_site, operator

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: a mail server keeps the mail, and pipes it again later


@click.group(epilog="Example: tetsuzuki mails marks")
def mails() -> None:
    """Mails that came back, and the addresses that are marked by them."""


@mails.command(
    epilog="""\b
Example: tetsuzuki mails bounce report.eml
In an alias of the mail server:
         |cd /var/lib/tetsuzuki && TETSUZUKI_CONFIG=/etc/tetsuzuki/tetsuzuki.toml tetsuzuki mails bounce -"""
)
@click.argument("file", type=click.File("rb"))
def bounce(file: IO[bytes]) -> None:
    """Read one mail that came to the site's sender, from a file or from standard input (-).

    Where it is a report on a failure or a complaint about a mail of this site, its address is marked. Any other mail
    changes nothing. Ends with 0 whenever the mail was read, and with 75 where it is to be tried again.
    """
    from web.assembly.settings import read as settings
    from workflows.business.address_marks import read
    from workflows.business.address_marks.reading import MOST_BYTES

    found = read(file.read(MOST_BYTES))
    if not found.failures:
        click.echo("it reports no failure and no complaint: nothing is marked")
        return
    try:
        expect_up_to_date(settings())  # the mail server may call before a new version is started
        with opened_site() as site:
            taken = site.returned_mails.report_read(found, str(operator()))
    except Exception as error:  # whatever is wrong here, the mail server keeps the mail
        click.echo(f"not now: {type(error).__name__}: {error}", err=True)
        sys.exit(TRY_AGAIN)
    for returned, verdict in taken:
        click.echo(f"{returned.kind} {returned.status or '(no status)'}: {verdict}")
    if not taken:
        click.echo("it names no mail of this site: nothing is marked")


@mails.command(epilog="Example: tetsuzuki mails marks --most 50")
@click.option("--most", type=click.IntRange(1, LARGEST), default=1000, show_default=True, help="How many at most.")
def marks(most: int) -> None:
    """The addresses that are marked, the last one that came back first: number, kind, address, and what was said."""
    from workflows.business import address_marks

    with opened_site(looks=True):
        listed = address_marks.marks(most)
    for one in listed:
        said = one_line(f"{one.status} {one.words}")
        click.echo(
            f"{one.id}  {one.kind}  {one.email}: {one.times} mails, the last {one.last_at:%Y-%m-%d %H:%M} UTC, mail "
            f"{one.mail}, told by {one.source}{f': {said}' if said else ''}"
        )
    if not listed:
        click.echo("no address is marked", err=True)


@mails.command(epilog='Example: tetsuzuki mails clear 12 --reason "the mailbox is there again"')
@click.argument("number", type=click.IntRange(1, LARGEST))
@click.option("--reason", type=REASON, required=True, help="Kept with the mark: name no person.")
def clear(number: int, reason: str) -> None:
    """Take the mark of an address away: notices are mailed to it again."""
    from workflows.business import address_marks

    with opened_site() as site:
        try:
            cleared = address_marks.clear(number, operator(), reason, site.clock())
        except address_marks.Changed:
            raise click.ClickException(f"mark {number} was cleared before") from None
    if cleared is None:
        raise click.ClickException(f"there is no mark {number}; see tetsuzuki mails marks")
    click.echo(f"mark {number} is cleared")
