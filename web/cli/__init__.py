"""The command `tetsuzuki`.

Commands import what they need when they run, so that `--help` answers at once. Errors say who, where and what was
expected, on standard error, and end with a code other than 0.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence

import click

# name → (module, attribute, what it does)
_COMMANDS = {
    "demo": ("web.cli.serving", "demo", "The site with demo data and a development mailbox, to try it out."),
    "serve": ("web.cli.serving", "serve", "The site: pages, timers and outbox in one process."),
    "worker": ("web.cli.serving", "worker", "Timers and outbox alone, without pages."),
    "migrate": ("web.cli.upkeep", "migrate", "Bring the database up to date."),
    "customers": ("web.cli.customers", "customers", "Bring customers and contracts in, or out."),
    "staff": ("web.cli.staff", "staff", "Who works on the staff side of the site."),
    "workflow": ("web.cli.workflow", "workflow", "Look at workflows and at what runs on them."),
    "incidents": ("web.cli.incidents", "incidents", "What was given up, and what to do about it."),
    "payments": ("web.cli.payments", "payments", "What payment providers have reported."),
    "mails": ("web.cli.mails", "mails", "Mails that came back, and the addresses that are marked by them."),
    "webhooks": ("web.cli.webhooks", "webhooks", "What machines outside have sent to plugins."),
    "pauses": ("web.cli.pauses", "pauses", "What is paused, since when, by whom and why."),
    "secret": ("web.cli.secret", "secret", "The secret key: look at it, replace it, or go on without it."),
    "plugins": ("web.cli.plugins", "plugins", "Look at the installed plugins, or begin one."),
    "shell": ("web.cli.shell", "shell", "A Python prompt in the site, which only looks unless told otherwise."),
    "restored": ("web.cli.restoring", "restored", "Say that the database was restored from a backup."),
    "doctor": ("web.cli.doctor", "doctor", "Is everything well? Ends with 1 where it is not."),
}


class _LazyGroup(click.Group):
    """A group that lists every command of the site and imports only the one that runs. Plugins are looked for only
    under a name that is none of these."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            from web.cli.plugin_commands import commands_of

            return commands_of(cmd_name)
        module, attribute, _ = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, _, what) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, epilog="Example: tetsuzuki demo")
@click.version_option(package_name="tetsuzuki", message="%(prog)s %(version)s")
def tetsuzuki() -> None:
    """A customer support site run by a durable state-machine engine.

    Settings are read from tetsuzuki.toml and from TETSUZUKI_… in the environment. What plugins bring is in `tetsuzuki
    plugins list`.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and end the process with its exit code."""
    from engine.configuration import one_line
    from engine.errors import EngineError
    from engine.text import reading_in

    with reading_in("ja" if os.environ.get("LANG", "").startswith("ja") else "en"):
        try:
            tetsuzuki.main(args=list(arguments) if arguments is not None else None, prog_name="tetsuzuki")
        except EngineError as error:
            _fail(str(error))
        except OSError as error:
            if error.filename is None and error.errno == errno.ENOSPC:  # of whatever was being written
                _fail(str(error.strerror))
            if error.filename is None:  # not a file that the user named: a fault of ours, with its traceback
                raise
            _fail(f"{error.filename}: {error.strerror}")
        except Exception as error:
            if not _is_unusable_database(error):
                raise
            # The step of a migration says which it is, and whose: the setting is right then.
            where = "; ".join(getattr(error, "__notes__", ())) or "database_url: the database cannot be used"
            _fail(f"{where}: {one_line(str(error))}")


def _fail(message: str) -> None:
    for line in message.splitlines():
        click.echo(line if line.startswith(" ") else f"tetsuzuki: {line}", err=True)
    sys.exit(1)


def _is_unusable_database(error: Exception) -> bool:
    """Whether the database is missing, not ours to open, or no database. Other errors of peewee are our own faults."""
    peewee = sys.modules.get("peewee")
    return peewee is not None and type(error) in (peewee.OperationalError, peewee.DatabaseError)
