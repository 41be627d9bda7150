"""`tetsuzuki plugins list|check|new`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from web.cli.skeleton import SHAPES, write_package


@click.group(epilog="Example: tetsuzuki plugins list")
def plugins() -> None:
    """Look at the installed plugins, or begin one."""


@plugins.command("list", epilog="Example: tetsuzuki plugins list")
def list_plugins() -> None:
    """Every installed plugin: its state, where it comes from, what it adds."""
    from web.bootstrap import plugins_of
    from web.settings import read

    loaded = plugins_of(read())
    for one in loaded.listed:
        adds = [f"mailer {name}" for name in one.mailers] + [f"effects {kind}" for kind in one.kinds]
        click.echo(f"{one.name}  {one.state}  ({one.distribution} {one.version})  {one.description}")
        if adds:
            click.echo(f"    adds {', '.join(adds)}")
        if one.reason:
            click.echo(f"    {one.reason}")


@plugins.command(epilog="Example: tetsuzuki plugins check")
def check() -> None:
    """Load every plugin as the site would; ends with 1 where one fails."""
    from web.bootstrap import plugins_of
    from web.settings import read

    loaded = plugins_of(read())
    for failure in loaded.failures:
        click.echo(str(failure), err=True)
    if loaded.failures:
        sys.exit(1)
    click.echo(f"{sum(one.state == 'enabled' for one in loaded.listed)} plugins are well")


@plugins.command(epilog="Example: tetsuzuki plugins new convenience_store --shape billing_backend")
@click.argument("name")
@click.option("--shape", type=click.Choice(tuple(SHAPES)), required=True, help="What the plugin is.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where its folder goes.")
def new(name: str, shape: str, into: Path) -> None:
    """Write a package with a plugin that works, and the contract tests of its shape."""
    folder = write_package(name, shape, into)
    click.echo(f"{folder} is there. Next:\n  cd {folder}\n  pip install .\n  pytest\n  tetsuzuki plugins list")
