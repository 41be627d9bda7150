"""`tetsuzuki customers import`, `export` and `template`; see `waves` for `invite` and `release`."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.configuration import one_line
from engine.errors import DatabaseAway, EngineError
from web.cli.progress import progress_of
from web.cli.sites import is_there, opened_site
from web.cli.waves import invite, release
from web.cli.written import FILE, whole

if TYPE_CHECKING:
    from web.assembly.site import Site
    from workflows.business.customer_file import Change, ImportRefused, ImportReport, Rename
    from workflows.contract_change import Corrected

_MOST_SHOWN = 200  # problems
_MOST_LEFT_OUT = 20  # contracts that the file leaves out, of those that are named unless it is a dry run
_LONGEST_SHOWN = 200  # letters of a value
_ALL_OR_NOTHING = (
    "Either all of it was imported or nothing: give the command again. What waits on its contracts may keep its price "
    'then: see "A corrected contract" in docs/operations.md'
)


@click.group(epilog="Example: tetsuzuki customers import customers.csv")
def customers() -> None:
    """Bring customers and contracts in, or out."""


class _WithColumns(click.Command):
    """A command whose help lists the columns of the file."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The columns, and the example."""
        from engine.text import reading_in
        from workflows.business.customer_file.columns import COLUMNS

        with reading_in("en"), formatter.section("Columns"):
            formatter.write_dl(
                [
                    (column.name, f"{'' if column.required else 'optional: '}{column.holds}, as in {column.example}")
                    for column in COLUMNS
                ]
            )
        super().format_epilog(ctx, formatter)


@customers.command("import", cls=_WithColumns, epilog="Example: tetsuzuki customers import customers.csv --dry-run")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--encoding", default="utf-8-sig", show_default=True, help="The file's encoding, as in cp932.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and which contracts the file leaves out.")
@click.option("--overwrite", is_flag=True, help="Let the file win over changes made on the site.")
@click.option("--rename", multiple=True, metavar="OLD=NEW", help="A contract has another subdomain by now; repeatable.")
def import_file(file: Path, encoding: str, dry_run: bool, overwrite: bool, rename: tuple[str, ...]) -> None:
    """Import a CSV file: all of it, or nothing. Every bad row is reported by line and column.

    A row is a contract; the columns of its customer stand on each of its rows. Contracts that the file leaves out stay
    as they are. Commas, tabs or semicolons may stand between cells.
    """
    from peewee import InterfaceError, OperationalError

    from web.assembly.settings import read, shown_url
    from workflows.business.customer_file import ImportRefused, import_customers
    from workflows.contract_change import Corrected, Corrections, restack_corrected

    failed = (DatabaseAway, OperationalError, InterfaceError)
    told, corrections = _Told(dry_run), Corrections()

    def heard(change: Change) -> None:
        told.change(change)
        if not dry_run:
            corrections.hear(change)

    was_there = is_there(read().database_url)
    with opened_site(looks=dry_run, begins=True) as site:
        try:
            report = import_customers(
                file,
                encoding=encoding,
                overwrite=overwrite,
                renames=_renames(rename, site),
                dry_run=dry_run,
                pattern=site.organisation.customer_number_pattern,
                catalogue=site.catalogue,
                progress=_progress(),
                on_change=heard,
            )
        except ImportRefused as refused:
            _show(file, refused)
            sys.exit(1)
        except failed as error:  # a COMMIT may have had no answer
            raise click.ClickException(
                f"{file}: the database failed ({one_line(str(error))}). "
                f"{'Nothing was written' if dry_run else _ALL_OR_NOTHING}"
            ) from error
        corrected = Corrected()
        try:
            if not dry_run:
                with progress_of("made searchable") as progress:
                    site.search.catch_up(progress=progress)
                corrected = restack_corrected(site.services, site.engine, corrections.contracts)
        except (EngineError, *failed) as error:
            told.end(report)
            raise click.ClickException(
                f"{file}: it is imported, but what waits on its contracts could not be dated and priced anew: "
                f'{one_line(str(error))} See "A corrected contract" in docs/operations.md'
            ) from error
    if sys.stderr.isatty():
        click.echo("\r", nl=False, err=True)
    told.end(report)
    told.requests(corrected)
    if not was_there:
        click.echo(f"{shown_url(read().database_url)} is a new site", err=True)


def _renames(given: Sequence[str], site: Site) -> list[Rename]:
    from engine.definition import Refusal
    from workflows.business.customer_file import Rename

    renames = []
    for text in given:
        read = Rename.read(text, site.catalogue)
        if isinstance(read, Refusal):
            raise click.BadParameter(f'"{text}": {read.message}', param_hint="--rename")
        renames.append(read)
    return renames


def _progress() -> Any:
    shown = -1

    def progress(done: int, total: int | None) -> None:
        nonlocal shown
        percent = done * 100 // total if total else -1
        if percent != shown and sys.stderr.isatty():
            shown = percent
            click.echo(f"\r{percent:3d} %" if total else f"\rread {done} rows", nl=False, err=True)

    return progress


def _show(file: Path, refused: ImportRefused) -> None:
    for problem in refused.problems[:_MOST_SHOWN]:
        click.echo(f"{file}: {problem}", err=True)
    more = refused.count - min(len(refused.problems), _MOST_SHOWN)
    if more > 0:
        click.echo(f"{file}: … and {more} more", err=True)
    click.echo(f"{refused.count} problems; nothing was imported", err=True)


class _Told:
    """What an import says of its changes: all of them where it is a dry run, otherwise what the file leaves out."""

    def __init__(self, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._left_out = 0
        self._merged = 0

    def change(self, change: Change) -> None:
        """Say a change."""
        if change.state == "merged":
            self._merged += 1
            if not self._dry_run and self._merged > _MOST_LEFT_OUT:
                return
        elif change.state == "missing":
            self._left_out += 1
            if not self._dry_run and self._left_out > _MOST_LEFT_OUT:
                return
        elif not self._dry_run:
            return
        for line in _lines(change):
            click.echo(line)

    def end(self, report: ImportReport) -> None:
        """Say what it comes to."""
        if not self._dry_run and self._left_out > _MOST_LEFT_OUT:
            click.echo(f"… and {self._left_out - _MOST_LEFT_OUT} more; --dry-run names all of them")
        click.echo(
            f"customers: {report.customers_new} new, {report.customers_changed} changed, {report.customers_same} same\n"
            f"contracts: {report.contracts_new} new, {report.contracts_changed} changed, {report.contracts_same} same"
        )
        if report.customers_merged:
            click.echo(
                f"merged before: {report.customers_merged} customers, whose contracts were taken to the customers they"
                " are now; what the file says about the customers themselves was left alone"
            )
        if self._left_out:
            click.echo(f"missing from the file: {self._left_out} contracts, which stay as they are")
        if self._dry_run:
            click.echo("dry run: nothing was written")
        elif report.customers_new:
            click.echo("nothing is mailed to new customers: tetsuzuki customers invite --help", err=True)

    def requests(self, corrected: Corrected) -> None:
        """Say what became of the requests that waited on contracts that were corrected."""
        if corrected.redated:
            click.echo(f"requests: {len(corrected.redated)} dated anew, because their contracts were corrected")
        for number in corrected.left:
            said = f"request {number} keeps its date and price though its contract was corrected"
            click.echo(f"{said}: decide on its page, or import again once prices are there", err=True)


def _lines(change: Change) -> Iterator[str]:
    name = " ".join(part for part in (change.kind, change.number, change.product, change.subdomain) if part)
    if change.state == "missing":
        yield f"missing from the file: {name}"
    elif change.state == "merged":
        (_number, before, after), *_others = change.fields
        yield f"line {change.line}: {before} was merged into {after}: its details are left alone"
    elif change.state == "new":
        yield f"line {change.line}: new {name}"
    else:
        for column, before, after in change.fields:
            yield f'line {change.line}: {name}: {column}: "{_shown(before)}" → "{_shown(after)}"'


def _shown(value: Any) -> str:
    from workflows.business.customer_file.problems import short
    from workflows.business.customer_file.spool import text_of

    return short(text_of(value), _LONGEST_SHOWN)


@customers.command("export", epilog="Example: tetsuzuki customers export > customers.csv")
@click.argument("file", type=FILE, default="-")
def export_file(file: Path) -> None:
    """Export every contract with its customer as CSV, as `import` reads it. A file of before stays until the new one is
    whole."""
    from workflows.business.customer_file import export_customers

    with opened_site(looks=True), whole(file) as opened:
        rows = export_customers(opened)
    click.echo(f"{rows} contracts", err=True)


@customers.command("template", cls=_WithColumns, epilog="Example: tetsuzuki customers template > customers.csv")
@click.argument("file", type=FILE, default="-")
def template_file(file: Path) -> None:
    """Write a CSV file to begin with: the header, and an example of a row, which Excel opens.

    The row holds what this site sells; replace it before the file is imported. A file that is there is left alone.
    """
    from web.assembly.settings import read
    from web.assembly.site import catalogue_of, organisation_of, plugins_of
    from workflows.business.customer_file.template import template

    settings = read()
    catalogue = catalogue_of(settings, plugins_of(settings))
    text = template(organisation_of(settings).customer_number_pattern, catalogue)
    if file.is_file():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(file))
    with whole(file) as opened:
        opened.write(text)


customers.add_command(invite)
customers.add_command(release)
