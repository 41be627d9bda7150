"""What the database needs of plugins is named where no plugin brings it, on each kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.delivery import Accepted
from engine.hookspecs import hookimpl
from engine.operations.plugin_needs import LISTENERS
from engine.plugins.site_facts import SiteFacts
from engine.store.base import database
from engine.testing import Clock, MemoryMailer
from plugins.faq.inputs import FaqInput
from tests.kit.browser import add_customer
from tests.kit.contract_scenes import staff
from tests.kit.handlers import Ear, Handler
from tests.kit.probes import ready
from tests.kit.sites import CHEAP, SECRET, memory_plugin
from web.app import create_app
from web.assembly.conditions import needed
from web.assembly.plugin_needs import met_by, unmet
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from web.cli.doctor import unwell_plugins
from workflows.business.records import Contract

TODAY = date(2026, 4, 1)
STEP = 'def up(migrator, db):\n    db.execute_sql("CREATE TABLE tried_book (id INTEGER PRIMARY KEY)")\n'


@dataclass(frozen=True)
class Config:
    pass


def tried(folder: Path) -> type[Any]:
    """A plugin that brings a listener, a handler and tables."""

    class Tried:
        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_listeners(self) -> dict[str, Ear]:
            return {"tried": Ear()}

        @hookimpl
        def register_effect_handlers(self) -> dict[str, Handler]:
            return {"telex": Handler(lambda delivery: Accepted())}

        @hookimpl
        def register_migrations(self) -> dict[str, Path]:
            return {"tried": folder}

    Tried.Config = Config  # type: ignore[attr-defined]
    return Tried


Sites = Callable[..., Site]


@pytest.fixture
def sites(database_url: str, clock: Clock, mailer: MemoryMailer, tmp_path: Path) -> Iterator[Sites]:
    """`sites(with_it=…)`: the site with the plugin, or after it has gone."""
    folder = tmp_path / "tried_books" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_book.py").write_text(STEP)
    settings = Settings(
        secret_key=SECRET,
        database_url=database_url,
        base_url="http://localhost",
        mailer="memory",
        password_cost=CHEAP,
        var=tmp_path,
    )
    made: list[Site] = []

    def site(*, with_it: bool) -> Site:
        for one in made:
            one.close()
        extra = [("memory", memory_plugin(mailer)), *([("tried", tried(folder))] if with_it else [])]
        made.append(build(settings, clock=clock, plugins=plugins_of(settings, extra=extra)))
        return made[-1]

    yield site
    made[-1].close()


def said(site: Site) -> list[str]:
    return list(map(str, unmet(site.db, site.plugins, TODAY)))


def test_contracts_need_the_method_by_which_they_are_paid_while_they_run(sites: Sites) -> None:
    site = sites(with_it=False)
    add_customer()
    assert said(site) == []
    Contract.update(payment_method="konbini").execute()
    assert said(site) == ["payment method konbini: 2 contracts"]
    Contract.update(ended_on=TODAY - timedelta(days=1)).execute()
    assert said(site) == []


def test_what_a_plugin_had_still_to_do_is_named_once_it_is_gone_and_met_when_it_is_back(
    sites: Sites, clock: Clock
) -> None:
    site = sites(with_it=True)
    site.engine.start("faq_entry", "faq:1", staff("公開 花子"), FaqInput("1", "操作", "", 1, "問", "答"))
    site.dispatcher.drain(1)  # so that it is known who hears
    assert said(site) == []
    assert sorted(map(str, met_by(site.db, site.plugins, "tried", TODAY))) == [
        "listener tried: 1 transitions to hear",
        "steps of tables tried_books: 1 steps taken",
    ]
    site = sites(with_it=False)
    assert sorted(said(site)) == [
        "listener tried: 1 transitions to hear",
        "steps of tables tried_books: 1 steps taken",
    ]
    site = sites(with_it=True)
    assert said(site) == []
    clock.forward(hours=24)
    site.dispatcher.drain()
    assert [str(one) for one in met_by(site.db, site.plugins, "tried", TODAY) if one.hook == LISTENERS] == []


@pytest.mark.parametrize("kept", ["waiting", "leased", "incident", "done", "cancelled"])
def test_an_effect_needs_its_handler_until_it_has_ended(sites: Sites, kept: str) -> None:
    site = sites(with_it=True)
    site.engine.start("faq_entry", "faq:1", staff("公開 花子"), FaqInput("1", "操作", "", 1, "問", "答"))
    database.execute_sql(f"UPDATE outbox SET kind = 'telex', state = '{kept}'")
    need = "handler of effects of the kind telex: 1 effects"
    assert said(site) == []
    site = sites(with_it=False)
    assert (need in said(site)) == (kept in ("waiting", "leased", "incident"))
    database.execute_sql("UPDATE outbox SET kind = 'payment'")  # of a procedure of the site
    assert [one for one in said(site) if "effects" in one] == []


def test_whoever_asks_how_the_site_is_hears_of_it(sites: Sites) -> None:
    site = sites(with_it=False)
    app = create_app(site)
    add_customer()
    Contract.update(payment_method="konbini").execute()
    status, checks = ready(app)
    assert status == 200
    assert checks["needed_plugins"] == {
        "state": "warning",
        "detail": "no plugin brings payment method konbini: 2 contracts; see tetsuzuki plugins check",
    }
    assert list(map(str, unwell_plugins(site))) == [
        "! no plugin brings payment method konbini: 2 contracts; it waits until one does"
    ]


def test_a_line_names_a_few_and_counts_the_others(sites: Sites) -> None:
    site = sites(with_it=False)
    customer = add_customer()
    Contract.update(ended_on=TODAY - timedelta(days=1)).execute()
    for number in range(8):
        Contract.create(
            customer=customer,
            product="chatluck",
            subdomain=f"chat-{number}",
            term="annual",
            payment_method=f"method_{number}",
            users=30,
            started_on=TODAY,
        )
    check = needed(site)
    assert len(check.inside) == 8
    assert check.detail.count("payment method") == 5
    assert check.detail.endswith("; and 3 more; see tetsuzuki plugins check")
