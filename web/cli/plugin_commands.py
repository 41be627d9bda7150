"""`tetsuzuki <plugin> …`: the commands that plugins bring (`register_commands`)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import click

from engine.errors import PluginError
from workflows.ports.commands import CommandSite, SiteDoor, group_of

if TYPE_CHECKING:
    from engine.plugins.found import Listed
    from engine.plugins.loaded import Claim, Plugins

GROUP = "tetsuzuki.plugins"  # that of `engine.plugins.found`, which a word that is mistyped need not load
_OF_CLICK = (click.ClickException, click.Abort, click.exceptions.Exit)


def commands_of(name: str) -> click.Group | None:
    """The commands of the plugin that `tetsuzuki <name>` means; None where no plugin of that name has any.

    Nothing is loaded for a name that no installed plugin has. Raises PluginError, with the reason, where the plugin is
    not at work.
    """
    group = group_of(name)
    if all(group_of(installed) != group for installed in entry_points(group=GROUP).names):
        return None
    from web.assembly.settings import read
    from web.assembly.site import plugins_of

    plugins = plugins_of(read())
    commands = plugins.registered("register_commands").get(group)
    if commands is not None:
        (its,) = (claim for claim in plugins.claims("register_commands") if claim.name == group)
        return _PluginCommands(its, commands, plugins)
    absent = [one for one in plugins.listed if group_of(one.name) == group and one.state != "enabled"]
    if absent:
        raise PluginError("\n".join(map(_why_absent, absent)))
    return None


def _why_absent(one: Listed) -> str:
    return f"plugin {one.name} ({one.distribution} {one.version}): {one.reason or 'disabled by the settings'}"


class _PluginCommands(click.Group):
    """The commands of one plugin. What they raise is told in one line that names the plugin."""

    def __init__(self, claim: Claim, commands: dict[str, click.Command], plugins: Plugins) -> None:
        from engine.plugins.docstrings import description

        super().__init__(group_of(claim.plugin), commands=commands, help=description(claim.module))
        self._plugin = claim.plugin
        self._plugins = plugins

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with a door to the site."""
        door = ctx.obj = SiteDoor(self._opened)
        try:
            return super().invoke(ctx)
        except _OF_CLICK:
            raise
        except Exception as error:
            if error is door.failed or getattr(error, "errno", None) == errno.EPIPE:  # the reader has gone: no fault
                raise
            raise PluginError(str(self._plugins.blamed(self._plugin, error))) from error

    @contextmanager
    def _opened(self) -> Iterator[CommandSite]:
        from engine.errors import ConfigurationError
        from web.assembly.settings import read
        from web.cli.sites import expect_up_to_date, opened_site, operator

        expect_up_to_date(read(), self._plugins)
        if read().keyring is None:  # a command cannot say that it only looks, and looking makes no key
            with opened_site(plugins=self._plugins, looks=True):  # which tells a key that is lost
                raise ConfigurationError(
                    "SECRET_KEY: this site has none yet, and no command of a plugin makes one: tetsuzuki migrate does"
                )
        with opened_site(plugins=self._plugins) as site:
            yield CommandSite(site.engine, operator(), site.clock, site.services)
