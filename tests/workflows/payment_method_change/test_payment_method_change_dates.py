"""The date of another payment method is the one that was shown when it was decided, midnight of a month or not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Actor
from engine.delivery import Deferred, Delivery, Outcome
from engine.errors import Refused
from engine.operations.incidents import incidents, retry
from engine.testing import Clock, MemoryMailer
from tests.kit.payments import TYPED, Books, account, ask, asked, contract, paying_site, staff, work
from tests.kit.sites import state
from tests.kit.stripe_server import StripeServer
from web.assembly.site import Site
from workflows.business.records import ChangeRequest, Customer, Mandate
from workflows.payment_method_change import (
    PAYMENT_METHOD_CHANGE,
    PAYMENT_METHOD_CHANGE_1,
    Confirmation,
    DateShown,
    PageOpened,
)

MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)
SECOND = timedelta(seconds=1)
SYSTEM = Actor("system", "credit_card")


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, stripe: StripeServer) -> Iterator[Site]:
    made = paying_site(database_url, tmp_path, clock, mailer, books=Books(), stripe=stripe)
    yield made
    made.close()


@pytest.fixture
def careful(database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer) -> Iterator[Site]:
    """A site whose staff review every change of payment method."""
    kinds: dict[str, Any] = {"review": {"kinds": ["payment_method"], "working_days": 2}}
    made = paying_site(database_url, tmp_path, clock, mailer, books=Books(), **kinds)
    yield made
    made.close()


def days_of(number: int) -> tuple[date, date | None]:
    """The date of the request, and of its mandate where it is known."""
    mandate = Mandate.get(Mandate.instance == number)
    return ChangeRequest.get(ChangeRequest.instance == number).effective_on, mandate.active_from


def hold_begin_back(site: Site) -> Any:
    """The plugin of the payment method does not answer until its answer is given back."""
    handler = site.dispatcher.handlers["payment"]
    answer = type(handler).deliver

    class Away:
        def deliver(self, delivery: Delivery, key: str) -> Outcome:
            return Deferred("away") if delivery.name == "begin" else answer(handler, delivery, key)

    site.dispatcher.handlers = {**site.dispatcher.handlers, "payment": Away()}
    return handler


@pytest.mark.parametrize("later", [2 * SECOND, timedelta(hours=23)], ids=["seconds", "on the day itself"])
def test_what_was_confirmed_before_midnight_keeps_its_date(
    site: Site, clock: Clock, mailer: MemoryMailer, later: timedelta
) -> None:
    of = contract(method="credit_card")
    clock.now = site.services.calendar.midnight(MAY) - SECOND
    data = asked(site, "bank_transfer", effective_on=MAY)
    number = site.engine.start("payment_method_change", f"contract:{of.id}", account(of), data).instance_id
    clock.now += later
    work(site)
    work(site)
    assert (state(site, number), days_of(number)) == ("applied", (MAY, MAY))
    assert "お支払い方法の適用日が変わりました" not in [mail.subject for mail in mailer.sent]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_method_that_did_not_begin_in_time_moves_and_its_customer_is_told(
    site: Site, clock: Clock, mailer: MemoryMailer, language: str
) -> None:
    of = contract(method="credit_card")
    by = account(of)
    Customer.update(contractor_language=language).execute()
    handler = hold_begin_back(site)
    number = ask(site, of, by, "bank_transfer")
    assert (state(site, number), days_of(number)) == ("accepted", (MAY, None))
    clock.now = site.services.calendar.midnight(date(2026, 5, 2))
    work(site)
    site.dispatcher.handlers = {**site.dispatcher.handlers, "payment": handler}
    (incident,) = incidents(site.engine)
    retry(site.engine, incident.ref, staff(), "the plugin answers again")
    work(site)
    assert (state(site, number), days_of(number)) == ("scheduled", (JUNE, JUNE))
    told = mailer.sent[-1]
    said = (
        ("お支払い方法の適用日が変わりました", "変更前の適用日：2026年5月1日", "変更後の適用日：2026年6月1日")
        if language == "ja"
        else (
            "The effective date of your payment method has changed",
            "Previous effective date: 1 May 2026",
            "1 June 2026",
        )
    )
    assert told.subject == said[0]
    assert said[1] in told.text
    assert said[1] in told.html
    assert said[2] in told.text


def test_staff_who_accept_are_refused_once_midnight_of_the_month_has_passed(careful: Site, clock: Clock) -> None:
    of = contract(method="credit_card")
    number, clerk = ask(careful, of, account(of), "bank_transfer"), staff()
    clock.now = careful.services.calendar.midnight(MAY)
    with pytest.raises(Refused) as refused:
        careful.engine.fire(number, "accept", clerk, DateShown(MAY))
    assert (refused.value.refusal.code, state(careful, number)) == ("date_moved", "in_review")
    assert "2026年6月1日" in str(refused.value.refusal.message)
    careful.engine.fire(number, "accept", clerk, DateShown(JUNE))
    work(careful)
    assert (state(careful, number), days_of(number)) == ("scheduled", (JUNE, JUNE))


def test_what_staff_accept_before_midnight_keeps_the_date_that_they_saw(careful: Site, clock: Clock) -> None:
    of = contract(method="credit_card")
    number, clerk = ask(careful, of, account(of), "bank_transfer"), staff()
    clock.now = careful.services.calendar.midnight(JUNE) - SECOND
    careful.engine.fire(number, "accept", clerk, DateShown(JUNE))
    clock.now += 2 * SECOND
    work(careful)
    work(careful)
    assert (state(careful, number), days_of(number)) == ("applied", (JUNE, JUNE))


def test_staff_who_approve_a_form_are_refused_once_midnight_of_the_month_has_passed(site: Site, clock: Clock) -> None:
    of = contract()
    number, clerk = ask(site, of, account(of), "direct_debit", TYPED), staff()
    for event in ("receive_form", "pass_to_bank"):
        site.engine.fire(number, event, clerk)
    clock.now = site.services.calendar.midnight(MAY)
    with pytest.raises(Refused) as refused:
        site.engine.fire(number, "approve", clerk, DateShown(MAY))
    assert refused.value.refusal.code == "date_moved"
    assert "2026年6月1日" in str(refused.value.refusal.message)
    assert days_of(number)[1] is None
    site.engine.fire(number, "approve", clerk, DateShown(JUNE))
    assert (state(site, number), days_of(number)) == ("scheduled", (JUNE, JUNE))


def test_a_card_that_is_registered_after_midnight_has_the_date_with_which_its_customer_went_to_the_page(
    site: Site, clock: Clock
) -> None:
    of = contract()
    by = account(of)
    clock.now = site.services.calendar.midnight(MAY) - timedelta(minutes=5)
    number = ask(site, of, by, "credit_card")
    site.engine.fire(number, "open_page", by, PageOpened("cs_1", MAY))
    clock.now += timedelta(minutes=10)
    with pytest.raises(Refused) as refused:
        site.engine.fire(number, "open_page", by, PageOpened("cs_1", MAY))
    assert refused.value.refusal.code == "date_moved"
    site.engine.fire(number, "confirmed", SYSTEM, Confirmation("credit_card", "evt_1", "cs_1", "VISA **** 4242"))
    assert days_of(number) == (MAY, MAY)


def test_a_customer_who_goes_to_the_page_anew_has_the_new_date(site: Site, clock: Clock) -> None:
    of = contract()
    by = account(of)
    clock.now = site.services.calendar.midnight(MAY) - timedelta(minutes=5)
    number = ask(site, of, by, "credit_card")
    clock.now += timedelta(minutes=10)
    site.engine.fire(number, "open_page", by, PageOpened("cs_1", JUNE))
    site.engine.fire(number, "confirmed", SYSTEM, Confirmation("credit_card", "evt_1", "cs_1", "VISA **** 4242"))
    assert days_of(number) == (JUNE, JUNE)


def test_a_request_that_ends_leaves_no_date_behind(site: Site) -> None:
    of = contract(method="credit_card")
    by = account(of)
    number = ask(site, of, by, "bank_transfer")
    assert days_of(number) == (MAY, MAY)
    site.engine.fire(number, "withdraw", by)
    assert days_of(number) == (MAY, None)


def test_a_request_of_the_first_version_goes_its_way_and_keeps_its_date_at_midnight(site: Site, clock: Clock) -> None:
    of = contract(method="credit_card")
    clock.now = site.services.calendar.midnight(MAY) - SECOND
    data = asked(site, "bank_transfer", effective_on=MAY)
    number = site.engine.start("payment_method_change", f"contract:{of.id}", account(of), data).instance_id
    site.db.execute_sql(f"UPDATE instance SET version = {PAYMENT_METHOD_CHANGE_1.version} WHERE id = {number}")
    clock.now += 2 * SECOND
    work(site)
    work(site)
    assert (state(site, number), days_of(number)) == ("applied", (MAY, MAY))
    assert PAYMENT_METHOD_CHANGE.version == 5
