"""`tetsuzuki plugins list|check|new`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from web.cli.skeleton import SHAPES, write_package

if TYPE_CHECKING:
    from engine.plugins.loaded import Plugins
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
    """Load every plugin as the site would; ends with 1 where one fails, or a setting names what no plugin adds."""
    from web.assembly.settings import read
    from web.assembly.site import plugins_of

    settings = read()
    loaded = plugins_of(settings)
    clashes = loaded.register_all()
    wrong = [*map(str, loaded.failures), *clashes, *(() if clashes else _missing(settings, loaded))]
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
    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).exists():
        return dict.fromkeys(asked, "not asked, there is no database yet")
    try:
        with opened_site(looks=True, plugins=loaded) as site:
            return {
                one.plugin: f"{one.health.state}: {one.why}" if one.why else one.health.state
                for one in site.health.answers(WHOLE)
            }
    except EngineError as error:
        return dict.fromkeys(asked, f"not asked: {error}")


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


@plugins.command(epilog="Example: tetsuzuki plugins new convenience_store --shape payment_method")
@click.argument("name")
@click.option("--shape", type=click.Choice(tuple(SHAPES)), required=True, help="What the plugin is.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where its folder goes.")
def new(name: str, shape: str, into: Path) -> None:
    """Write a package with a plugin that works, and the contract tests of its shape."""
    folder = write_package(name, shape, into)
    click.echo(f"{folder} is there. Next:\n  cd {folder}\n  pip install .\n  pytest\n  tetsuzuki plugins list")
