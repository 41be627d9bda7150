"""`tetsuzuki shell`: a Python prompt in the assembled site, read-only unless it is begun with --write.

It is for questions that no command answers. The database itself refuses to write, whatever is typed and however deep
inside the engine. That protects from mistakes, not from an attacker, who could as well open the database.
"""

from __future__ import annotations

import code
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

import click

from engine.errors import EngineError
from web.assembly.settings import read, shown_url
from web.cli.sites import expect_up_to_date, opened_site, operator

if TYPE_CHECKING:
    from web.assembly.site import Site

_HINT = "Nothing was written: this shell only looks. `tetsuzuki shell --write` begins one that may change something."


@click.command(epilog="Example: tetsuzuki shell")
@click.option("--write", is_flag=True, help="Let what is typed change the database. Nothing asks a second time.")
def shell(write: bool) -> None:
    """A Python prompt with the site, its engine, its records and its clock at hand.

    It only looks unless it is begun with --write. It ends with exit() or Ctrl-D, and keeps no history of what was
    typed.
    """
    expect_up_to_date(read())
    with opened_site(looks=not write) as site:
        if not write:
            site.db.only_look()
        if sys.stdin.isatty():
            import readline  # noqa: F401  (arrow keys and earlier lines, for the length of this prompt)
        prompt = _Prompt(site, at_hand(site))
        prompt.interact(banner(site, writes=write), exitmsg="")


def at_hand(site: Site) -> dict[str, object]:
    """The names that are defined in the prompt."""
    from workflows.business import records

    return {"site": site, "engine": site.engine, "records": records, "clock": site.clock, "me": operator()}


def banner(site: Site, *, writes: bool) -> str:
    """The text at the beginning: the defined names, and the database."""
    may = "may be changed" if writes else "read-only; --write lets it be changed"
    name = site.organisation.site_name
    return f"""\
Tetsuzuki {version("tetsuzuki")}, Python {sys.version.split()[0]}: {name}
database  {shown_url(site.settings.database_url)} ({may})
site      the assembled site: site.settings, site.services, site.plugins
engine    engine.look(42), engine.history(42), engine.find("account_creation", "customer:7")
records   the tables: records.Account.select(), records.Customer.get(number="A12345678")
clock     clock(): the site's time, in UTC
me        {operator()}, as history names you: engine.explain(42, me)"""


class _Prompt(code.InteractiveConsole):
    """A prompt in which an error of the engine or of a read-only database takes one line, without a traceback."""

    def __init__(self, site: Site, names: Mapping[str, object]) -> None:
        super().__init__(dict(names), filename="<tetsuzuki shell>")
        self._db = site.db

    def showtraceback(self) -> None:
        """Show the error that is being handled."""
        error = sys.exc_info()[1]
        if any(self._db.refuses_to_write(one) for one in _causes(error)):
            self.write(f"{_HINT}\n")
        elif isinstance(error, EngineError):
            self.write(f"{type(error).__name__}: {error}\n")
        else:
            super().showtraceback()

    def raw_input(self, prompt: str = "") -> str:
        """Read a line; without a prompt where the input is no terminal."""
        return super().raw_input(prompt if sys.stdin.isatty() else "")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
