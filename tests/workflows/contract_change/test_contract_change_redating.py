"""Dates and money that move after the customer confirmed: one thing, taken anew together.

The contract of most: desknet's NEO, 10 users at 400 yen, 11 months a year, begun on 15 July 2025, tax 10 %.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from engine.attempt import Actor
from engine.errors import Refused
from engine.operations.incidents import incidents, retry
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import (
    LEDGER,
    PRICES,
    TAX,
    account,
    actor,
    again,
    anew,
    at,
    changed,
    contract,
    decide,
    do_all_due,
    ordered,
    request,
    row,
    staff,
)
from tests.kit.customers import customer
from tests.kit.sites import SiteMaker, state
from web.assembly.site import Site
from workflows.business.records import Account, ChangeRequest, Contract, Customer
from workflows.contract_change.inputs import GivingUp, Rejection
from workflows.contract_change.redating import propose_again
from workflows.ports import quotes
from workflows.ports.billing import Quote

Scene = tuple[Customer, Contract, Account, Actor]


def annual(**changes: Any) -> Scene:
    """A customer with an annual contract, an editor and a clerk."""
    of = customer()
    return of, contract(of, term="annual", **changes), account(of), staff()


def price(number: int) -> tuple[int, int]:
    """The price that a request keeps, with tax: recurring, and due once."""
    quote = quotes.from_json(row(number).quote).quote
    assert quote is not None
    return quote.recurring.total, quote.due.total if quote.due is not None else 0


def booked(site: Site, on: Contract) -> list[tuple[date, int | None]]:
    """The bookings of a contract: from when, and how much each period."""
    assert site.services.billing is not None
    return [(one.effective_on, one.total) for one in site.services.billing.history(on.id)]


def events(site: Site, number: int) -> list[str]:
    """The events of a request, in order."""
    return [entry.event for entry in site.engine.history(number)]


def told(mailer: MemoryMailer, subject: str) -> str:
    """The text of the only mail with this in its subject."""
    (mail,) = [one for one in mailer.sent if subject in one.subject]
    assert mail.html
    return mail.text


# -- a late review -----------------------------------------------------------------------------------------------------


def test_more_that_is_accepted_late_moves_on_and_is_charged_from_then_on(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    at(clock, 2026, 4, 30, 12, 0)
    of, on, by, clerk = annual()
    number = request(changing, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(changing)
    assert (row(number).effective_on, price(number)) == (date(2026, 5, 1), (87_120, 6_452))
    at(clock, 2026, 5, 7, 10, 0)
    decide(changing, number, clerk)
    do_all_due(changing)
    assert (row(number).effective_on, price(number)) == (date(2026, 6, 1), (87_120, 3_226))
    mail = told(mailer, "承りました")
    assert "適用日は、2026年5月1日から2026年6月1日に変わりました。" in mail
    assert mail.index("3,226円") < mail.index("これまでの料金") < mail.index("6,452円")
    assert mail.index("2026年6月1日から2026年7月14日まで") < mail.index("2026年5月1日から2026年7月14日まで")
    at(clock, 2026, 6, 1)
    do_all_due(changing)
    assert (state(changing, number), again(on).options, incidents(changing.engine)) == ("applied", "appsuite", [])
    assert booked(changing, on) == [(date(2026, 6, 1), 87_120)]


def test_less_that_was_asked_in_time_keeps_its_renewal_though_it_is_accepted_after_it(
    changing: Site, clock: Clock
) -> None:
    at(clock, 2026, 7, 14, 12, 0)
    of, on, by, clerk = annual()
    number = request(changing, of, on, by, changed(on, term="monthly"))
    do_all_due(changing)
    assert row(number).effective_on == date(2026, 7, 15)
    at(clock, 2026, 7, 16, 10, 0)
    decide(changing, number, clerk)
    do_all_due(changing)
    assert (state(changing, number), again(on).term) == ("applied", "monthly")
    assert booked(changing, on) == [(date(2026, 7, 15), 4_400)]


def test_less_that_is_asked_after_the_renewal_waits_for_the_next(lite: Site, clock: Clock) -> None:
    at(clock, 2026, 7, 15, 0, 0)
    of, on, by, _clerk = annual()
    assert row(request(lite, of, on, by, changed(on, term="monthly"))).effective_on == date(2027, 7, 15)


def test_fewer_users_of_a_monthly_contract_are_not_paid_for_though_the_site_was_late(
    changing: Site, clock: Clock
) -> None:
    at(clock, 2026, 4, 30, 12, 0)
    of = customer()
    on, by = contract(of), account(of)
    number = request(changing, of, on, by, changed(on, users=5))
    at(clock, 2026, 5, 9, 12, 0)
    do_all_due(changing)
    assert (state(changing, number), booked(changing, on)) == ("applied", [(date(2026, 5, 1), 2_200)])


def test_an_order_that_is_accepted_late_starts_and_is_priced_late(changing: Site, clock: Clock) -> None:
    at(clock, 2026, 4, 28, 12, 0)
    of = customer()
    by, clerk = account(of), staff()
    number = request(changing, of, None, by, ordered())
    do_all_due(changing)
    at(clock, 2026, 5, 7, 9, 0)
    decide(changing, number, clerk)
    do_all_due(changing)
    assert row(number).effective_on == date(2026, 6, 1)
    at(clock, 2026, 6, 1)
    do_all_due(changing)
    made = Contract.get(Contract.product == "chatluck")
    assert (state(changing, number), made.started_on) == ("applied", date(2026, 6, 1))


def test_the_effective_day_itself_is_in_time_and_takes_no_other_date(changing: Site, clock: Clock) -> None:
    at(clock, 2026, 4, 30, 12, 0)
    of, on, by, clerk = annual()
    number = request(changing, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(changing)
    clock.now = at(clock, 2026, 5, 2) - timedelta(microseconds=1)
    decide(changing, number, clerk)
    do_all_due(changing)
    assert (state(changing, number), booked(changing, on)) == ("applied", [(date(2026, 5, 1), 87_120)])
    assert price(number) == (87_120, 6_452)


def test_a_higher_price_is_accepted_with_a_reason_for_the_customer_alone(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    at(clock, 2026, 4, 30, 12, 0)
    site = make_site(database_url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    of, on, by, clerk = annual()
    number = request(site, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(site)
    taxed = {**LEDGER, "tax": (*TAX, {"from": "2026-06-01", "rate": "0.12"})}
    dear = make_site(database_url, clock=clock, mailer=mailer, plugins={"ledger": taxed})
    at(clock, 2026, 5, 7, 10, 0)
    with pytest.raises(Refused) as refused:
        decide(dear, number, clerk)
    assert [one.field for one in refused.value.refusals] == ["reason"]
    assert row(number).effective_on == date(2026, 5, 1)
    decide(dear, number, clerk, reason="税率が変わるため")
    do_all_due(dear)
    assert (row(number).effective_on, price(number)) == (date(2026, 6, 1), (88_704, 3_284))
    mail = told(mailer, "承りました")
    assert "税率が変わるため" in mail
    assert "88,704円" in mail
    assert mail.index("これまでの料金") < mail.index("87,120円")
    at(clock, 2026, 6, 1)
    do_all_due(dear)
    assert state(dear, number) == "applied"


def test_a_date_that_was_reckoned_before_midnight_is_refused_with_the_new_one(lite: Site, clock: Clock) -> None:
    at(clock, 2026, 4, 30, 12, 0)
    of, on, by, clerk = annual()
    number = request(lite, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(lite)
    clock.now = at(clock, 2026, 6, 1) - timedelta(microseconds=1)
    shown = anew(lite, number)
    clock.forward(microseconds=1)
    with pytest.raises(Refused) as refused:
        lite.engine.fire(number, "accept", clerk, shown)
    assert refused.value.refusal.code == "date_moved"
    assert "2026年7月1日" in str(refused.value.refusal.message)
    assert (state(lite, number), row(number).effective_on) == ("in_review", date(2026, 5, 1))


def test_a_price_that_was_reckoned_before_the_list_changed_is_refused_with_the_new_one(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    at(clock, 2026, 4, 30, 12, 0)
    site = make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    of, on, by, clerk = annual()
    number = request(site, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(site)
    at(clock, 2026, 5, 7, 10, 0)
    shown = anew(site, number)
    taxed = {**LEDGER, "tax": (*TAX, {"from": "2026-06-01", "rate": "0.12"})}
    dear = make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": taxed})
    with pytest.raises(Refused) as refused:
        dear.engine.fire(number, "accept", clerk, shown)
    assert refused.value.refusal.code == "shown_changed"
    assert (state(dear, number), row(number).effective_on) == ("in_review", date(2026, 5, 1))


def test_staff_choose_the_date_of_what_adds_and_drops_within_an_annual_term(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of, on, by, clerk = annual(options="disk-10gb")
    number = request(changing, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(changing)
    at(clock, 2026, 7, 20, 10, 0)
    ways = propose_again(changing.services, row(number), clock.now)
    assert [one.effective_on for one in ways] == [date(2026, 7, 15), date(2027, 7, 15)]
    decide(changing, number, clerk, on=date(2027, 7, 15))
    do_all_due(changing)
    assert (state(changing, number), row(number).effective_on) == ("scheduled", date(2027, 7, 15))
    assert "適用日は、2026年7月15日から2027年7月15日に変わりました。" in told(mailer, "承りました")


@pytest.mark.parametrize("late", ["review", "booking"])
def test_the_confirmed_date_that_staff_chose_is_booked(
    changing: Site, clock: Clock, mailer: MemoryMailer, late: str
) -> None:
    of, on, by, clerk = annual(options="disk-10gb")
    number = request(changing, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(changing)
    if late == "booking":
        changing.engine.fire(number, "accept", clerk)
    at(clock, 2026, 7, 20, 10, 0)
    do_all_due(changing)
    if late == "review":
        decide(changing, number, clerk, on=date(2026, 7, 15))
    else:
        assert (
            "late: confirmed for 2026-07-15; decide between 2026-07-15 or 2027-07-15"
            in incidents(changing.engine)[0].error
        )
        decide(changing, number, clerk, "accept_price", "7月から提供しているため", on=date(2026, 7, 15))
    do_all_due(changing)
    assert (state(changing, number), incidents(changing.engine)) == ("applied", [])
    assert booked(changing, on) == [(date(2026, 7, 15), 87_120)]
    (mail,) = [
        one for one in mailer.sent if ("承りました" if late == "review" else "適用日が決まりました") in one.subject
    ]
    assert "2026年7月15日" in mail.text


def test_what_comes_after_a_late_request_and_is_late_too_does_not_overtake_it(changing: Site, clock: Clock) -> None:
    of, on, by, clerk = annual()
    first = request(changing, of, on, by, changed(on, options=("appsuite",)))
    second = request(changing, of, on, by, changed(on, users=25))
    do_all_due(changing)
    at(clock, 2026, 5, 7, 10, 0)
    decide(changing, first, clerk)
    do_all_due(changing)
    clock.forward(hours=2)
    do_all_due(changing)
    assert [row(one).effective_on for one in (first, second)] == [date(2026, 6, 1), date(2026, 6, 1)]
    assert price(first) == (87_120, 3_226)  # without the other, as when it was asked for
    assert "redate" not in events(changing, first)
    at(clock, 2026, 6, 1)
    do_all_due(changing)
    clock.forward(hours=2)
    do_all_due(changing)
    assert [state(changing, one) for one in (first, second)] == ["applied", "applied"]
    assert [total for _day, total in booked(changing, on)] == [87_120, 217_800]


def test_a_cheaper_exchange_of_a_monthly_contract_keeps_its_date_and_a_dearer_one_moves(
    lite: Site, clock: Clock
) -> None:
    of = customer()
    on, by = contract(of, options="appsuite"), account(of)
    cheaper = request(lite, of, on, by, changed(on, options=("disk-10gb",)))
    do_all_due(lite)
    at(clock, 2026, 5, 7, 10, 0)
    assert anew(lite, cheaper).effective_on == date(2026, 5, 1)
    other = customer("A10000002")
    small = contract(other, options="disk-10gb", subdomain="other")
    at(clock, 2026, 4, 10, 12, 0)
    dearer = request(
        lite, other, small, account(other, email="jiro@mihon.example"), changed(small, options=("appsuite",))
    )
    do_all_due(lite)
    at(clock, 2026, 5, 7, 10, 0)
    assert anew(lite, dearer).effective_on == date(2026, 6, 1)


# -- a late incident ---------------------------------------------------------------------------------------------------


def test_a_dearer_exchange_of_a_monthly_contract_that_moved_and_is_late_again_moves_again(
    lite: Site, clock: Clock
) -> None:
    """The date to which it moved was nobody's choice, so it does not keep it: nothing is charged for June."""
    of, clerk = customer(), staff()
    on, by = contract(of, options="disk-10gb"), account(of)
    number = request(lite, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(lite)
    at(clock, 2026, 5, 7, 10, 0)
    decide(lite, number, clerk)
    assert row(number).effective_on == date(2026, 6, 1)
    at(clock, 2026, 6, 10, 10, 0)
    do_all_due(lite)
    assert (row(number).effective_on, booked(lite, on)) == (date(2026, 7, 1), [])
    at(clock, 2026, 7, 1)
    do_all_due(lite)
    assert booked(lite, on) == [(date(2026, 7, 1), 7_920)]


def stopped_increase(make_site: SiteMaker, url: str, clock: Clock, mailer: MemoryMailer) -> tuple[Site, Scene, int]:
    """An increase from 1 May that was stopped by another price, which was mended since."""
    dear: dict[str, Any] = {**LEDGER, "prices": {**PRICES, "desknets-neo": {"users": [{"from": 1, "month": 500}]}}}
    at(clock, 2026, 4, 10, 12, 0)
    site = make_site(url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    scene = of, on, by, _clerk = annual()
    number = request(site, of, on, by, changed(on, users=25))
    do_all_due(site)
    raised = make_site(url, clock=clock, mailer=mailer, plugins={"ledger": dear})
    at(clock, 2026, 5, 1)
    do_all_due(raised)
    assert "price_changed" in incidents(raised.engine)[0].error
    return make_site(url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER}), scene, number


def test_an_incident_that_is_settled_late_charges_nothing_for_the_time_before(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    site, (_of, on, _by, clerk), number = stopped_increase(make_site, database_url, clock, mailer)
    assert price(number) == (121_000, 12_100)  # May and June
    at(clock, 2026, 6, 20, 10, 0)
    retry(site.engine, incidents(site.engine)[0].ref, clerk, "prices were mended")
    do_all_due(site)
    assert (state(site, number), row(number).effective_on) == ("scheduled", date(2026, 7, 1))
    assert (price(number), incidents(site.engine), booked(site, on)) == ((121_000, 0), [], [])
    mail = told(mailer, "適用日・料金が変わりました")
    assert "適用日は、2026年5月1日から2026年7月1日に変わりました。" in mail
    assert mail.index("これまでの料金") < mail.index("12,100円")
    at(clock, 2026, 7, 1)
    do_all_due(site)
    assert (state(site, number), again(on).users, booked(site, on)) == ("applied", 25, [(date(2026, 7, 1), 121_000)])
    assert site.engine.verify(number) == []


def test_after_the_renewal_the_new_years_difference_is_due_and_staff_decide_on_it(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    site, (_of, on, _by, clerk), number = stopped_increase(make_site, database_url, clock, mailer)
    at(clock, 2026, 7, 20, 10, 0)
    retry(site.engine, incidents(site.engine)[0].ref, clerk, "prices were mended")
    do_all_due(site)
    (incident,) = incidents(site.engine)
    assert "66,550 once from 2026-08-01 on" in incident.error
    assert (state(site, number), row(number).effective_on) == ("applying", date(2026, 5, 1))
    decide(site, number, clerk, "accept_price", "当社の処理の遅れのため")
    do_all_due(site)
    assert (row(number).effective_on, price(number)) == (date(2026, 8, 1), (121_000, 66_550))
    mail = told(mailer, "料金が変わりました")
    assert "適用日は、2026年5月1日から2026年8月1日に変わりました。" in mail
    assert "当社の処理の遅れのため" in mail
    at(clock, 2026, 8, 1)
    do_all_due(site)
    assert (state(site, number), booked(site, on)) == ("applied", [(date(2026, 8, 1), 121_000)])


def test_a_new_price_never_keeps_a_date_that_has_passed(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    site, (_of, _on, _by, clerk), number = stopped_increase(make_site, sqlite_url, clock, mailer)
    shown = anew(site, number, "x")
    at(clock, 2026, 6, 20, 10, 0)
    with pytest.raises(Refused) as refused:
        site.engine.fire(number, "accept_price", clerk, shown)
    assert refused.value.refusal.code == "date_moved"


# -- on top of what will not be applied --------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["withdraw", "reject", "take_back"])
def test_an_option_on_top_of_a_term_change_that_was_withdrawn_waits_for_the_renewal_again(
    changing: Site, clock: Clock, mailer: MemoryMailer, ends: str
) -> None:
    at(clock, 2026, 7, 10, 12, 0)
    of, on, by, clerk = annual(options="appsuite")
    term = request(changing, of, on, by, changed(on, term="monthly"))
    option = request(changing, of, on, by, changed(on, options=()))
    do_all_due(changing)
    assert row(option).effective_on == date(2026, 8, 1)
    if ends == "withdraw":
        changing.engine.fire(term, "withdraw", actor(by))
    else:
        if ends == "take_back":
            changing.engine.fire(term, "accept", clerk, anew(changing, term))
            do_all_due(changing)
        changing.engine.fire(term, ends, clerk, Rejection("x"))
    do_all_due(changing)
    assert (row(option).effective_on, price(option)) == (date(2026, 7, 15), (4_400, 0))  # as it was confirmed
    assert (state(changing, option), events(changing, option)[-1]) == ("in_review", "redate")
    mail = told(mailer, "適用日・料金が変わりました")
    assert "適用日は、2026年8月1日から2026年7月15日（予定）に変わりました。" in mail
    assert mail.index("担当者が確認し") < mail.index("48,400円")  # a year costs more than a month
    assert again(on).term == "annual"


def test_two_requests_of_one_date_do_not_hold_each_other_on_a_renewal_that_a_monthly_contract_does_not_have(
    changing: Site, clock: Clock
) -> None:
    of = customer()
    on, by = contract(of, options="disk-10gb"), account(of)
    term = request(changing, of, on, by, changed(on, term="annual"))
    option = request(changing, of, on, by, changed(on, options=()))
    users = request(changing, of, on, by, changed(on, users=9))
    do_all_due(changing)
    assert [row(one).effective_on for one in (option, users)] == [date(2026, 7, 15), date(2026, 7, 15)]
    changing.engine.fire(term, "withdraw", actor(by))
    do_all_due(changing)
    assert [row(one).effective_on for one in (option, users)] == [date(2026, 5, 1), date(2026, 5, 1)]


def test_a_new_price_never_books_less_within_a_paid_year(changing: Site, clock: Clock) -> None:
    at(clock, 2026, 7, 10, 12, 0)
    of, on, by, clerk = annual(options="appsuite")
    term = request(changing, of, on, by, changed(on, term="monthly"))
    option = request(changing, of, on, by, changed(on, options=()))
    do_all_due(changing)
    changing.engine.fire(term, "withdraw", actor(by))
    do_all_due(changing)
    decide(changing, option, clerk, reason="ご契約種別の変更を取り下げられたため")
    do_all_due(changing)
    at(clock, 2026, 8, 2)
    do_all_due(changing)
    assert booked(changing, on) == [(date(2026, 7, 15), 48_400)]


def test_given_up_and_failed_ones_move_what_stood_on_them(changing: Site, clock: Clock) -> None:
    of, on, by, clerk = annual()
    first = request(changing, of, on, by, changed(on, users=25))
    second = request(changing, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(changing)
    changing.engine.fire(second, "accept", clerk)
    assert price(second) == (25 * 720 * 11 * 110 // 100, 16_132)
    at(clock, 2026, 5, 1)
    changing.engine.run_due()
    changing.engine.fire(first, "give_up", clerk, GivingUp("x"))
    do_all_due(changing)
    clock.forward(minutes=10)
    do_all_due(changing)
    assert (state(changing, first), state(changing, second)) == ("failed", "applied")
    assert price(second) == (87_120, 6_452)
    assert booked(changing, on) == [(date(2026, 5, 1), 87_120)]


def test_what_does_not_stand_on_it_stays_and_nobody_is_told(changing: Site, mailer: MemoryMailer) -> None:
    of, on, by, _clerk = annual()
    first = request(changing, of, on, by, changed(on, users=25))
    second = request(changing, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(changing)
    changing.engine.fire(second, "withdraw", actor(by))
    do_all_due(changing)
    assert "redate" not in events(changing, first)
    assert not [mail for mail in mailer.sent if "適用日・料金" in mail.subject]


def test_the_mail_of_a_date_that_moved_is_in_the_language_of_the_contractor(lite: Site, mailer: MemoryMailer) -> None:
    of = customer()
    Customer.update(contractor_language="en").execute()
    on, by = contract(of), account(of)
    first = request(lite, of, on, by, changed(on, users=25))
    request(lite, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(lite)
    lite.engine.fire(first, "withdraw", actor(by))
    do_all_due(lite)
    assert "Previous price" in told(mailer, "date or price of your contract change")


# -- version 1 ---------------------------------------------------------------------------------------------------------


def of_version_1(site: Site, of: Customer, on: Contract, by: Account, **changes: Any) -> int:
    """A request as a site of the last release has begun it."""
    number = request(site, of, on, by, changed(on, **changes))
    site.db.execute_sql(f"UPDATE instance SET version = 1 WHERE id = {number}")
    return number


def test_a_request_of_version_1_keeps_its_renewal_too(lite: Site, clock: Clock) -> None:
    at(clock, 2026, 7, 14, 12, 0)
    of, on, by, clerk = annual()
    number = of_version_1(lite, of, on, by, term="monthly")
    do_all_due(lite)
    at(clock, 2026, 7, 16, 10, 0)
    lite.engine.fire(number, "accept", clerk)
    do_all_due(lite)
    assert booked(lite, on) == [(date(2026, 7, 15), 4_400)]


def test_a_request_of_version_1_that_is_late_becomes_an_incident_and_staff_move_it(
    lite: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of, on, by, clerk = annual()
    number = of_version_1(lite, of, on, by, users=25)
    at(clock, 2026, 6, 20, 10, 0)
    do_all_due(lite)
    assert "late: confirmed for 2026-05-01; possible from 2026-07-01 on" in incidents(lite.engine)[0].error
    decide(lite, number, clerk, "accept_price", "遅れのため")
    do_all_due(lite)
    assert (row(number).effective_on, price(number)) == (date(2026, 7, 1), (121_000, 0))
    at(clock, 2026, 7, 1)
    do_all_due(lite)
    assert (state(lite, number), booked(lite, on)) == ("applied", [(date(2026, 7, 1), 121_000)])
    assert ChangeRequest.get(ChangeRequest.instance == number).slot is None


def test_figures_of_a_quote_are_compared_one_by_one(lite: Site) -> None:
    of, on, by, _clerk = annual()
    quote = quotes.from_json(row(request(lite, of, on, by, changed(on, users=25))).quote).quote
    assert isinstance(quote, Quote)
    assert not quotes.is_dearer(quote, quote)
    assert not quotes.is_dearer(quote, Quote(quote.recurring, None, ""))
    assert quotes.is_dearer(Quote(quote.recurring, None, ""), quote)


def test_a_request_of_version_1_is_migrated_to_the_new_rules(lite: Site, clock: Clock) -> None:
    of, on, by, _clerk = annual()
    number = of_version_1(lite, of, on, by, users=25)
    do_all_due(lite)
    lite.engine.migrate(number, 2, Actor("operator", "root"), "the new rules")
    at(clock, 2026, 6, 20, 10, 0)
    do_all_due(lite)
    assert (state(lite, number), row(number).effective_on, incidents(lite.engine)) == (
        "scheduled",
        date(2026, 7, 1),
        [],
    )
