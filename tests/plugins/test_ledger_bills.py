"""The ledger's bills: which there are of a contract, what each is of, and that none ever changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.plugins.site_facts import SiteFacts
from engine.store.opening import open_database
from engine.store.schema import migrate
from plugins.ledger.billing import Booked, reckoned
from plugins.ledger.plugin import Ledger, LedgerBill
from plugins.ledger.prices import PriceList
from tests.kit.databases import close_database
from workflows.business.renewals import is_renewal
from workflows.ports.billing import Applied, Bill, BilledContract, Change, ContractTerms, Quote

PRICES: dict[str, Any] = {"desknets-neo": {"users": [{"from": 1, "month": 600}], "annual_months": 11}}
TAX: tuple[dict[str, Any], ...] = ({"from": "2019-10-01", "rate": "0.10"}, {"from": "2027-01-01", "rate": "0.12"})
LIST = PriceList.from_settings(PRICES, TAX)
TERMS = ContractTerms("desknets-neo", "mihon", 10, (), "monthly", "direct_debit", date(2025, 4, 15))
ANNUAL = replace(TERMS, term="annual")
DAY = date(2026, 12, 28)
LONG_AGO = date(2020, 1, 1)


def billed(terms: ContractTerms = TERMS, since: date = LONG_AGO, ended_on: date | None = None) -> BilledContract:
    return BilledContract(7, "A00000001", terms, since, ended_on)


def bills(one: BilledContract, *booked: Booked, day: date = DAY) -> list[tuple[date, int]]:
    return [(made.bill.due_on, made.bill.total) for made in reckoned(LIST, day, (one,), {7: booked}, {})]


NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


def test_a_monthly_contract_is_billed_for_this_month_and_the_one_before() -> None:
    assert bills(billed()) == [(NOVEMBER, 6_600), (DECEMBER, 6_600)]
    assert bills(billed(), day=date(2027, 1, 1)) == [(DECEMBER, 6_600), (date(2027, 1, 1), 6_720)]  # its own tax


@pytest.mark.parametrize(
    ("one", "due"),
    [
        (billed(since=DECEMBER), [DECEMBER]),
        (billed(since=date(2026, 12, 2)), []),
        (billed(ended_on=date(2026, 11, 30)), [NOVEMBER]),
        (billed(ended_on=date(2026, 12, 30)), [NOVEMBER]),  # nobody pays for a month of which they had a part
        (billed(ended_on=date(2026, 12, 31)), [NOVEMBER, DECEMBER]),
        (billed(replace(TERMS, started_on=date(2026, 11, 2))), [DECEMBER]),
        (billed(replace(TERMS, started_on=DECEMBER)), [DECEMBER]),
        (billed(replace(TERMS, product="gone")), []),
        (billed(replace(TERMS, users=0)), []),
    ],
)
def test_only_whole_months_that_were_had_and_are_paid_in_this_way_are_billed(
    one: BilledContract, due: list[date]
) -> None:
    assert [day for day, _total in bills(one)] == due


@pytest.mark.parametrize(
    ("started_on", "day", "due"),
    [
        (date(2025, 12, 28), DAY, [DAY]),
        (date(2025, 12, 29), DAY, []),
        (date(2025, 12, 29), date(2027, 1, 27), [date(2026, 12, 29)]),
        (date(2025, 10, 31), DAY, []),
        (date(2024, 2, 29), date(2026, 3, 27), [date(2026, 2, 28)]),
        (date(2026, 12, 1), DAY, [DECEMBER]),  # its first year
        (date(2027, 1, 1), DAY, []),
    ],
)
def test_an_annual_contract_is_billed_on_the_day_on_which_its_year_begins(
    started_on: date, day: date, due: list[date]
) -> None:
    found = bills(billed(replace(ANNUAL, started_on=started_on)), day=day)
    assert [(one, total) for one, total in found] == [(one, 72_600) for one in due]


def test_an_annual_contract_that_ends_before_its_renewal_has_no_bill() -> None:
    terms = replace(ANNUAL, started_on=date(2025, 12, 20))
    assert bills(billed(terms, ended_on=date(2026, 12, 19))) == []
    assert len(bills(billed(terms, ended_on=date(2026, 12, 20)))) == 1


def test_a_bill_is_of_the_terms_of_its_own_day() -> None:
    before = Booked("L-00000001", date(2026, 6, 1), None, replace(TERMS, users=5), 0)
    after = Booked("L-00000002", DECEMBER, None, replace(TERMS, users=20), 0)
    now = billed(replace(TERMS, users=20))
    assert bills(now, before, after) == [(NOVEMBER, 3_300), (DECEMBER, 13_200)]


def booked(day: date, before: ContractTerms, after: ContractTerms, once: int = 0) -> Booked:
    return Booked(f"L-{day:%m%d}", day, before, after, once)


def test_a_bill_of_before_the_first_booking_is_of_the_terms_before_it() -> None:
    """Also where an import changed them since the booking before."""
    change = booked(DECEMBER, replace(TERMS, users=20), replace(TERMS, users=10))
    assert bills(billed(), change) == [(NOVEMBER, 13_200), (DECEMBER, 6_600)]
    earlier = booked(date(2026, 6, 1), replace(TERMS, users=2), replace(TERMS, users=3))
    assert bills(billed(), change, earlier) == [(NOVEMBER, 13_200), (DECEMBER, 6_600)]
    of_a_year = replace(ANNUAL, started_on=date(2025, 11, 15))
    more = booked(DECEMBER, of_a_year, replace(of_a_year, users=20), 66_000)
    assert bills(billed(replace(of_a_year, users=20)), more) == [(date(2026, 11, 15), 72_600), (DECEMBER, 66_000)]


def test_a_year_and_a_month_are_billed_where_that_was_the_term_on_their_first_day() -> None:
    renewed = date(2026, 12, 15)
    yearly = replace(ANNUAL, started_on=date(2024, 12, 15))
    monthly = replace(yearly, term="monthly")
    users = booked(date(2026, 2, 1), replace(yearly, users=9), yearly)
    to_monthly = booked(renewed, yearly, monthly)
    assert bills(billed(monthly), users, to_monthly) == []
    assert bills(billed(monthly), users, to_monthly, day=date(2027, 1, 1)) == [(date(2027, 1, 1), 6_720)]
    to_annual = booked(DECEMBER, replace(monthly, started_on=date(2024, 11, 15)), replace(yearly, users=10), 60_500)
    of_november = replace(yearly, started_on=date(2024, 11, 15))
    assert bills(billed(of_november), to_annual) == [(NOVEMBER, 6_600), (DECEMBER, 60_500)]


def test_what_a_change_costs_once_is_billed_on_its_day() -> None:
    change = booked(DECEMBER, replace(ANNUAL, users=9), ANNUAL, 4_321)
    change = replace(change, reference="L-00000003")
    assert bills(billed(ANNUAL), change) == [(DECEMBER, 4_321)]
    assert bills(billed(ANNUAL, since=date(2026, 12, 2)), change) == []
    assert bills(billed(ANNUAL), replace(change, once=0)) == []
    (made,) = reckoned(LIST, DAY, (billed(ANNUAL),), {7: (change,)}, {})
    assert (made.bill.number, made.is_of_year) == ("L-00000003", False)


@given(
    st.dates(date(2024, 1, 1), date(2026, 12, 31)),
    st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    st.sampled_from(["monthly", "annual"]),
)
def test_whoever_asks_every_month_is_told_of_every_period_once(started_on: date, until: date, term: str) -> None:
    """Asked on one day of each month, however late, the bills are those of every month or year that began."""
    one = billed(replace(TERMS, term=term, started_on=started_on))
    asked = [
        date(year, month, min(until.day, 28))
        for year in range(2024, until.year + 1)
        for month in range(1, 13)
        if date(year, month, min(until.day, 28)) <= until
    ]
    found, years = dict[str, date](), list[date]()
    for day in asked:
        for made in reckoned(LIST, day, (one,), {}, {7: years}):
            found[made.bill.number] = made.bill.due_on
            years += [made.bill.due_on] if made.is_of_year else []
    last = max(asked)
    days = [started_on + timedelta(days=ahead) for ahead in range(max(0, (last - started_on).days + 1))]
    if term == "annual":
        due = [day for day in days if day == started_on or is_renewal(started_on, day)]
    else:
        due = [day for day in days if day.day == 1]
    assert sorted(found.values()) == due


# -- kept --------------------------------------------------------------------------------------------------------------


def made(folder: Path, month: int = 600) -> Ledger:
    prices = {"desknets-neo": {"users": [{"from": 1, "month": month}]}}
    return Ledger(Ledger.Config(prices, TAX), SiteFacts(folder, "http://x", "a@x.example", False, "Asia/Tokyo"))


@pytest.fixture
def ledger(database_url: str, tmp_path: Path) -> Iterator[Ledger]:
    ledger = made(tmp_path)
    db = open_database(database_url)
    migrate(db, tuple(ledger.register_migrations().values()))
    yield ledger
    close_database(db)


def test_a_bill_keeps_its_number_and_total_whatever_prices_become(ledger: Ledger, tmp_path: Path) -> None:
    one = billed(since=DECEMBER)
    first = ledger.due_bills(DAY, (one,))
    assert first == (Bill("B-7-20261201", 7, 6_600, DECEMBER),)
    assert made(tmp_path, 999).due_bills(DAY, (one,)) == first
    dearer = made(tmp_path, 999).due_bills(date(2027, 1, 27), (one,))
    assert dearer == (*first, Bill("B-7-20270101", 7, 11_188, date(2027, 1, 1)))
    assert LedgerBill.select().count() == 2


def test_old_bills_are_answered_until_whoever_collects_them_knows_better(ledger: Ledger) -> None:
    one = billed(since=DECEMBER)
    for month in (1, 2, 3, 4):
        ledger.due_bills(date(2027, month, 27), (one,))
    assert [bill.due_on.month for bill in ledger.due_bills(date(2027, 4, 27), (one,))] == [12, 1, 2, 3, 4]
    later = replace(one, since=date(2027, 3, 1))
    assert [bill.due_on.month for bill in ledger.due_bills(date(2027, 4, 27), (later,))] == [3, 4]


def test_what_was_booked_is_billed(ledger: Ledger) -> None:
    before, after = replace(ANNUAL, users=10), replace(ANNUAL, users=20)
    change = Change("users", "A00000001", 7, before, after, date(2026, 11, 1), DECEMBER)
    shown = ledger.quote(change)
    assert isinstance(shown, Quote)
    assert shown.due is not None
    applied = ledger.apply(change, shown, "key")
    assert isinstance(applied, Applied)
    assert ledger.due_bills(DAY, (billed(after),)) == (Bill(applied.reference, 7, shown.due.total, DECEMBER),)


@pytest.mark.parametrize("to", [date(2025, 12, 1), date(2025, 12, 10), date(2026, 2, 8), date(2025, 7, 8)])
@pytest.mark.parametrize("is_from_before", [False, True])
def test_a_first_day_that_is_corrected_bills_no_year_twice(ledger: Ledger, to: date, is_from_before: bool) -> None:
    was = replace(ANNUAL, started_on=date(2025, 12, 8))
    (bill,) = ledger.due_bills(date(2026, 12, 8), (billed(was),))
    if is_from_before:
        LedgerBill.update(is_of_year=None).execute()
    corrected = billed(replace(was, started_on=to))
    days = [date(2026, 12, 9) + timedelta(weeks=ahead) for ahead in range(72)]
    found = [ledger.due_bills(day, (corrected,)) for day in days]
    assert [one for one in found[17] if one.due_on < date(2027, 6, 1)] == [bill]
    renewed = [one.due_on for one in found[-1]]
    assert renewed == [date(2026, 12, 8), to.replace(year=2028 if to.month == 2 else 2027)]


def test_no_month_is_billed_of_a_year_that_was(ledger: Ledger) -> None:
    """As where the term is decided on, or corrected, once the year was asked for."""
    was = replace(ANNUAL, started_on=date(2025, 12, 8))
    (bill,) = ledger.due_bills(date(2026, 12, 8), (billed(was),))
    monthly = billed(replace(was, term="monthly"), since=DAY)
    assert ledger.due_bills(date(2027, 6, 1), (replace(monthly, since=DECEMBER),)) == (bill,)
    for month in (11, 12):
        ledger.due_bills(date(2027, month, 27), (monthly,))
    assert [one.due_on for one in ledger.due_bills(date(2028, 1, 27), (monthly,))] == [date(2028, 1, 1)]


def test_without_contracts_there_are_no_bills(ledger: Ledger) -> None:
    assert ledger.due_bills(DAY, ()) == ()
