"""The assembled site for the length of a command, and the operator."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from engine.attempt import Actor
from engine.configuration import one_line
from engine.store.base import LARGEST
from web.assembly.logs import set_up_logs
from web.assembly.settings import read
from web.assembly.site import Site, build


@contextmanager
def opened_site(*, looks: bool = False, **overrides: Any) -> Iterator[Site]:
    """The site that the settings describe; closed at the end of the block. With `looks` no secret key is drawn."""
    settings = read(**overrides)
    set_up_logs(settings.log_format)
    site = build(settings, looks=looks)
    try:
        yield site
    finally:
        site.close()


def operator() -> Actor:
    """The operator as history names them: the system's user who runs the command."""
    return Actor("operator", getpass.getuser())


class _Reason(click.ParamType[str]):
    """A reason as an option; one without a visible character is refused, because it would be kept for ever and say
    nothing."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        words = str(value).strip()
        if not one_line(words):
            self.fail("expected words that say why", param, ctx)
        return words


REASON = _Reason()
INSTANCE = click.IntRange(1, LARGEST)
