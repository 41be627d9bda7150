"""`tetsuzuki plugins list|check|remove|new`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from web.cli.skeleton import SHAPES, write_package

if TYPE_CHECKING:
    from engine.plugins.loaded import Plugins
    from engine.store.base import SiteDatabase
    from web.assembly.settings import Settings


@click.group(epilog="Example: tetsuzuki plugins list")
def plugins() -> None:
    """Look at the installed plugins, or begin one."""


@plugins.command("list", epilog="Example: tetsuzuki plugins list")
def list_plugins() -> None:
    """Every installed plugin: its state, where it comes from, what it adds."""
    from web.assembly.settings import read
    from web.assembly.site import plugins_of

    settings = read()
    loaded = plugins_of(settings)
    health = _health(settings, loaded)
    for one in loaded.listed:
        click.echo(f"{one.name}  {one.state}  ({one.distribution} {one.version})  {one.description}")
        for hook, names in one.adds.items():
            click.echo(f"    adds {_what(hook)}: {', '.join(names)}")
        if one.name in health:
            click.echo(f"    health: {health[one.name]}")
        if one.reason:
            click.echo(f"    {one.reason}")


@plugins.command(epilog="Example: tetsuzuki plugins check")
def check() -> None:
    """Load every plugin as the site would; ends with 1 where one fails, or something needs what no plugin adds.

    What needs it is a setting, or what is in the database: contracts, requests under way, effects, tables.
    """
    from web.assembly.settings import read
    from web.assembly.site import plugins_of

    settings = read()
    loaded = plugins_of(settings)
    clashes = loaded.register_all()
    wrong = [*map(str, loaded.failures), *clashes]
    if not clashes:
        wrong += (*_missing(settings, loaded), *_unmet(settings, loaded))
    for line in wrong:
        click.echo(line, err=True)
    if wrong:
        sys.exit(1)
    click.echo(f"{sum(one.state == 'enabled' for one in loaded.listed)} plugins are well")


def _health(settings: Settings, loaded: Plugins) -> dict[str, str]:
    """What plugins say of their own health, in the open site; they are not asked where there is no database yet."""
    from engine.errors import EngineError
    from engine.plugins.health_reports import WHOLE
    from web.cli.sites import opened_site

    asked = [plugin for plugin, _ask in loaded.implementations("report_health")]
    if not asked:
        return {}
    if not _is_there(settings.database_url):
        return dict.fromkeys(asked, "not asked, there is no database yet")
    try:
        with opened_site(looks=True, plugins=loaded) as site:
            return {
                one.plugin: f"{one.health.state}: {one.why}" if one.why else one.health.state
                for one in site.health.answers(WHOLE)
            }
    except EngineError as error:
        return dict.fromkeys(asked, f"not asked: {error}")


def _is_there(database_url: str) -> bool:
    """Whether there is a database already; that of a server is, as far as a command can tell."""
    file = database_url.removeprefix("sqlite:///")
    return file == database_url or Path(file).exists()


@contextmanager
def _database(settings: Settings) -> Iterator[SiteDatabase | None]:
    """The site's database as it stands, for the length of the block; None where there is none yet."""
    from engine.store.opening import open_database

    if not _is_there(settings.database_url):
        yield None
        return
    db = open_database(settings.database_url)
    try:
        yield db
    finally:
        if not db.is_closed():
            db.close()


def _what(hook: str) -> str:
    """What a hook registers, in words: disk usage for register_disk_usage."""
    return hook.removeprefix("register_").replace("_", " ")


def _missing(settings: Settings, loaded: Plugins) -> Iterator[str]:
    """The settings that name something which no plugin adds. A default counts as no choice."""
    from web.assembly.site import CHOICES

    for setting, hook in CHOICES.items():
        wanted, known = getattr(settings, setting), sorted(loaded.registered(hook))
        if wanted not in known and settings.names(setting):
            yield f"{settings.place(setting)}: no plugin adds {wanted!r}; there are: {', '.join(known) or 'none'}"


def _unmet(settings: Settings, loaded: Plugins) -> Iterator[str]:
    """What in the database needs a plugin that is not there."""
    from web.assembly.plugin_needs import day_of, is_up_to_date, unmet

    with _database(settings) as db:
        if db is not None and is_up_to_date(db):
            for need in unmet(db, loaded, day_of(settings, db.now())):
                yield f"the database: no plugin brings {need}; it waits until one does"


@plugins.command(epilog="Example: tetsuzuki plugins remove convenience_store")
@click.argument("name")
@click.option("--drop-tables", is_flag=True, help="Drop the plugin's own tables, once nothing needs it any more.")
@click.option("--yes", is_flag=True, help="Do not ask before the tables are dropped.")
def remove(name: str, drop_tables: bool, yes: bool) -> None:
    """Say what would be lost or wait without a plugin, and how to remove it; ends with 1 while something needs it.

    The plugin must be at work, because nobody else knows what it brings. Nothing is changed without --drop-tables.
    """
    from web.assembly.settings import read
    from web.cli.plugin_removal import drop, leaving

    settings = read()
    with _database(settings) as db:
        found = leaving(settings, name, db)
        for line in found.lines:
            click.echo(line)
        if drop_tables and db is not None and found.tables and not found.needed:
            if not yes:
                click.confirm(f"Drop {', '.join(found.tables)}, with all that is in them?", abort=True)
            drop(db, found)
            click.echo(f"dropped {', '.join(found.tables)}")
    if found.needed:
        sys.exit(1)


@plugins.command(epilog="Example: tetsuzuki plugins new convenience_store --shape payment_method")
@click.argument("name")
@click.option("--shape", type=click.Choice(tuple(SHAPES)), required=True, help="What the plugin is.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where its folder goes.")
def new(name: str, shape: str, into: Path) -> None:
    """Write a package with a plugin that works, and the contract tests of its shape."""
    folder = write_package(name, shape, into)
    click.echo(f"{folder} is there. Next:\n  cd {folder}\n  pip install .\n  pytest\n  tetsuzuki plugins list")
