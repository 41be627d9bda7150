"""The kit for commands of plugins; see `workflows.ports.testing`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from click.testing import CliRunner, Result

from workflows.ports.commands import CommandSite, SiteDoor, wrong_command


def run_command(command: click.Command, arguments: Sequence[str], site: CommandSite | None = None) -> Result:
    """Run a command as `tetsuzuki` does, with `site` as the open site. Returns click's result: `exit_code`, `stdout`,
    `stderr`, and `exception` where it raised. Without a `site` it fails where it opens one."""

    @contextmanager
    def opened() -> Iterator[CommandSite]:
        assert site is not None, "the command opened the site"
        yield site

    return CliRunner().invoke(command, list(arguments), obj=SiteDoor(opened))


class CommandsContract(ABC):
    """The contract of commands, as tests. Subclasses define `plugin`, whose `register_commands` they try."""

    @abstractmethod
    def plugin(self) -> Any:
        """The plugin, as the site constructs it."""

    def test_they_are_commands_under_names_that_can_be_typed(self) -> None:
        commands = self.plugin().register_commands()
        assert commands
        assert {name: wrong_command(name, command) for name, command in commands.items()} == dict.fromkeys(commands, "")

    def test_each_says_what_it_does_and_opens_nothing_for_that(self) -> None:
        for path, command in self._all():
            said = run_command(command, ["--help"])
            assert said.exit_code == 0, f"{path}: {said.exception or said.output}"
            assert (command.help or command.short_help or "").strip(), f"{path} has no help: give it a docstring"

    def test_a_wrong_option_is_refused_before_anything_is_opened(self) -> None:
        for path, command in self._all():
            said = run_command(command, ["--no-such-option-of-any-command"])
            assert said.exit_code == click.UsageError.exit_code, f"{path}: {said.exception or said.output}"

    def test_the_site_may_ask_for_them_more_than_once(self) -> None:
        plugin = self.plugin()
        assert list(plugin.register_commands()) == list(plugin.register_commands())

    def _all(self) -> Iterator[tuple[str, click.Command]]:
        return _below(self.plugin().register_commands())


def _below(commands: Mapping[str, click.Command], path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Commands and everything below them, each with what is typed for it."""
    for name, command in commands.items():
        here = f"{path} {name}".strip()
        yield here, command
        if isinstance(command, click.Group):
            yield from _below(command.commands, here)
