"""Companies that change their contracts over years, on a site with bad days; each step is held against `reckoning`.

A `World` is a site with a clock that jumps from one day on which something happens to the next. After each jump it
compares what the product says with what the independent reckoning says. What differs is a fault with its story.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.attempt import Actor
from engine.store.base import SiteDatabase
from tests.kit.reckoning import (
    MORE,
    Ahead,
    Entry,
    Figures,
    Holding,
    Outlook,
    Reckoning,
    Tariff,
    Wish,
    days_from,
)
from tests.kit.unsteady_ledger import Booked, figures_of
from workflows.business.records import Contract
from workflows.ports import quotes

TOKYO = ZoneInfo("Asia/Tokyo")
FAULT = "FAULT: "
UNDECIDED = ("requested", "in_review")
AFTER_THE_DECISION = "当社の承認後"


def noon(day: date) -> datetime:
    """The middle of a day in Tokyo, in UTC."""
    return datetime.combine(day, time(12), TOKYO).astimezone(UTC)


def midnight(day: date) -> datetime:
    """A minute after a day begins in Tokyo, in UTC."""
    return datetime.combine(day, time(0, 1), TOKYO).astimezone(UTC)


def holding_of(contract: Contract) -> Holding:
    """What a record says that a customer has."""
    return Holding(
        contract.product,
        contract.users,
        frozenset(contract.options.split()),
        contract.term == "annual",
        contract.started_on,
        contract.payment_method,
        contract.ended_on,
    )


@dataclass
class Request:
    """A request as the customer knows it: the confirmed wish, and what was said of it since.

    `agreed` are the figures that the customer confirmed, or on which a person decided since. `tariff` is the one by
    which `figures` were reckoned. `is_stale` says that something has come between that is only reckoned at the next
    decision: another request that takes effect earlier, or a known end. `is_undecided` says that staff have yet to
    accept it.
    """

    number: int
    wish: Wish
    asked_on: date
    day: date
    figures: Figures | None
    tariff: Tariff
    quote: str = ""
    agreed: Figures | None = None
    anew: bool = False
    is_stale: bool = False
    is_undecided: bool = False
    chosen: tuple[date, Figures | None] | None = None  # by a person
    was_for: date = date.min  # before the last look

    def __post_init__(self) -> None:
        self.agreed, self.was_for = self.figures, self.day

    @property
    def is_priced(self) -> bool:
        """Whether it has a price: another payment method has none."""
        return self.wish.kind != "payment_method"


@dataclass
class Company:
    """A customer with one contract. `holding` is what the contract must say, `books` what must be booked of it.

    `booked` are bookings that the contract does not have yet, by request, and `applied` those that it has.
    `disturbed_on` is when something last came between: a request that was closed, another tariff, a correction.
    """

    contract: int
    address: str
    account: Actor
    holding: Holding
    first: Holding
    open: dict[int, Request] = field(default_factory=dict)
    books: list[Entry] = field(default_factory=list)
    booked: dict[int, Booked] = field(default_factory=dict)
    applied: dict[int, Booked] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    disturbed_on: date = date.min
    is_corrected: bool = False
    is_wrong: bool = False

    def until_the_fault(self) -> list[str]:
        """The story as far as the first fault."""
        ends = next((place for place, line in enumerate(self.story) if FAULT in line), len(self.story))
        return self.story[: ends + 1]

    def outlook(self, besides: int, *, as_it_was: bool = False) -> Outlook:
        """The contract and what is open on it, as one request sees it; `as_it_was` before the last look."""
        others = [one for one in self.open.values() if one.number != besides]
        ended = frozenset(one.day for one in self.books if one.kind == "term" and not one.holding.annual)
        since = max((one.day for one in self.books), default=date.min)
        ahead = (Ahead(one.was_for if as_it_was else one.day, one.number, one.wish) for one in others)
        return Outlook(self.holding, tuple(ahead), ended, since)

    def reckoning(self, request: Request, tariff: Tariff, *, as_it_was: bool = False) -> Reckoning:
        """A request, reckoned on the contract as it is and on what is open ahead of it."""
        return Reckoning(tariff, self.outlook(request.number, as_it_was=as_it_was), request.wish, request.number)

    def applies(self, request: Request) -> None:
        """Write down what the contract has from now on, and what the books say of it."""
        del self.open[request.number]
        booking = self.applied[request.number] = self.booked.pop(request.number)
        self.holding = request.wish.on(self.holding)
        day = booking.change.effective_on
        self.books.append(Entry(day, len(self.books), request.wish.kind, self.holding, booking.figures))


@dataclass(frozen=True)
class Seen:
    """What the product says of a request. `quote` is JSON, as the request keeps it."""

    state: str
    day: date
    quote: str

    @property
    def figures(self) -> Figures | None:
        """The totals of its price."""
        return figures_of(quotes.from_json(self.quote).quote) if self.quote else None


def seen(db: SiteDatabase, numbers: Sequence[int]) -> dict[int, Seen]:
    """What the product says of requests, by their numbers."""
    if not numbers:
        return {}
    rows = db.execute_sql(
        "SELECT i.id, i.state, c.effective_on, c.quote FROM instance i JOIN change_request c ON c.instance = i.id "
        f"WHERE i.id IN ({', '.join(map(str, numbers))})"
    )
    return {row[0]: Seen(row[1], date.fromisoformat(str(row[2])), row[3]) for row in rows.fetchall()}


@dataclass
class Judge:
    """Compares what the product did on a day with what it should have done, and says what is wrong.

    `mails` are the texts that the customer was sent since the last look. `decided` are the requests on which a person
    decided, and `closed` says that another request of the contract was closed or its start corrected.
    """

    company: Company
    today: date
    tariff: Tariff
    mails: Sequence[str] = ()
    decided: Collection[int] = ()
    closed: bool = False

    def asked(self, request: Request) -> Iterator[str]:
        """Faults of the date and the price that a customer was shown."""
        allowed: tuple[date, ...] = (_next_month(self.today),)
        if request.is_priced:
            allowed = self.company.reckoning(request, self.tariff).first_possible(request.asked_on)
        if request.day not in allowed:
            yield f"#{request.number} is shown for {request.day} and not for {' or '.join(map(str, allowed))}"
        else:
            yield from self._priced(request, "is shown")

    def changed(self, request: Request, now: Seen) -> Callable[[], Iterator[str]]:
        """Take over what the product now says of a request that is still open; the answer finds its faults, once all
        requests of the company were taken over."""
        day, figures = request.day, request.figures
        request.was_for = day
        request.day, request.quote, request.is_undecided = now.day, now.quote, now.state in UNDECIDED
        if not request.is_priced:
            return lambda: iter(())
        request.figures = now.figures
        if (now.day, now.figures) != (day, figures):
            request.tariff, request.anew, request.is_stale = self.tariff, True, False
            request.agreed = request.agreed if _is_dearer(now.figures, request.agreed) else now.figures
        if request.number in self.decided:
            request.agreed, request.is_stale = now.figures, False
            request.chosen = (now.day, now.figures) if self.today > now.day else None
        return lambda: self._faults(request, day, figures)

    def _faults(self, request: Request, day: date, figures: Figures | None) -> Iterator[str]:
        is_decided = request.number in self.decided
        if request.day != day or is_decided:
            yield from self._moved(request, day)
        if (request.day, request.figures) != (day, figures):
            yield from self._reckoned_anew(request, day, figures)
        if not request.is_stale:
            yield from self._stands(request)

    def _moved(self, request: Request, day: date) -> Iterator[str]:
        """Requests are dated anew one after the other: what comes after one is as it was until then."""
        allowed = {
            one: None
            for as_it_was in (False, True)
            for one in self.company.reckoning(request, self.tariff, as_it_was=as_it_was).decided(
                request.asked_on, day, self.today
            )
        }
        if request.day not in allowed:
            wanted = " or ".join(map(str, allowed))
            yield f"#{request.number} for {day} is now for {request.day} and not for {wanted}"

    def _reckoned_anew(self, request: Request, day: date, figures: Figures | None) -> Iterator[str]:
        is_decided = self.closed or request.number in self.decided
        if request.day == day and not is_decided and _is_dearer(request.figures, figures):
            yield f"#{request.number} costs {request.figures} and not {figures}, which nobody decided"
        days = [said(day), self._said_now(request)] if day != request.day else []
        told = [*days, *totals(figures), *totals(request.figures)]
        if not all(one in "".join(self.mails) for one in told):
            yield f"#{request.number} was for {day} at {figures} and is for {request.day}, and no mail says {told}"

    def _said_now(self, request: Request) -> str:
        """How a mail says the date: one that has passed is none before staff have decided, where something is added."""
        is_planned = self.today <= request.day or not self.company.reckoning(request, self.tariff).adds(request.day)
        return said(request.day) if is_planned or not request.is_undecided else AFTER_THE_DECISION

    def _stands(self, request: Request) -> Iterator[str]:
        """A price that is higher than what was agreed on does not stand before a person decides on it, whatever prices
        have become since. What can only begin behind the contract's end stays as it is until people close it."""
        reckoned, last = self.company.reckoning(request, request.tariff), self.company.holding.ended_on
        next_ones = reckoned.decided(request.asked_on, request.day, self.today)
        if last is not None and all(day > last for day in next_ones):
            return
        if not reckoned.possible(request.day):
            yield f"#{request.number} stands for {request.day}, on which it cannot begin"
            return
        dues = [self.company.reckoning(request, one).figures(request.day) for one in (request.tariff, self.tariff)]
        if request.figures != request.agreed or not any(_is_dearer(due, request.agreed) for due in dues):
            yield from self._priced(request, "stands")

    def _priced(self, request: Request, how: str) -> Iterator[str]:
        due = self.company.reckoning(request, request.tariff).figures(request.day)
        if request.is_priced and request.figures != due:
            yield f"#{request.number} {how} for {request.day} at {request.figures} and not at {due}"

    def booked(self, request: Request, booking: Booked) -> Iterator[str]:
        """Faults of a booking: its date, its price, and who agreed to them."""
        day = booking.change.effective_on
        if request.is_priced:
            yield from self._well_priced(request, booking, day)
        for one in self.company.open.values():
            if (one.day, one.number) < (day, request.number):
                yield f"#{request.number} is booked from {day} before #{one.number}, which is for {one.day}"
        if booking.asked_on < day:
            yield f"#{request.number} is booked on {booking.asked_on}, before {day}"

    def _well_priced(self, request: Request, booking: Booked, day: date) -> Iterator[str]:
        reckoned = self.company.reckoning(request, self.tariff)
        if not reckoned.possible(day):
            yield f"#{request.number} is booked from {day}, on which it cannot begin"
            return
        if booking.asked_on > day and reckoned.nature(day) == MORE:
            yield f"#{request.number} is booked on {booking.asked_on} from {day}, and delivers something new"
        if booking.figures != (due := reckoned.figures(day)):
            yield f"#{request.number} is booked from {day} at {booking.figures} and not at {due}"
        if booking.figures != request.agreed and (not request.anew or _is_dearer(booking.figures, request.agreed)):
            yield f"#{request.number} is booked at {booking.figures}, and {request.agreed} was agreed on"

    def applied(self, request: Request, booking: Booked) -> Iterator[str]:
        """Faults of the mail that says that a request was applied."""
        told = [said(booking.change.effective_on), *totals(booking.figures)]
        if request.is_priced and not all(one in "".join(self.mails) for one in told):
            yield f"#{request.number} is applied, and no mail says {told}"

    def left_to_people(self, request: Request) -> Iterator[str]:
        """Faults of an incident `late`: people have chosen already."""
        if request.chosen == (request.day, request.figures):
            yield f"#{request.number} is late, though a person has chosen {request.chosen}"

    def refused(self, request: Request) -> Iterator[str]:
        """Faults of an incident `price_changed`: the price that was agreed on holds, or a lower one of a later date;
        but for people who choose between two."""
        reckoned = self.company.reckoning(request, self.tariff)
        days = reckoned.decided(request.asked_on, request.day, self.today)
        for day in days:
            due = reckoned.figures(day)
            moves = len(days) == 1 and not _is_dearer(due, request.figures)
            if due == request.figures if day == request.day else moves:
                yield f"#{request.number} for {day} is price_changed, though {request.figures} holds: {due}"


def said(day: date) -> str:
    """A day as mails say it."""
    return f"{day.year}年{day.month}月{day.day}日"


def totals(figures: Figures | None) -> list[str]:
    """Figures as mails say them; what is not due is not said."""
    return [f"{total:,}円" for total in (figures.recurring, figures.once) if total] if figures is not None else []


def _is_dearer(figures: Figures | None, agreed: Figures | None) -> bool:
    return figures is not None and (agreed is None or figures.dearer_than(agreed))


def _next_month(day: date) -> date:
    return next(one for one in days_from(day + timedelta(days=1)) if one.day == 1)
