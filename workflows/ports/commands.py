"""Commands of plugins: `tetsuzuki <plugin> <command>`. They are written with click, as the site's own are.

A command that needs the site says so with `with_site`. The site is opened when such a command runs, and closed when it
ends; `--help` and a command without it open nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    import click

    from engine import Actor, Engine

P = ParamSpec("P")
T = TypeVar("T")

# The commands of the site itself: no plugin's may have the name of one.
OWN_COMMANDS = (
    *("customers", "demo", "doctor", "incidents", "mails", "migrate", "pauses", "payments", "plugins", "restored"),
    *("secret", "serve", "shell", "staff", "webhooks", "worker", "workflow"),
)

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class CommandSite:
    """The open site of a command.

    `engine` starts, fires and looks, on the site's own database; the records of the business are bound to the same
    database. `operator` is who runs the command, as history names them. `clock` tells the site's time, in UTC.
    `services` is what rules read as `Attempt.services` (`workflows.services.Services`).
    """

    engine: Engine
    operator: Actor
    clock: Callable[[], datetime]
    services: Any = None


class SiteDoor:
    """Opens the site for a command, once however many commands above and below it ask. Closes it when the command
    ends.

    `failed` is the error with which the site could not be opened, which is no fault of the command's.
    """

    def __init__(self, opening: Callable[[], AbstractContextManager[CommandSite]]) -> None:
        self._opening = opening
        self._site: CommandSite | None = None
        self.failed: BaseException | None = None

    def open(self, context: click.Context) -> CommandSite:
        """The site, open until the outermost command of `context` ends."""
        if self._site is None:
            try:
                self._site = context.find_root().with_resource(self._opening())
            except BaseException as error:
                self.failed = error
                raise
        return self._site


def with_site(command: Callable[Concatenate[CommandSite, P], T]) -> Callable[P, T]:
    """Give a command the open site as its first argument. It stands below click's own decorators.

    @click.command()
    @click.option("--day", type=int)
    @with_site
    def run(site, day):
        "Write the file of a day."
    """

    @wraps(command)
    def opened(*args: P.args, **kwargs: P.kwargs) -> T:
        import click

        context = click.get_current_context()
        door = context.find_object(SiteDoor)
        if door is None:
            raise RuntimeError("the command was called outside of tetsuzuki: in a test, give it a SiteDoor as `obj`")
        return command(door.open(context), *args, **kwargs)

    return opened


def group_of(plugin: str) -> str:
    """The name under which the commands of a plugin stand: `direct-debit` for the plugin direct_debit."""
    return plugin.replace("_", "-")


def wrong_command(name: str, command: Any) -> str:
    """What is wrong with a command that a plugin registers; "" where nothing is."""
    import click

    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        return f"its name must be lower-case letters, digits and single hyphens, {_LONGEST} at most"
    if not isinstance(command, click.Command):
        return f"it is no click command but {type(command).__name__}: is @click.command() missing?"
    return ""
