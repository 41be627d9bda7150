"""The host of a plugin on an assembled site: what it reads, as whom it acts, and how people are told of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import peewee as pw
import pytest

from engine.definition import Actor
from engine.delivery import Accepted
from engine.errors import Forbidden, PluginError
from engine.hookspecs import hookimpl
from engine.plugins import Host, SiteFacts
from engine.store.base import Record
from engine.store.opening import open_database
from engine.testing import Clock
from tests.kit.browser import add_customer
from tests.kit.handlers import Handler
from tests.kit.sites import CHEAP, SECRET
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from web.shown.contracts import _who
from workflows.business.access.actor_names import names_of
from workflows.business.records import Account, Contract
from workflows.ports import testing
from workflows.ports.host import AccountFacts, ContractFacts, CustomerFacts, SiteHost


class Reader:
    """A plugin with a host."""

    @dataclass(frozen=True)
    class Config:
        pass

    made: list[Reader] = []

    def __init__(self, config: Config, site_facts: SiteFacts, host: SiteHost) -> None:
        self.host = host
        self.made.append(self)

    @hookimpl
    def register_effect_handlers(self) -> dict[str, Handler]:
        return {"reader": Handler(lambda delivery: Accepted())}


@pytest.fixture
def site(database_url: str, clock: Clock, tmp_path: Any) -> Iterator[Site]:
    Reader.made.clear()
    settings = Settings(
        secret_key=SECRET,
        database_url=database_url,
        base_url="http://localhost",
        var=tmp_path,
        password_cost=CHEAP,
        plugins={"reader": {}},
    )
    made = build(settings, clock=clock, plugins=plugins_of(settings, extra=[("reader", Reader)]))
    yield made
    made.close()


@pytest.fixture
def host(site: Site) -> SiteHost:
    (plugin,) = Reader.made
    return plugin.host


def test_a_plugin_reads_customers_contracts_and_accounts_as_facts(site: Site, host: SiteHost) -> None:
    customer = add_customer()
    account = Account.create(
        customer=customer,
        email="hanako@mihon.example",
        user_name="見本 花子",
        password_hash="secret hash",
        role="admin",
        created_at=site.clock(),
    )
    facts = host.records.customer(customer.id)
    assert isinstance(facts, CustomerFacts)
    assert (facts.number, facts.company, facts.language) == (customer.number, customer.company, "ja")
    assert host.records.customer_numbered(customer.number) == facts
    contracts = host.records.contracts_of(customer.id)
    assert [one.id for one in contracts] == [row.id for row in Contract.select().order_by(Contract.id)]
    assert all(isinstance(one, ContractFacts) and one.customer == customer.id for one in contracts)
    assert host.records.contract(contracts[0].id) == contracts[0]
    assert host.records.accounts_of(customer.id) == (
        AccountFacts(account.id, customer.id, "見本 花子", "hanako@mihon.example", "admin", "ja", "open"),
    )
    assert host.records.customer(10**9) is None
    assert host.records.contract(10**9) is None
    assert host.records.customer_numbered("no") is None
    for shown in (repr(facts), repr(host.records.accounts_of(customer.id))):
        assert "@" not in shown
        assert "secret hash" not in shown


def test_lists_come_page_by_page(site: Site, host: SiteHost) -> None:
    customer = add_customer()
    for number in range(3):
        Contract.create(
            customer=customer,
            product="chatluck",
            subdomain=f"page-{number}",
            term="monthly",
            payment_method="bank_transfer",
            users=5,
            started_on=site.clock().date(),
            options="a b",
        )
    every = host.records.contracts()
    first = host.records.contracts(most=2)
    assert first + host.records.contracts(after=first[-1].id) == every
    assert len(every) >= 3
    assert every[-1].options == ("a", "b")
    assert [one.id for one in host.records.customers()] == [customer.id]
    assert host.records.customers(after=customer.id) == ()
    for most in (0, 1001):
        with pytest.raises(PluginError, match=f"most: expected 1 to 1000, got {most}"):
            host.records.contracts(most=most)


def test_a_thread_of_the_plugins_own_reads_the_site(site: Site, host: SiteHost) -> None:
    customer, read = add_customer(), list[Any]()
    thread = Thread(target=lambda: read.append(host.records.customer(customer.id)))
    thread.start()
    thread.join()
    assert read == [host.records.customer(customer.id)]


def test_a_procedure_of_the_site_lets_no_plugin_in_that_it_does_not_name(site: Site, host: SiteHost) -> None:
    customer = add_customer()
    with pytest.raises(Forbidden):
        host.start("customer_removal", f"customer:{customer.id}")
    assert host.now() == site.clock()


def test_what_a_plugin_asks_over_http_has_a_breaker_that_staff_are_told_of(site: Site, host: SiteHost) -> None:
    assert [(one.kind, one.name) for one in site.services.breakers.standings()].count(("http", "reader")) == 1
    assert host.http is host.http


def test_before_the_site_is_assembled_records_say_what_to_do() -> None:
    with pytest.raises(PluginError, match=r"plugin reader: host\.records was used before the site was assembled"):
        _ = SiteHost("reader").records


def test_a_plain_host_is_bound_too(site: Site, clock: Clock) -> None:
    plain = Host("reader")
    site.plugins.hosts["reader"] = plain  # type: ignore[index]
    again = build(site.settings, clock=clock, plugins=site.plugins)
    assert plain.now() == datetime(2026, 4, 1, 9, tzinfo=UTC) == clock.now
    assert clock.forward(hours=1) == plain.now() == datetime(2026, 4, 1, 9, tzinfo=UTC) + timedelta(hours=1)
    again.close()


def test_people_are_told_that_a_plugin_acted(site: Site) -> None:
    actor = str(Actor("plugin", "reader"))
    assert str(names_of([actor])[actor]) == "プラグイン（reader）"
    assert str(_who(actor, {})) == "システム"


class Voucher(Record):
    """A table of a plugin's own."""

    balance = pw.IntegerField()


def test_a_host_of_a_plugin_that_is_tried_alone_has_its_tables(database_url: str, clock: Clock) -> None:
    db = open_database(database_url)
    with db.bound():
        db.create_tables([Voucher])
    alone = testing.host("vouchers", clock=clock, db=db)
    with pytest.raises(ZeroDivisionError), alone.transaction():
        Voucher.create(balance=1 // 0)
    with alone.transaction():
        Voucher.create(balance=1100)
    with alone.reading():
        assert [one.balance for one in Voucher.select()] == [1100]
    with db.bound():
        db.drop_tables([Voucher])
    without = testing.host("vouchers", clock=clock)
    with pytest.raises(PluginError, match="takes the database of own tables as `db`"), without.reading():
        pass
    db.close()
