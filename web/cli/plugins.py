"""`tetsuzuki plugins list|check|remove|retire|new`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from engine.configuration import nearest, one_line
from engine.errors import EngineError
from web.cli.skeleton import SHAPES, SHORT, write_package

if TYPE_CHECKING:
    from datetime import datetime

    from engine.plugins.loaded import Plugins
    from engine.store.base import SiteDatabase
    from web.assembly.settings import Settings
    from workflows.schedule import Standing

_SCHEDULES = "register_schedules"


@click.group(epilog="Example: tetsuzuki plugins list")
def plugins() -> None:
    """Look at the installed plugins, or begin one."""


@plugins.command("list", epilog="Example: tetsuzuki plugins list")
def list_plugins() -> None:
    """Every installed plugin: its state, where it comes from, what it adds."""
    from web.assembly.settings import read
    from web.assembly.site import plugins_of
    from web.cli.plugin_removal import what_it_adds

    settings = read()
    loaded = plugins_of(settings)
    health = _health(settings, loaded)
    schedules = _schedules(settings, loaded)
    zone = ZoneInfo(settings.timezone)
    for one in loaded.listed:
        click.echo(f"{one.name}  {one.state}  ({one.distribution} {one.version})  {one.description}")
        for hook, names in one.adds.items():
            click.echo(f"    adds {what_it_adds(hook)}: {', '.join(names)}")
        if "filter_mails" in one.hooks:
            click.echo("    looks at every mail before it is sent")
        if one.name in health:
            click.echo(f"    health: {health[one.name]}")
        for schedule in schedules:
            if schedule.name in one.adds.get(_SCHEDULES, ()):
                click.echo(f"    schedule {schedule.name}: {schedule_line(schedule, zone)}")
        if one.reason:
            click.echo(f"    {one.reason}")


def _schedules(settings: Settings, loaded: Plugins) -> tuple[Standing, ...]:
    """What the site keeps of schedules, read as it is: nothing is migrated, and no key is needed. Nothing where no
    plugin has a schedule, or there is no database yet."""
    import peewee as pw

    from engine.store.opening import open_database
    from workflows.schedule import standings

    file = settings.database_url.removeprefix("sqlite:///")
    is_missing = file != settings.database_url and not Path(file).exists()
    if is_missing or not any(_SCHEDULES in one.adds for one in loaded.listed):
        return ()
    try:
        with closing(open_database(settings.database_url)) as db:
            return standings(db.store())
    except (EngineError, pw.PeeweeException) as error:
        click.echo(f"when schedules are due is not known: {one_line(str(error))}", err=True)
        return ()


@plugins.command(epilog="Example: tetsuzuki plugins retire nightly_report")
@click.argument("schedule")
def retire(schedule: str) -> None:
    """Retire a schedule whose plugin is gone for good, with what it has still to do.

    A plugin that is at work retires its own: it declares the schedule no more.
    """
    from web.cli.sites import opened_site, operator
    from workflows.schedule import standings

    with opened_site() as site:
        kept = {one.name: one for one in standings(site.engine.store)}
        if schedule not in kept:
            hint = nearest(schedule, sorted(kept)) or f"; there are: {', '.join(sorted(kept)) or 'none'}"
            raise click.ClickException(f"schedule {schedule!r}: there is none{hint}")
        if schedule in site.services.schedules.declared:
            raise click.ClickException(
                f"schedule {schedule!r}: the plugin {kept[schedule].plugin!r} declares it and would begin it anew; "
                "remove or disable the plugin first"
            )
        site.engine.fire(kept[schedule].instance, "retire", operator())
    click.echo(f"schedule {schedule} of plugin {kept[schedule].plugin} is retired")


@plugins.command(epilog="Example: tetsuzuki plugins admit bonus_points")
@click.argument("extension")
def admit(extension: str) -> None:
    """Let an extension of a workflow take part in steps again that was left out, because it raised or was slow.

    Each process does so within a minute. What was done without it stays as it is: histories name those steps.
    """
    from web.cli.sites import opened_site
    from workflows.ports.troubles import EXTENSION, settle

    with opened_site() as site:
        known = sorted(one.installed.name for one in site.engine.extensions.standings())
        if not settle(EXTENSION, extension):
            if extension in known:
                raise click.ClickException(f"extension {extension!r}: no process has left it out")
            hint = nearest(extension, known) or f"; there are: {', '.join(known) or 'none'}"
            raise click.ClickException(f"extension {extension!r}: there is none{hint}")
    click.echo(f"extension {extension} takes part again within a minute")


def schedule_line(schedule: Standing, zone: ZoneInfo) -> str:
    """When a schedule is due next, and how its last run went, in one line; times are those of `zone`."""
    planned = f"next {_shown(schedule.next_at, zone)}" if schedule.next_at is not None else "being planned"
    if schedule.last_at is None:
        return f"{schedule.recurrence}; {planned}, not run yet"
    reason = f": {one_line(schedule.reason)}" if schedule.reason else ""
    return (
        f"{schedule.recurrence}; {planned}, last {_shown(schedule.last_at, zone)} ({schedule.outcome} "
        f"{_shown(schedule.tried_at, zone)}{reason})"
    )


def _shown(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment is not None else "-"


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
    from web.assembly.settings import read, shown_url
    from web.assembly.site import expect_no_step
    from web.cli.plugin_removal import drop, leaving
    from workflows.registry import MIGRATIONS

    settings = read()
    with _database(settings) as db:
        if db is None:
            click.echo(f"{shown_url(settings.database_url)}: there is no site, whose records may need it", err=True)
        else:
            expect_no_step(db, settings, MIGRATIONS)  # without them nobody can tell what needs it
        found = leaving(settings, name, db)
        for line in found.lines:
            click.echo(line)
        if drop_tables and db is not None and (found.tables or found.asked) and not found.needed:
            if found.tables and not yes:
                click.confirm(f"Drop {', '.join(found.tables)}, with all that is in them?", abort=True)
            drop(db, found)
            click.echo(f"dropped {', '.join(found.tables) or 'no table'}")
            if found.tables:
                click.echo("take the plugin out before the site is started again, or it begins anew with empty tables")
            if found.asked:
                click.echo(f"customers who are removed no longer wait for {name}")
    if found.needed:
        if drop_tables:
            click.echo("nothing was dropped, because something needs it", err=True)
        sys.exit(1)


@plugins.command(epilog="Example: tetsuzuki plugins new convenience_store --shape payment_method")
@click.argument("name")
@click.option("--shape", type=click.Choice((*SHAPES, *SHORT)), required=True, help="What the plugin is.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where its folder goes.")
def new(name: str, shape: str, into: Path) -> None:
    """Write a package with a plugin that works, and the contract tests of its shape."""
    folder = write_package(name, shape, into)
    click.echo(f"{folder} is there. Next:\n  cd {folder}\n  pip install .\n  pytest\n  tetsuzuki plugins list")
