"""Which bills there are of a contract: pure arithmetic on a price list and what is booked.

A monthly contract is billed for each month that it has from its first day to its last, on the first: nobody pays for a
month of which they had a part. An annual one is billed for its year on the day on which it begins or is renewed. What a
change costs once is billed on its effective date, at the figure that was confirmed. The figures are those of the terms
of that day, at the prices of today and the tax rate of that day.

What began before the month before is no longer looked for: a bill of then was made then, and is kept. No year is
billed twice: where a first day is corrected, a year that begins less than half a year from one that was billed is that
one; and no month is billed of a year that was.
"""

from __future__ import annotations

import logging
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from plugins.ledger.prices import PriceList
from plugins.ledger.quoting import price_of
from workflows.business.renewals import anniversary
from workflows.ports.billing import Bill, BilledContract, BillingTerm, ContractTerms

_HALF_A_YEAR = timedelta(days=183)

log = logging.getLogger("tetsuzuki.ledger")


@dataclass(frozen=True, slots=True)
class Booked:
    """A change that is booked: the contract's terms `before` it, None where they were not kept, those from
    `effective_on` on, and what it costs once, in yen with tax."""

    reference: str
    effective_on: date
    before: ContractTerms | None
    terms: ContractTerms
    once: int


@dataclass(frozen=True, slots=True)
class Reckoned:
    """A bill, and whether it is of a year."""

    bill: Bill
    is_of_year: bool = False


def reckoned(
    prices: PriceList,
    day: date,
    contracts: Sequence[BilledContract],
    bookings: Mapping[int, Sequence[Booked]],
    years: Mapping[int, Sequence[date]],
) -> Iterator[Reckoned]:
    """The bills of these contracts that fell due from the first of the month before `day` to `day`. `years` are the
    first days of the years of each contract that were billed. Pure, but for the log: a contract without a price has no
    bill."""
    first = (day.replace(day=1) - timedelta(days=1)).replace(day=1)
    for one in contracts:
        booked, billed = bookings.get(one.contract, ()), years.get(one.contract, ())
        for begins, terms in _periods(one, booked, max(first, one.since), day):
            is_of_year = terms.term == BillingTerm.ANNUAL
            price, twice = price_of(prices, terms, begins), _year_of(begins, billed, is_of_year=is_of_year)
            if twice is not None:
                log.warning(
                    "contract %s: no bill for %s, because its year was billed on %s", one.contract, begins, twice
                )
            elif price is None:
                log.warning("contract %s: no bill for %s, because the price list has no price", one.contract, begins)
            elif price.total:
                bill = Bill(f"B-{one.contract}-{begins:%Y%m%d}", one.contract, price.total, begins)
                yield Reckoned(bill, is_of_year)
        for change in booked:
            if change.once > 0 and max(first, one.since) <= change.effective_on <= day:
                yield Reckoned(Bill(change.reference, one.contract, change.once, change.effective_on))


def _year_of(begins: date, billed: Sequence[date], *, is_of_year: bool) -> date | None:
    """The first day of the billed year that a year or month is, or lies in, which begins on another day; None where it
    is to be billed."""
    for year in billed:
        if is_of_year and year != begins and abs(begins - year) < _HALF_A_YEAR:
            return year
        if not is_of_year and year < begins < anniversary(year, year.year + 1):
            return year
    return None


def _periods(
    one: BilledContract, booked: Sequence[Booked], first: date, day: date
) -> Iterator[tuple[date, ContractTerms]]:
    """The first days of the years and months that begin from `first` to `day`, each with the terms of that day."""
    started, ended = one.terms.started_on, one.ended_on or date.max
    for begins in (anniversary(started, year) for year in range(first.year, day.year + 1)):
        terms = _terms_on(one, booked, begins)
        if terms.term == BillingTerm.ANNUAL and max(first, started) <= begins <= min(day, ended):
            yield begins, terms
    begins = first if first.day == 1 else _next_month(first)
    while begins <= day:
        terms = _terms_on(one, booked, begins)
        if terms.term != BillingTerm.ANNUAL and started <= begins and _last_of_month(begins) <= ended:
            yield begins, terms
        begins = _next_month(begins)


def _terms_on(one: BilledContract, booked: Sequence[Booked], day: date) -> ContractTerms:
    """The terms of a contract on a day: those of today, unless a change was booked since. Then those before the first
    of these, and where they were not kept, those of the last one until the day."""
    in_order = sorted(booked, key=lambda change: change.effective_on)  # on one day as they were booked
    until = [change for change in in_order if change.effective_on <= day]
    since = in_order[len(until) :]
    if not since:
        return one.terms
    if since[0].before is not None:
        return since[0].before
    return until[-1].terms if until else one.terms


def _last_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _next_month(day: date) -> date:
    return _last_of_month(day) + timedelta(days=1)
