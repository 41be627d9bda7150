"""Commands run for real, within the process of the tests: what they print, and how they end."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from web.assembly.settings import read
from web.cli import main


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str
    content: bytes = field(default=b"", compare=False, repr=False)  # `out` as bytes


Run = Callable[..., Said]


def begin_from(template: Path) -> None:
    """Give the site of the current folder a migrated database, if it has none yet and keeps it in a file of its own: to
    migrate an empty one takes longer than most commands do."""
    settings = read()
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    if settings.database_url.startswith("sqlite:///") and not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(template, path)


@contextmanager
def commands_in(folder: Path, monkeypatch: pytest.MonkeyPatch, **environ: str) -> Iterator[Run]:
    """Run commands in a folder and an environment of their own. Nothing but an exit may come out of one."""
    for name in [name for name in os.environ if name.startswith("TETSUZUKI_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    for name, value in {"LANG": "C.UTF-8", **environ}.items():
        monkeypatch.setenv(name, value)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def invoke(*arguments: str, env: dict[str, str] | None = None, typed: str = "") -> Said:
        command = click.Command("tetsuzuki", callback=partial(main, arguments))
        ended = CliRunner().invoke(command, env=env, input=typed)
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exc_info
        assert "Traceback" not in ended.output
        return Said(ended.exit_code, ended.stdout, ended.stderr, ended.stdout_bytes)

    yield invoke
    root.handlers[:] = handlers
    root.setLevel(level)
