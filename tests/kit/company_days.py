"""How days pass for companies: a site whose clock jumps from one day on which something happens to the next."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from engine.testing import Clock, MemoryMailer
from tests.kit.companies import FAULT, Company, Judge, Request, Seen, holding_of, midnight, noon, seen
from tests.kit.reckoning import Tariff, contradictions, less_within_a_year
from tests.kit.sites import SECRET, memory_plugin
from tests.kit.unsteady_ledger import DOWN, UP, BadDays, Booked, unsteady_ledger
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.business.records import Contract

BEGIN = date(2026, 4, 1)
DAY = timedelta(days=1)
ROUNDS = 40  # until everything has come to rest
TURN = timedelta(minutes=2)  # after which what waits for its turn is tried again
AFTERWARDS = timedelta(weeks=80)  # in which everything comes to its end
FINAL = ("applied", "rejected", "withdrawn", "failed", "lapsed")
TRANSFER = {"bank": "みほん銀行", "branch": "本店", "number": "7654321", "holder": "カ）ネオ"}


def company_site(database_url: str, var: Path, clock: Clock, ledger: BadDays, mailer: MemoryMailer) -> Site:
    """A site with the unsteady ledger; staff review options and terms."""
    settings = Settings(
        secret_key=SECRET,
        database_url=database_url,
        base_url="http://localhost",
        var=var,
        password_cost=(1, 8, 1),
        mailer="memory",
        billing="unsteady",
        review={"kinds": ["options", "term"]},
        plugins={"unsteady": {"prices": ledger.tariff.prices, "tax": ledger.tariff.tax}, "bank_transfer": TRANSFER},
    )
    extra = [("memory", memory_plugin(mailer)), ("unsteady", unsteady_ledger(ledger))]
    return build(settings, clock=clock, plugins=plugins_of(settings, extra=extra))


class CompanyDays:
    """A site, its companies, and the days on which something happens.

    After each jump what the product says is compared with what it should say. What differs is a fault of a company;
    what follows from a fault in the same company is not looked at.
    """

    def __init__(self, database_url: str, var: Path, tariff: Tariff, end: date) -> None:
        self.today, self.end = BEGIN, end
        self.clock, self.mailer = Clock(noon(BEGIN)), MemoryMailer()
        self.ledger = BadDays(lambda: self.today, tariff)
        self.site = company_site(database_url, var, self.clock, self.ledger, self.mailer)
        self.companies: list[Company] = []
        self.faults: list[tuple[Company, str]] = []
        self.decided: set[int] = set()
        self.disturbed: set[int] = set()
        self._plans: list[tuple[date, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._judged = 0

    def plan(self, day: date, what: Callable[[], None]) -> None:
        """Let something happen at noon of a day, tomorrow at the earliest."""
        heapq.heappush(self._plans, (max(day, self.today + DAY), next(self._order), what))

    def every_week(self) -> None:
        """What happens once a week, also after the years."""

    def fault(self, company: Company, what: str) -> None:
        """Record the first fault of a company."""
        if not company.is_wrong:
            company.is_wrong = True
            company.story.append(f"{self.today} {FAULT}{what}")
            self.faults.append((company, what))

    def of_request(self, number: int) -> tuple[Company, Request] | None:
        """An open request and its company."""
        found = (one for one in self.companies if number in one.open)
        return next(((one, one.open[number]) for one in found), None)

    def live(self) -> None:
        """Let the years pass, and then the weeks in which everything comes to its end."""
        self._each_week()
        while (day := self._next_day()) < self.end or any(one.open for one in self.companies):
            if day > self.end + AFTERWARDS:
                break
            if day >= self.end:
                self.ledger.mode = UP
            self._pass_to(day)
        for company in self.companies:
            for fault in self._at_the_end(company):
                self.fault(company, fault)

    def _each_week(self) -> None:
        self.every_week()
        self.plan(self.today + 7 * DAY, self._each_week)

    def _next_day(self) -> date:
        begin = [one.day for company in self.companies for one in company.open.values() if one.day > self.today]
        return min([self._plans[0][0], *begin])

    def _pass_to(self, day: date) -> None:
        self.today, self.clock.now = day, midnight(day)
        self.settle()
        self.clock.now = noon(day)
        while self._plans and self._plans[0][0] <= day:
            heapq.heappop(self._plans)[2]()
        self.settle()

    def settle(self) -> None:
        """Let the scheduler and the workers do what is due, and what waits for its turn behind it."""
        for _turn in range(ROUNDS):
            booked = len(self.ledger.booked)
            moved = self._rest()
            if moved or self.decided or self.disturbed:
                self._look()
            if booked == len(self.ledger.booked):
                return
            self.clock.now += TURN

    def _rest(self) -> bool:
        for count in range(ROUNDS):
            if not self.site.engine.run_due() and not self.site.dispatcher.drain():
                return bool(count)
        raise AssertionError("it never comes to rest")

    def _look(self) -> None:
        companies = {one.contract: one for one in self.companies if one.open}
        now = seen(self.site.db, [number for one in companies.values() for number in one.open])
        new, self._judged = self.ledger.booked[self._judged :], len(self.ledger.booked)
        mails, self.mailer.sent[:] = list(self.mailer.sent), []
        for company in companies.values():
            bookings = [one for one in new if one.change.contract == company.contract]
            texts = [mail.text for mail in mails if company.address in mail.to]
            for fault in self._judge(company, now, bookings, texts):
                self.fault(company, fault)
        self.decided.clear()
        self.disturbed.clear()

    def _judge(
        self, company: Company, now: Mapping[int, Seen], bookings: list[Booked], mails: list[str]
    ) -> Iterator[str]:
        closed = [one for one in company.open if now[one].state in FINAL and now[one].state != "applied"]
        for number in closed:
            company.story.append(f"{self.today} #{number} is {now[number].state}")
            del company.open[number]
        judge = Judge(company, self.today, self.ledger.tariff, mails, frozenset(self.decided))
        judge.closed = bool(closed) or company.contract in self.disturbed
        if judge.closed:
            company.disturbed_on = self.today
            self._wait_for_the_backend(company)
        for request in [company.open[number] for number in company.booked]:
            yield from self._judge_applied(judge, request, now[request.number])
        waiting = [one for one in company.open.values() if one.number not in company.booked]
        for faults in [self._take_over(judge, one, now[one.number]) for one in waiting]:
            yield from faults()
        for booking in bookings:
            request = next(one for one in company.open.values() if one.wish.kind == booking.change.kind)
            yield from self._judge_booking(judge, request, booking)
            yield from self._judge_applied(judge, request, now[request.number])

    def _judge_booking(self, judge: Judge, request: Request, booking: Booked) -> Iterator[str]:
        day, figures = booking.change.effective_on, booking.figures
        judge.company.story.append(f"{self.today} #{request.number} is booked from {day} at {figures}")
        judge.company.booked[request.number] = booking
        yield from judge.booked(request, booking)

    def _wait_for_the_backend(self, company: Company) -> None:
        """Without a backend nothing can be reckoned anew before it is back."""
        for request in company.open.values():
            request.is_stale |= self.ledger.mode == DOWN

    def _judge_applied(self, judge: Judge, request: Request, now: Seen) -> Iterator[str]:
        if now.state == "applied" and request.number in judge.company.booked:
            judge.company.story.append(f"{self.today} #{request.number} is applied")
            yield from judge.applied(request, judge.company.booked[request.number])
            judge.company.applies(request)

    def _take_over(self, judge: Judge, request: Request, now: Seen) -> Callable[[], Iterator[str]]:
        is_same = (now.day, now.quote) == (request.day, request.quote)
        if is_same and not judge.closed and request.number not in judge.decided:
            return lambda: iter(())
        if not is_same and request.quote:
            judge.company.story.append(f"{self.today} #{request.number} is now for {now.day} at {now.figures}")
        return judge.changed(request, now)

    def _at_the_end(self, company: Company) -> Iterator[str]:
        held: Any = holding_of(Contract.get_by_id(company.contract))
        if held != company.holding:
            yield f"the contract says {held} and not {company.holding}"
        if not company.is_corrected:
            yield from contradictions(company.first, company.books)
            yield from less_within_a_year(self.ledger.tariff, company.first, company.books)
        for one in company.open.values():
            yield f"#{one.number} for {one.day} never comes to its end"
