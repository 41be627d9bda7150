"""An independent reckoning of effective dates and prices, which the product is held against.

It is written from "Prices" of docs/operations.md and from the guide's rule of dates, and never from the code that it
judges. It differs from that code on purpose: it walks a calendar day by day and asks of each day what it is, where the
product has formulas. It imports nothing of the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

DAY = timedelta(days=1)
A_LONG_TIME = 3 * 366  # days: every possible date is nearer than that


@dataclass(frozen=True, slots=True)
class Holding:
    """What a customer has of one product on a day. `ended_on` is the last day of a contract whose end is known."""

    product: str
    users: int
    options: frozenset[str]
    annual: bool
    started_on: date
    payment_method: str = "bank_transfer"
    ended_on: date | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """The one thing that a request changes: a number of users, a set of options, annual or not, a payment method."""

    kind: str
    value: Any

    def on(self, holding: Holding) -> Holding:
        """What the customer has once it is fulfilled."""
        name = "annual" if self.kind == "term" else self.kind
        return replace(holding, **{name: self.value})


@dataclass(frozen=True, slots=True)
class Figures:
    """What a change costs from its effective date on, in a month or in a year, and once. Whole yen with tax."""

    recurring: int
    once: int
    is_yearly: bool = False

    def dearer_than(self, other: Figures) -> bool:
        """Whether any figure is higher than the other's; prices of a month and of a year cannot be compared."""
        other_period = self.is_yearly != other.is_yearly
        return other_period or self.recurring > other.recurring or self.once > other.once


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price list and the tax rates, in the form of the settings."""

    prices: Mapping[str, Mapping[str, Any]]
    tax: Sequence[Mapping[str, Any]]

    def month(self, holding: Holding) -> int:
        """The price of a month, net."""
        return self._users(holding) + sum(self._option(holding, name, "month") for name in holding.options)

    def year(self, holding: Holding) -> int:
        """The price of a year in one sum, net."""
        months = self._months(holding)
        return months * self._users(holding) + sum(self._option(holding, name, "year") for name in holding.options)

    def recurring(self, holding: Holding) -> int:
        """The price of a month or of a year, by the term, net."""
        return self.year(holding) if holding.annual else self.month(holding)

    def with_tax(self, net: int, day: date) -> int:
        """A net sum with the tax of a day, which is rounded down once."""
        rates = [Fraction(rate["rate"]) for rate in self.tax if str(rate["from"]) <= day.isoformat()]
        return net + int(net * rates[-1])

    def _months(self, holding: Holding) -> int:
        return int(self.prices[holding.product].get("annual_months", 12))

    def _users(self, holding: Holding) -> int:
        """Each user costs what the step costs in which it is counted."""
        steps = {int(step["from"]): int(step["month"]) for step in self.prices[holding.product]["users"]}
        total = price = 0
        for user in range(1, holding.users + 1):
            price = steps.get(user, price)
            total += price
        return total

    def _option(self, holding: Holding, name: str, period: str) -> int:
        option = self.prices[holding.product]["options"][name]
        each = holding.users if option.get("per") == "user" else 1
        if period == "month":
            return each * int(option["month"])
        return each * int(option.get("year", self._months(holding) * int(option["month"])))


def days_from(first: date) -> Iterator[date]:
    """A day and those after it."""
    for count in range(A_LONG_TIME):
        yield first + count * DAY


def renews(holding: Holding, day: date) -> bool:
    """Whether a year of the contract begins on a day. A contract of 29 February renews on the 28th in common years."""
    start = holding.started_on
    if day <= start:
        return False
    if (start.month, start.day) == (2, 29):
        return day.month == 2 and (day + DAY).month == 3
    return (day.month, day.day) == (start.month, start.day)


def whole_months(holding: Holding, first: date) -> int:
    """The calendar months that lie wholly between a day and the renewal, or the contract's end if that is earlier."""
    count, whole = 0, first.day == 1
    for day in days_from(first):
        if renews(holding, day) or (holding.ended_on is not None and day > holding.ended_on):
            return count
        if (day + DAY).day == 1:
            count, whole = count + whole, True
    raise AssertionError(f"{holding} never renews")


def figures(tariff: Tariff, before: Holding | None, after: Holding, day: date) -> Figures:
    """What a change costs that takes effect on `day`; `before` is None for an order."""
    recurring = tariff.with_tax(tariff.recurring(after), day)
    if before is None or not after.annual:
        return Figures(recurring, 0, after.annual)
    more = tariff.year(after) - (tariff.year(before) if before.annual else 0)
    return Figures(recurring, tariff.with_tax(max(0, more // 12) * whole_months(after, day), day), is_yearly=True)


LESS, MORE, MIXED = "less", "more", "mixed"


def nature(tariff: Tariff, before: Holding, after: Holding) -> str:
    """Whether a change takes away, delivers something new, or does both within an annual term."""
    if not before.annual and not after.annual and tariff.month(after) <= tariff.month(before):
        return LESS
    if takes(before, after) and takes(after, before) and before.annual:
        return MIXED
    return MORE if takes(after, before) else LESS


def takes(before: Holding, after: Holding) -> bool:
    """Whether a change takes anything away: users, an option, or the annual term."""
    return after.users < before.users or not before.options <= after.options or (before.annual and not after.annual)


@dataclass(frozen=True, slots=True)
class Ahead:
    """An open request, as others of its contract see it: applied in the order of dates, on one date of numbers."""

    day: date
    number: int
    wish: Wish


@dataclass(frozen=True, slots=True)
class Outlook:
    """A contract as it is, and the requests that are open on it besides the one that is reckoned.

    `was_annual` are the days on which a booked change ended an annual term: what is late is reckoned as of such a day.
    `since` is the day of the last booking, before which nothing can be booked any more.
    """

    holding: Holding
    ahead: tuple[Ahead, ...] = ()
    was_annual: frozenset[date] = frozenset()
    since: date = date.min

    def before(self, day: date, number: int) -> Holding:
        """What the contract says on `day` when the request `number` is about to be applied."""
        return _fulfilled(self.holding, (one for one in self.ahead if (one.day, one.number) < (day, number)))

    def annual_on_the_eve(self, day: date) -> bool:
        """Whether the contract is paid by the year at the end of the day before."""
        return day in self.was_annual or _fulfilled(self.holding, (one for one in self.ahead if one.day < day)).annual


def _fulfilled(holding: Holding, ahead: Iterable[Ahead]) -> Holding:
    for one in sorted(ahead, key=lambda one: (one.day, one.number)):
        holding = one.wish.on(holding)
    return holding


@dataclass(frozen=True, slots=True)
class Reckoning:
    """One request, reckoned by one tariff upon one outlook. `number` orders it among those of one day."""

    tariff: Tariff
    outlook: Outlook
    wish: Wish
    number: int

    def possible(self, day: date) -> bool:
        """Whether the change may begin on a day.

        What is paid for a year is taken away at its renewal and on no other day; everything else begins with a month.
        """
        if day < self.outlook.since:
            return False
        before = self.outlook.before(day, self.number)
        is_paid = before.annual or self.outlook.annual_on_the_eve(day)
        if is_paid and takes(before, self.wish.on(before)):
            return renews(before, day) or day in self.outlook.was_annual
        return day.day == 1

    def nature(self, day: date) -> str:
        """What kind of change it would be on a day."""
        before = self.outlook.before(day, self.number)
        return nature(self.tariff, before, self.wish.on(before))

    def adds(self, day: date) -> bool:
        """Whether a change that begins on a day adds anything to what the contract has then."""
        before = self.outlook.before(day, self.number)
        return takes(self.wish.on(before), before)

    def first_possible(self, asked_on: date) -> tuple[date, ...]:
        """The first day on which the change may begin, after the one on which it was asked for.

        Where an annual term ends on that day by a request ahead, the first of the next month may be said instead: it is
        the renewal of what is annual, and no month of what is monthly.
        """
        first = next(day for day in days_from(asked_on + DAY) if self.possible(day))
        ends = self.outlook.annual_on_the_eve(first) and not self.outlook.before(first, self.number).annual
        return (first, next(day for day in days_from(first + DAY) if day.day == 1)) if ends else (first,)

    def figures(self, day: date) -> Figures:
        """What the change costs if it begins on a day."""
        before = self.outlook.before(day, self.number)
        return figures(self.tariff, before, self.wish.on(before), day)

    def decided(self, asked_on: date, confirmed: date, today: date) -> tuple[date, ...]:
        """The effective dates that a decision of `today` may give the request; several where staff choose.

        A confirmed date that is still possible stays. One that is not, because what it was reckoned upon is gone, is
        reckoned as of the day of the request. Then the company's delay costs the customer nothing: less keeps its date,
        more begins on the next possible one.
        """
        dues = (confirmed,) if self.possible(confirmed) else self.first_possible(asked_on)
        return tuple(day for due in dues for day in self._decided(due, today))

    def _decided(self, due: date, today: date) -> tuple[date, ...]:
        if today <= due or self.nature(due) == LESS:
            return (due,)
        following = self.first_possible(today)
        return following if self.nature(due) == MORE else (due, *following)


@dataclass(frozen=True, slots=True)
class Entry:
    """A booking, as the books hold it. `holding` is what the contract says from `day` on."""

    day: date
    number: int
    kind: str
    holding: Holding
    figures: Figures | None


def by_date(entries: Iterable[Entry]) -> list[Entry]:
    """The books, read by date."""
    return sorted(entries, key=lambda one: (one.day, one.number))


def contradictions(first: Holding, entries: Iterable[Entry]) -> Iterator[str]:
    """Where the books, read by date, change anything besides what each booking is about."""
    held = first
    for entry in by_date(entries):
        value = entry.holding.annual if entry.kind == "term" else getattr(entry.holding, entry.kind)
        held = Wish(entry.kind, value).on(held)
        if entry.holding != held:
            yield f"{entry} contradicts {held}"
        held = entry.holding


def less_within_a_year(tariff: Tariff, first: Holding, entries: Iterable[Entry]) -> Iterator[str]:
    """Bookings that take something away within a year that is paid for."""
    held = first
    for entry in by_date(entries):
        is_paid = held.annual and not renews(held, entry.day)
        if is_paid and entry.kind != "payment_method" and nature(tariff, held, entry.holding) != MORE:
            yield f"{entry} takes something of a year that is paid for away: {held}"
        held = entry.holding
