"""The independent reckoning, held against figures that were worked out by hand (docs/operations.md, "Prices").

desknet's NEO for 10 users at 400 yen costs 44,000 yen for a year of 11 months. AppSuite costs 320 yen a user, so 35,200
yen a year; a twelfth is 2,933 yen. The contract began on 15 July 2025. Tax is 10 %.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests.kit.reckoning import (
    LESS,
    MIXED,
    MORE,
    Ahead,
    Entry,
    Figures,
    Holding,
    Outlook,
    Reckoning,
    Tariff,
    Wish,
    contradictions,
    figures,
    less_within_a_year,
    nature,
    renews,
    whole_months,
)

TARIFF = Tariff(
    {
        "desknets-neo": {
            "users": [{"from": 1, "month": 400}, {"from": 101, "month": 380}],
            "annual_months": 11,
            "options": {
                "appsuite": {"month": 320, "per": "user"},
                "disk-10gb": {"month": 1000, "year": 10000},
            },
        }
    },
    [{"from": "2019-10-01", "rate": "0.10"}],
)
ANNUAL = Holding("desknets-neo", 10, frozenset(), True, date(2025, 7, 15))
MONTHLY = replace(ANNUAL, annual=False)
APPSUITE = Wish("options", frozenset({"appsuite"}))
NOTHING: Wish = Wish("options", frozenset())


def day(text: str) -> date:
    """A day of 2026, as in "05-01", or of another year, as in "2027-05-01"."""
    return date.fromisoformat(text if len(text) > 5 else f"2026-{text}")


def yearly(recurring: int, once: int) -> Figures:
    return Figures(recurring, once, is_yearly=True)


def reckoning(holding: Holding, wish: Wish, *ahead: Ahead, number: int = 9) -> Reckoning:
    return Reckoning(TARIFF, Outlook(holding, ahead), wish, number)


def test_120_users_with_both_options_cost_87000_yen_a_month_and_with_tax_95700() -> None:
    both = replace(MONTHLY, users=120, options=frozenset({"appsuite", "disk-10gb"}))
    assert TARIFF.month(both) == 87_000
    assert figures(TARIFF, both, both, day("05-01")) == Figures(95_700, 0)


def test_a_year_costs_11_months_or_what_it_says_of_itself() -> None:
    assert TARIFF.year(ANNUAL) == 44_000
    assert TARIFF.year(replace(ANNUAL, options=frozenset({"disk-10gb"}))) == 54_000


@pytest.mark.parametrize(("begins", "once"), [("05-01", 6_452), ("06-01", 3_226), ("07-01", 0), ("08-01", 35_489)])
def test_an_option_is_charged_once_for_the_whole_months_until_the_renewal(begins: str, once: int) -> None:
    """From 1 August eleven months are left until 15 July: 32,263 yen, and 3,226 yen of tax."""
    assert figures(TARIFF, ANNUAL, APPSUITE.on(ANNUAL), day(begins)) == yearly(87_120, once)


def test_what_becomes_annual_is_charged_for_the_whole_months_until_the_renewal() -> None:
    """3,666 yen a month, twice, with tax."""
    assert figures(TARIFF, MONTHLY, ANNUAL, day("05-01")) == yearly(48_400, 8_065)


def test_at_the_renewal_nothing_is_charged_once() -> None:
    assert figures(TARIFF, ANNUAL, APPSUITE.on(ANNUAL), day("07-15")).once == 0


def test_a_rate_of_tax_counts_from_its_day() -> None:
    later = replace(TARIFF, tax=[*TARIFF.tax, {"from": "2026-06-01", "rate": "0.12"}])
    assert figures(later, ANNUAL, APPSUITE.on(ANNUAL), day("05-01")).once == 6_452
    assert figures(later, ANNUAL, APPSUITE.on(ANNUAL), day("06-01")).once == 3_284


@pytest.mark.parametrize(("ends", "months"), [(None, 2), ("06-30", 2), ("06-29", 1), ("05-31", 1), ("05-30", 0)])
def test_a_known_end_limits_what_is_charged(ends: str | None, months: int) -> None:
    assert whole_months(replace(ANNUAL, ended_on=day(ends) if ends else None), day("05-01")) == months


@pytest.mark.parametrize(("of", "is_one"), [("2026-02-28", True), ("2026-03-01", False), ("2028-02-28", False)])
def test_a_contract_of_29_february_renews_on_the_last_day_of_february(of: str, is_one: bool) -> None:
    assert renews(replace(ANNUAL, started_on=date(2024, 2, 29)), day(of)) is is_one
    assert renews(replace(ANNUAL, started_on=date(2024, 2, 29)), date(2028, 2, 29))


@pytest.mark.parametrize(
    ("holding", "wish", "asked", "begins"),
    [
        (ANNUAL, APPSUITE, "04-30", "05-01"),
        (ANNUAL, Wish("users", 12), "05-01", "06-01"),
        (ANNUAL, Wish("users", 9), "04-30", "07-15"),
        (ANNUAL, Wish("term", False), "07-14", "07-15"),
        (ANNUAL, Wish("term", False), "07-16", "2027-07-15"),
        (MONTHLY, Wish("users", 9), "04-30", "05-01"),
        (MONTHLY, Wish("term", True), "12-15", "2027-01-01"),
    ],
)
def test_more_begins_next_month_and_less_of_a_paid_year_at_the_renewal(
    holding: Holding, wish: Wish, asked: str, begins: str
) -> None:
    assert reckoning(holding, wish).first_possible(day(asked)) == (day(begins),)


@pytest.mark.parametrize(
    ("before", "wish", "weighed"),
    [
        (ANNUAL, APPSUITE, MORE),
        (ANNUAL, Wish("users", 9), LESS),
        (ANNUAL, Wish("term", False), LESS),
        (MONTHLY, Wish("term", True), MORE),
        (replace(ANNUAL, options=frozenset({"disk-10gb"})), APPSUITE, MIXED),
        (replace(MONTHLY, options=frozenset({"disk-10gb"})), APPSUITE, MORE),
        (replace(MONTHLY, options=frozenset({"appsuite"})), Wish("options", frozenset({"disk-10gb"})), LESS),
    ],
)
def test_what_is_more_less_or_both(before: Holding, wish: Wish, weighed: str) -> None:
    assert nature(TARIFF, before, wish.on(before)) == weighed


@pytest.mark.parametrize(
    ("holding", "wish", "asked", "confirmed", "decided", "begins"),
    [
        (ANNUAL, APPSUITE, "04-30", "05-01", "05-01", ["05-01"]),  # in time: the day itself counts
        (ANNUAL, APPSUITE, "04-30", "05-01", "05-07", ["06-01"]),  # late and more
        (ANNUAL, Wish("users", 12), "04-20", "05-01", "06-20", ["07-01"]),
        (ANNUAL, Wish("users", 12), "04-20", "05-01", "07-20", ["08-01"]),  # after the renewal: the new year
        (ANNUAL, Wish("term", False), "07-14", "07-15", "07-16", ["07-15"]),  # late and less
        (MONTHLY, Wish("users", 9), "04-20", "05-01", "06-20", ["05-01"]),
        (
            replace(ANNUAL, options=frozenset({"disk-10gb"})),
            APPSUITE,
            "07-10",
            "07-15",
            "07-20",
            ["07-15", "2027-07-15"],
        ),
    ],
)
def test_the_companys_delay_costs_the_customer_nothing(
    holding: Holding, wish: Wish, asked: str, confirmed: str, decided: str, begins: list[str]
) -> None:
    found = reckoning(holding, wish).decided(day(asked), day(confirmed), day(decided))
    assert found == tuple(map(day, begins))


def test_a_late_decision_charges_nothing_for_the_days_before_it() -> None:
    """More users from 1 May, settled on 20 June, begin on 1 July; only a part of a month is left of that year."""
    late = reckoning(ANNUAL, Wish("users", 12))
    (begins,) = late.decided(day("04-20"), day("05-01"), day("06-20"))
    assert late.figures(begins) == yearly(58_080, 0)
    (begins,) = late.decided(day("04-20"), day("05-01"), day("07-20"))
    assert late.figures(begins) == yearly(58_080, 8_869)  # a twelfth of 8,800 is 733; eleven of them, with tax


def test_what_stands_on_a_change_of_term_ahead_is_reckoned_anew_without_it() -> None:
    """Dropping an option of what will be monthly begins with a month; of what stays annual, at the renewal."""
    held = APPSUITE.on(ANNUAL)
    monthly = Ahead(day("07-15"), 1, Wish("term", False))
    assert reckoning(held, NOTHING, monthly).first_possible(day("07-15")) == (day("08-01"),)
    assert reckoning(held, NOTHING, monthly).first_possible(day("04-30")) == (day("07-15"), day("08-01"))
    assert reckoning(held, NOTHING).decided(day("07-10"), day("08-01"), day("07-12")) == (day("07-15"),)


def test_requests_are_priced_upon_those_before_them() -> None:
    users = Ahead(day("05-01"), 1, Wish("users", 20))
    upon = reckoning(ANNUAL, APPSUITE, users, number=2)
    assert upon.figures(day("05-01")) == yearly(174_240, 12_905)  # twice 5,866, with tax
    assert reckoning(ANNUAL, APPSUITE, users, number=0).figures(day("05-01")) == yearly(87_120, 6_452)


@pytest.mark.parametrize(
    ("figures", "dearer"),
    [(yearly(10, 5), False), (yearly(9, 4), False), (yearly(9, 6), True), (yearly(11, 0), True), (Figures(1, 0), True)],
)
def test_a_price_is_dearer_where_one_figure_is(figures: Figures, dearer: bool) -> None:
    assert figures.dearer_than(yearly(10, 5)) is dearer


def entry(begins: str, number: int, kind: str, holding: Holding) -> Entry:
    return Entry(day(begins), number, kind, holding, None)


def test_books_that_take_back_what_another_booking_said_contradict_themselves() -> None:
    more = replace(ANNUAL, users=25)
    assert not [*contradictions(ANNUAL, [entry("05-01", 1, "users", more)])]
    other = replace(ANNUAL, payment_method="credit_card")
    assert [*contradictions(ANNUAL, [entry("06-01", 1, "payment_method", other), entry("05-01", 2, "users", more)])]


@pytest.mark.parametrize(("begins", "is_wrong"), [("07-15", False), ("08-01", True)])
def test_less_within_a_paid_year_is_noticed(begins: str, is_wrong: bool) -> None:
    books: list[Any] = [entry(begins, 1, "users", replace(ANNUAL, users=9))]
    assert bool([*less_within_a_year(TARIFF, ANNUAL, books)]) is is_wrong
