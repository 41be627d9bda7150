"""`tetsuzuki customers import` and `export`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from web.cli.sites import opened_site

_MOST_SHOWN = 200


@click.group(epilog="Example: tetsuzuki customers import customers.csv")
def customers() -> None:
    """Bring customers and contracts in, or out."""


@customers.command("import", epilog="Example: tetsuzuki customers import customers.csv --encoding cp932")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--encoding", default="utf-8-sig", show_default=True, help="The file's encoding, as in cp932.")
@click.option("--overwrite", is_flag=True, help="Let the file win over changes made on the site.")
def import_file(file: Path, encoding: str, overwrite: bool) -> None:
    """Import a CSV file: all of it, or nothing. Every bad row is reported by line and column."""
    from workflows.business.customer_file.importing import import_customers
    from workflows.business.customer_file.reading import ImportRefused

    shown = -1

    def progress(done: int, total: int | None) -> None:
        nonlocal shown
        percent = done * 100 // total if total else -1
        if percent != shown and sys.stderr.isatty():
            shown = percent
            click.echo(f"\r{percent:3d} %" if total else f"\rread {done} rows", nl=False, err=True)

    with opened_site() as site:
        try:
            report = import_customers(
                file,
                encoding=encoding,
                overwrite=overwrite,
                pattern=site.organisation.customer_number_pattern,
                catalogue=site.catalogue,
                progress=progress,
            )
        except ImportRefused as refused:
            for problem in refused.problems[:_MOST_SHOWN]:
                click.echo(f"{file}: {problem}", err=True)
            more = len(refused.problems) - _MOST_SHOWN
            if more > 0:
                click.echo(f"{file}: … and {more} more", err=True)
            click.echo(f"{len(refused.problems)} problems; nothing was imported", err=True)
            sys.exit(1)
    if sys.stderr.isatty():
        click.echo("\r", nl=False, err=True)
    click.echo(
        f"customers: {report.customers_new} new, {report.customers_changed} changed, {report.customers_same} same\n"
        f"contracts: {report.contracts_new} new, {report.contracts_changed} changed, {report.contracts_same} same"
    )


@customers.command("export", epilog="Example: tetsuzuki customers export > customers.csv")
@click.argument("file", type=click.File("wb"), default="-")
def export_file(file: object) -> None:
    """Export every contract with its customer as CSV, as `import` reads it."""
    from typing import BinaryIO, cast

    from workflows.business.customer_file.exporting import export_customers

    with opened_site(looks=True):
        rows = export_customers(cast(BinaryIO, file))
    click.echo(f"{rows} contracts", err=True)
