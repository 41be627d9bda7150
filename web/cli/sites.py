"""The assembled site for the length of a command, and the operator.

A command in the wrong folder, or without the site's settings, would find no site: only those with which a site is begun
(`begins`) make a database.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.attempt import Actor
from engine.configuration import one_line
from engine.errors import ConfigurationError
from engine.store.base import LARGEST

if TYPE_CHECKING:
    from engine.plugins.loaded import Plugins
    from web.assembly.settings import Settings
    from web.assembly.site import Site


@contextmanager
def opened_site(
    *, looks: bool = False, begins: bool = False, plugins: Plugins | None = None, **overrides: Any
) -> Iterator[Site]:
    """The site that the settings describe; closed at the end of the block. With `looks` no secret key is drawn.
    `plugins` are those that are loaded already. Raises ConfigurationError where there is no site yet, unless the
    command `begins` one."""
    from web.assembly.logs import set_up_logs
    from web.assembly.settings import read
    from web.assembly.settling import settle
    from web.assembly.site import build

    settings = read(**overrides)
    set_up_logs(settings.log_format)
    if not begins:
        expect_a_site(settings)
    site = build(settings, plugins=plugins, looks=looks)
    settle()
    try:
        yield site
    finally:
        site.close()


def expect_a_site(settings: Settings) -> None:
    """Raise ConfigurationError where the database holds no site. Creates no database."""
    from web.assembly.settings import shown_url

    if not is_there(settings.database_url):
        raise ConfigurationError(
            f"{settings.place('database_url')} = {shown_url(settings.database_url)}: expected the database of a site, "
            "and there is none; run this in the site's folder and with its settings, "
            "or begin a site with tetsuzuki migrate"
        )


def is_there(database_url: str) -> bool:
    """Whether a database holds a site."""
    from engine.store.opening import open_database

    if database_url.startswith("sqlite:///") and not Path(database_url.removeprefix("sqlite:///")).exists():
        return False
    db = open_database(database_url, pool=1)
    try:
        return bool(db.table_exists("instance"))
    finally:
        db.close()


def expect_up_to_date(settings: Settings, plugins: Plugins | None = None) -> None:
    """Raise ConfigurationError where the database holds no site, or one that lacks a step of this version, or of
    `plugins`."""
    from engine.store.opening import open_database
    from web.assembly.site import expect_no_step
    from workflows.registry import MIGRATIONS

    expect_a_site(settings)
    db = open_database(settings.database_url, pool=1)
    try:
        expect_no_step(db, settings, (*MIGRATIONS, *(plugins.migrations() if plugins is not None else ())))
    finally:
        db.close()


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


class _InstanceId(click.ParamType[int]):
    """An instance by its id, or by the 受付番号 that people read."""

    name = "instance"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        known = instance_named(str(value))
        if known is None:
            expected = "the id of an instance, or its request number as in R-2457-4212-5"
            self.fail(f"expected {expected}, got {value}", param, ctx)
        return known


def instance_named(text: str) -> int | None:
    """The id of the instance that a text names: digits alone are the id, everything else a 受付番号. None where the
    text is neither."""
    if text.isascii() and text.isdecimal():
        digits = text.lstrip("0")
        return int(digits) if digits and len(digits) <= len(str(LARGEST)) and int(digits) <= LARGEST else None
    from workflows.business.request_number import read_request_number

    read = read_request_number(text)
    return read if isinstance(read, int) and read else None


INSTANCE = _InstanceId()
