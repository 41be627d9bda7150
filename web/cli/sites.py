"""The assembled site for the length of a command, and who the operator is."""

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
    """The site, as the settings say; closed at the end. A command that only `looks` makes no secret key."""
    settings = read(**overrides)
    set_up_logs(settings.log_format)
    site = build(settings, looks=looks)
    try:
        yield site
    finally:
        site.close()


def operator() -> Actor:
    """Who runs the command, as history names them: the system's user."""
    return Actor("operator", getpass.getuser())


class _Reason(click.ParamType[str]):
    """Words that say why; a reason without a visible character would be kept for ever and say nothing."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        words = str(value).strip()
        if not one_line(words):
            self.fail("expected words that say why", param, ctx)
        return words


REASON = _Reason()
INSTANCE = click.IntRange(1, LARGEST)
