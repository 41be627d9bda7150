"""A first account that nobody confirms lapses after 14 days, with a reminder half-way; its address is free again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from engine.attempt import Actor
from engine.errors import EngineError
from engine.testing import Clock, MemoryMailer
from tests.kit.applications import apply, completed, holder
from tests.kit.browser import EMAIL, add_customer
from tests.kit.contract_scenes import told
from web.assembly.site import Site
from workflows.account_confirmation import ACCOUNT_CONFIRMATION, ACCOUNT_CONFIRMATION_1
from workflows.account_confirmation.beginning import begin_confirmations
from workflows.account_confirmation.rules import HALF_WAY, LAPSES
from workflows.account_creation.records import Application
from workflows.business.records import UNCONFIRMED, Account, Customer, RemovedAccount

FIRST, AGAIN = "【要対応】新しいアカウントの承認", "【要対応】新しいアカウントの承認（再通知）"
SOON = "【要対応】新しいアカウントの承認期限が近づいています"
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"confirm_first_account": True}


@pytest.fixture
def customer() -> Customer:
    return add_customer()


@pytest.fixture
def waiting(any_site: Site, customer: Customer, mailer: MemoryMailer) -> Account:
    """Of somebody who reads English, at a customer whose contractor reads Japanese."""
    account = completed(any_site, customer, EMAIL)
    assert account.standing == UNCONFIRMED
    Account.update(language="en").where(Account.id == account.id).execute()
    assert begin_confirmations(any_site.engine, any_site.services) == 1
    told(any_site, mailer)
    return account


def number_of(site: Site, account: Account) -> int:
    (number,) = site.engine.find("account_confirmation", f"account:{account.id}")
    return number


def let_pass(site: Site, clock: Clock, mailer: MemoryMailer, span: timedelta) -> list[tuple[str, str]]:
    """Let time pass; who was told what."""
    clock.now += span
    site.engine.run_due()
    return told(site, mailer)


def test_staff_and_the_contractor_are_reminded_and_then_the_account_lapses(
    any_site: Site, customer: Customer, waiting: Account, clock: Clock, mailer: MemoryMailer
) -> None:
    site, number, day = any_site, number_of(any_site, waiting), timedelta(days=1)
    staff, contractor = site.organisation.staff_email, customer.contractor_email
    assert let_pass(site, clock, mailer, 3 * day) == [(staff, AGAIN)]
    assert let_pass(site, clock, mailer, 3 * day) == [(staff, AGAIN)]
    clock.now += day
    site.engine.run_due()
    site.dispatcher.drain()
    assert all("2026年4月15日" in mail.text for mail in mailer.sent)
    assert sorted(told(site, mailer)) == sorted(
        [(staff, SOON), (contractor, "【ご確認ください】新しいアカウントの承認をお待ちしています")]
    )
    assert let_pass(site, clock, mailer, 2 * day) == [(staff, AGAIN)]
    assert let_pass(site, clock, mailer, 3 * day) == [(staff, AGAIN)]
    assert let_pass(site, clock, mailer, 2 * day - MOMENT) == []
    assert Account.select().count() == 1
    assert let_pass(site, clock, mailer, MOMENT) == [(EMAIL, "Your account was not confirmed")]
    assert site.engine.look(number).state.name == "lapsed"
    assert [Account.select().count(), RemovedAccount.select().count(), Application.select().count()] == [0, 0, 0]
    assert site.engine.verify(number) == []
    again = apply(site, customer, EMAIL)  # it may apply again
    site.engine.fire(again, "activate", holder(site, again))
    assert Account.get().email == EMAIL


def test_what_nobody_looked_at_for_months_lapses_as_of_its_day(
    any_site: Site, customer: Customer, waiting: Account, clock: Clock, mailer: MemoryMailer
) -> None:
    """No worker ran: a press of the contractor finds it lapsed."""
    number, link = number_of(any_site, waiting), any_site.services.account_links.text(waiting)
    clock.now += LAPSES
    with pytest.raises(EngineError):
        any_site.engine.fire(number, "confirm", Actor("contractor", str(waiting.id), link))
    assert Account.select().count() == 0
    assert (EMAIL, "Your account was not confirmed") in told(any_site, mailer)


def test_an_account_is_confirmed_until_the_last_moment(any_site: Site, waiting: Account, clock: Clock) -> None:
    number, link = number_of(any_site, waiting), any_site.services.account_links.text(waiting)
    clock.now += LAPSES - MOMENT
    any_site.engine.fire(number, "confirm", Actor("contractor", str(waiting.id), link))
    clock.now += LAPSES
    any_site.engine.run_due()
    assert Account.get().standing == "open"
    assert any_site.engine.look(number).state.name == "confirmed"


@pytest.mark.parametrize("span", [HALF_WAY, LAPSES])
def test_what_was_stopped_does_not_lapse_and_nobody_is_told(
    any_site: Site, waiting: Account, clock: Clock, mailer: MemoryMailer, span: timedelta
) -> None:
    number = number_of(any_site, waiting)
    link = Actor("contractor", str(waiting.id), any_site.services.account_links.text(waiting))
    any_site.engine.start("account_stop", f"account:{waiting.id}", link)
    told(any_site, mailer)
    assert let_pass(any_site, clock, mailer, span) == []
    assert any_site.engine.look(number).state.name == "needless"
    assert Account.get().standing == "stopped"


def test_an_applicant_who_cannot_be_told_is_forgotten_all_the_same(
    any_site: Site, waiting: Account, clock: Clock, mailer: MemoryMailer
) -> None:
    number = number_of(any_site, waiting)
    clock.now += LAPSES
    any_site.engine.run_due()
    assert RemovedAccount.get().email == EMAIL
    clock.now += timedelta(days=30)
    any_site.engine.run_due()
    assert any_site.engine.look(number).state.name == "untold"
    assert RemovedAccount.select().count() == 0


def test_what_waited_without_end_can_be_moved_to_the_version_that_lapses(
    any_site: Site, waiting: Account, clock: Clock, mailer: MemoryMailer
) -> None:
    any_site.engine.migrate(number_of(any_site, waiting), 1, Actor("operator", "root"), "as before")
    number = number_of(any_site, waiting)
    assert any_site.engine.look(number).instance.version == ACCOUNT_CONFIRMATION_1.version
    any_site.engine.migrate(number, ACCOUNT_CONFIRMATION.version, Actor("operator", "root"), "it shall lapse")
    clock.now += LAPSES
    any_site.engine.run_due()
    assert any_site.engine.look(number).state.name == "lapsing"
