"""How far a command is, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Gives what shows on a terminal how many of how many are done; into a file it writes nothing."""
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        percent = done * 100 // total if total else 100
        if percent != shown and sys.stderr.isatty():
            shown = percent
            click.echo(f"\r{what}: {done} of {total}, {percent} %", nl=False, err=True)

    yield show
    if shown >= 0:
        click.echo(err=True)
