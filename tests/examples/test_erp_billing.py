"""Prices and books in an ERP, whole: the wheel beside the product, in a site of its own, on good and on bad days."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from time import monotonic
from typing import Any

import pytest
from flask import Flask

from engine.operations.incidents import incidents
from engine.plugins.breakers import FAILURES, REST, Breakers
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import add_customer
from tests.kit.contract_scenes import BANK, again, at, contract_of, do_all_due
from tests.kit.examples import listening
from tests.kit.members import Member, add_account, member
from tests.kit.sites import SiteMaker, state
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import ChangeRequest, Contract
from workflows.business.shared.bookings import of_contract
from workflows.ports.billing import BilledContract, Change, ContractTerms

NO_FIGURE = "ただいま料金を計算できません。"


class Seconds:
    """Seconds that pass as ever, and more of them when a test says so, for breakers."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return monotonic() + self.skipped


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def erp(stranger: Callable[[str], Any], clock: Clock) -> Iterator[Any]:
    """The ERP, at the site's time; `url` is where it listens."""
    module = stranger("erp_billing")
    made = module.Sandbox("a-token", now=clock)
    with listening(module.serve(made)) as made.url:
        yield made
        made.waiting.set()


@pytest.fixture
def site(make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer, erp: Any, seconds: Seconds) -> Site:
    at(clock, 2026, 4, 10, 12)
    plugins = {
        "erp_billing": {"url": erp.url, "token": "a-token", "timeout": 2.0},
        "ledger": {"enabled": False},
        "bank_transfer": BANK,
    }
    breakers = Breakers(clock=seconds)
    return make_site(sqlite_url, clock=clock, mailer=mailer, billing="erp_billing", plugins=plugins, breakers=breakers)


@pytest.fixture
def hanako(site: Site) -> Member:
    """Somebody who may ask for changes, logged in."""
    app: Flask = create_app(site)
    add_account(site, add_customer())
    return member(app)


def asks(hanako: Member, users: str = "50") -> str:
    """Hanako types a number of users; the text of the page that asks whether all is right."""
    hanako.open(f"/changes/contracts/{contract_of().id}/users")
    hanako.press("確認画面へ進む", users=users)
    assert hanako.title == "お申し込み内容の確認", hanako.text
    return hanako.text


def sends(hanako: Member, site: Site) -> int:
    """She sends what she asked for; the number of the request, which is scheduled by now."""
    hanako.press("申し込む")
    do_all_due(site)
    number = int(ChangeRequest.get().instance)
    assert state(site, number) == "scheduled"
    return number


def the_day_comes(site: Site, clock: Clock) -> None:
    at(clock, 2026, 5, 1)
    do_all_due(site)


def terms(of: Contract) -> ContractTerms:
    return ContractTerms(of.product, of.subdomain, of.users, (), of.term, of.payment_method, of.started_on)


def test_it_is_found_as_it_was_installed(site: Site) -> None:
    (listed,) = [one for one in site.plugins.listed if one.name == "erp_billing"]
    assert (listed.distribution, listed.adds) == (
        "tetsuzuki-erp-billing",
        {"register_billing_backends": ("erp_billing",)},
    )
    assert site.plugins.failures == ()


def test_the_price_of_the_erp_is_shown_confirmed_and_booked_on_its_day(
    site: Site, hanako: Member, erp: Any, clock: Clock
) -> None:
    shown = asks(hanako)
    assert "ユーザー数に応じたご利用料" in shown
    assert "22,000円" in shown
    number = sends(hanako, site)
    assert erp.entries == {}  # nothing is booked ahead
    the_day_comes(site, clock)
    assert (state(site, number), again(contract_of()).users) == ("applied", 50)
    (entry,) = erp.entries.values()
    assert (entry.state, entry.change["after"]["users"]) == ("applied", 50)
    assert site.services.billing is not None
    assert [one.total for one in of_contract(site.services.billing, contract_of().id)] == [22_000]


def test_what_the_erp_decides_tonight_is_applied_in_the_morning(
    site: Site, hanako: Member, erp: Any, clock: Clock
) -> None:
    asks(hanako)
    number = sends(hanako, site)
    erp.mode = "night"
    the_day_comes(site, clock)
    assert (state(site, number), again(contract_of()).users) == ("applying", 30)
    asked = len(erp.calls)
    at(clock, 2026, 5, 1, 23, 30)
    do_all_due(site)
    assert len(erp.calls) == asked  # nobody asks while the batch runs
    erp.run_batch()
    at(clock, 2026, 5, 2, 5)
    do_all_due(site)
    assert erp.calls[asked:] == ["GET /v1/bookings/ERP-000001"]
    assert (state(site, number), again(contract_of()).users) == ("applied", 50)
    assert incidents(site.engine) == []


def test_a_price_that_rises_in_the_night_is_for_the_staff_to_decide(
    site: Site, hanako: Member, erp: Any, clock: Clock
) -> None:
    asks(hanako)
    sends(hanako, site)
    erp.mode = "night"
    the_day_comes(site, clock)
    erp.dearer = 10
    erp.run_batch()
    at(clock, 2026, 5, 2, 5)
    do_all_due(site)
    (incident,) = incidents(site.engine)
    assert "price_changed" in str(incident)
    assert again(contract_of()).users == 30


@pytest.mark.parametrize("mode", ["locked", "busy", "down"])
def test_a_conflict_that_ends_by_itself_and_an_erp_that_is_closed_are_waited_for(
    site: Site, hanako: Member, erp: Any, clock: Clock, mode: str
) -> None:
    asks(hanako)
    number = sends(hanako, site)
    erp.mode = mode
    the_day_comes(site, clock)
    assert state(site, number) == "applying"
    erp.mode = "open"
    clock.forward(minutes=2)
    do_all_due(site)
    assert state(site, number) == "applied"
    assert (len(erp.entries), incidents(site.engine)) == (1, [])


def test_a_booking_whose_answer_got_lost_is_asked_for_with_the_same_key_and_booked_once(
    site: Site, hanako: Member, erp: Any, clock: Clock
) -> None:
    asks(hanako)
    number = sends(hanako, site)
    erp.mode = "lost"
    the_day_comes(site, clock)
    assert (state(site, number), len(erp.entries)) == ("applying", 1)
    erp.mode = "open"
    clock.forward(minutes=2)
    do_all_due(site)
    assert (state(site, number), len(erp.entries)) == ("applied", 1)
    assert erp.calls.count("POST /v1/bookings") == 2
    assert incidents(site.engine) == []


def test_an_erp_that_hangs_costs_five_visitors_some_time_and_then_nobody(
    site: Site, hanako: Member, erp: Any, seconds: Seconds
) -> None:
    assert "22,000円" in asks(hanako)
    of, billing = contract_of(), site.services.billing
    assert billing is not None
    change = Change("users", "A01234567", of.id, terms(of), terms(of), date(2026, 4, 10), date(2026, 5, 1))
    erp.mode = "slow"
    with ThreadPoolExecutor(FAILURES) as pool:
        visitors = [pool.submit(billing.quote, change) for _visitor in range(FAILURES)]
    assert all(one.exception() is not None for one in visitors)
    erp.mode = "open"
    assert NO_FIGURE in asks(hanako)  # it is left alone for a while
    seconds.skipped += REST.total_seconds()
    assert "22,000円" in asks(hanako)


def test_its_bills_are_those_that_are_due(site: Site, hanako: Member, clock: Clock) -> None:
    of = contract_of()
    billing: Any = site.services.billing
    asked = (BilledContract(of.id, "A00000001", terms(of), date(2026, 4, 1)),)
    (bill,) = billing.due_bills(date(2026, 5, 8), asked)
    assert (bill.total, bill.due_on) == (13_200, date(2026, 5, 1))
