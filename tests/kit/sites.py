"""A site for tests, assembled by the product's own `build`: cheap passwords, a mailer that remembers, a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.plugins.breakers import Breakers
from engine.plugins.loaded import Plugins
from engine.testing import Clock, MemoryMailer
from tests.kit.waiting import PATIENCE
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.ports.guarded import Times

SECRET = b"a secret of the tests, long enough for everybody"
CHEAP = (1, 8, 1)  # the lowest cost of Argon2id; the production default is asserted elsewhere

# A plugin that works takes longer where other programs hold the machine: a form as PDF has taken more than the five
# seconds that the product gives it. The tests of what hangs build sites with times of their own.
PATIENT = Times(own=timedelta(seconds=PATIENCE), price=timedelta(seconds=PATIENCE), asked=timedelta(seconds=PATIENCE))

# `make_site(database_url, clock=…, mailer=…, **settings)`
SiteMaker = Callable[..., Site]


@contextmanager
def site_maker(var: Path) -> Iterator[SiteMaker]:
    """Makes sites that keep their files in `var`, and closes them in the end."""
    made: list[Site] = []

    def make(
        database_url: str,
        *,
        clock: Clock | None = None,
        mailer: MemoryMailer | None = None,
        breakers: Breakers | None = None,
        **changes: Any,
    ) -> Site:
        options: dict[str, Any] = {
            "database_url": database_url,
            "base_url": "http://localhost",
            "var": var,
            "password_cost": CHEAP,
        }
        settings = Settings(secret_key=SECRET, **{**options, **changes})
        plugins = plugins_with(settings, mailer) if mailer is not None else None
        if mailer is not None:
            settings = replace(settings, mailer="memory")
        site = build(settings, clock=clock, plugins=plugins, times=PATIENT, breakers=breakers)
        made.append(site)
        return site

    yield make
    for site in made:
        site.close()


def memory_plugin(mailer: MemoryMailer) -> type[Any]:
    """A plugin whose mailer remembers."""

    class Memory:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_mailers(self) -> dict[str, MemoryMailer]:
            return {"memory": mailer}

    return Memory


def plugins_with(settings: Settings, mailer: MemoryMailer) -> Plugins:
    """The installed plugins and one more, whose mailer remembers."""
    return plugins_of(settings, extra=[("memory", memory_plugin(mailer))])


def state(site: Site, number: int) -> str:
    """The state of a procedure, as its definition names it."""
    return site.engine.look(number).state.name
