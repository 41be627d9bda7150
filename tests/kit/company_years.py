"""The years of companies: what customers ask for, what staff decide, and the days on which things go wrong."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from engine.attempt import Actor, Secret
from engine.errors import EngineError
from engine.operations.incidents import Incident, incidents, retry
from tests.kit.companies import TOKYO, Company, Judge, Request, holding_of
from tests.kit.company_days import BEGIN, CompanyDays
from tests.kit.contract_scenes import actor, anew, changed, contract, staff
from tests.kit.customers import customer
from tests.kit.members import add_account
from tests.kit.reckoning import Tariff, Wish
from tests.kit.unsteady_ledger import DOWN, LOST, SLOW, UP, figures_of
from workflows.business.customer_file.importing import import_customers
from workflows.business.records import Contract, Customer
from workflows.contract_change import Corrections, restack_corrected
from workflows.contract_change.inputs import GivingUp, Rejection
from workflows.contract_change.proposal import Proposal, propose
from workflows.payment_method_change.inputs import PaymentMethodInput
from workflows.ports.billing import Quote

NEO: Mapping[str, Any] = {
    "users": [{"from": 1, "month": 400}, {"from": 101, "month": 380}],
    "options": {"appsuite": {"month": 320, "per": "user"}, "disk-10gb": {"month": 1000, "year": 10000}},
    "annual_months": 11,
}
TAX = ({"from": "2019-10-01", "rate": "0.10"},)
OPTIONS = ("appsuite", "disk-10gb")
KINDS = ("users", "users", "options", "options", "term", "payment_method")


def email_of(number: int) -> str:
    """The log-in address of a company's account."""
    return f"a{number}@mihon.example"


class CompanyYears(CompanyDays):
    """Companies whose wishes and mishaps chance chooses, by a seed."""

    def __init__(self, database_url: str, var: Path, seed: str, companies: int, years: int) -> None:
        super().__init__(database_url, var, Tariff({"desknets-neo": NEO}, TAX), BEGIN + timedelta(days=365 * years))
        self.rng = random.Random(seed)
        self.clerk = staff()
        self.asked = 0
        self.companies += [self._company(number) for number in range(1, companies + 1)]
        self._plan_mishaps()

    def within(self, days: int) -> date:
        """Some day of the next `days`."""
        return self.today + timedelta(days=self.rng.randint(1, days))

    def _company(self, number: int) -> Company:
        of = customer(f"A{number:08d}")
        on = contract(
            of,
            users=self.rng.randrange(6, 120),
            term=self.rng.choice(["monthly", "annual", "annual"]),
            options=" ".join(name for name in OPTIONS if self.rng.random() < 0.3),
            payment_method=self.rng.choice(["credit_card", "bank_transfer"]),
            started_on=date(2024, 1, 1) + timedelta(days=self.rng.randrange(800)),
        )
        who, first = actor(add_account(self.site, of, email=email_of(number))), holding_of(on)
        company = Company(on.id, of.contractor_email, who, first, first, story=[f"{BEGIN} {first}"])
        self.plan(self.within(260), partial(self._asks, company))
        if self.rng.random() < 0.3:
            self.plan(self.within((self.end - BEGIN).days), partial(self._start_is_corrected, company))
        if self.rng.random() < 0.2:
            self.plan(self.within((self.end - BEGIN).days), partial(self._will_end, company))
        return company

    # What goes wrong or changes for all

    def _plan_mishaps(self) -> None:
        day = BEGIN
        while (day := day + timedelta(days=self.rng.randint(40, 200))) < self.end:
            self.plan(day, partial(self._backend, self.rng.choice([DOWN, LOST, SLOW])))
            self.plan(day + timedelta(days=self.rng.choice([1, 2, 5, 12, 40])), partial(self._backend, UP))
        day = BEGIN
        while (day := day + timedelta(days=self.rng.randint(150, 500))) < self.end:
            self.plan(day, self._new_prices)
        self.plan(self.within(400), self._new_tax)

    def _backend(self, mode: str) -> None:
        self.ledger.mode = mode
        self._tell(f"the backend is {mode}")

    def _new_prices(self) -> None:
        month = self.rng.choice([380, 400, 420, 450])
        users = [{"from": 1, "month": month}, {"from": 101, "month": month - 20}]
        self.ledger.tariff = replace(self.ledger.tariff, prices={"desknets-neo": {**NEO, "users": users}})
        self._disturb(f"a user costs {month} yen")

    def _new_tax(self) -> None:
        begins = self.today + timedelta(days=self.rng.randint(-10, 200))
        self.ledger.tariff = replace(self.ledger.tariff, tax=(*TAX, {"from": begins.isoformat(), "rate": "0.12"}))
        self._disturb(f"the tax is 12 % from {begins}")

    def _disturb(self, what: str) -> None:
        for company in self.companies:
            company.disturbed_on = self.today
        self._tell(what)

    def _tell(self, what: str) -> None:
        for company in self.companies:
            company.story.append(f"{self.today} {what}")

    # What customers do

    def _asks(self, company: Company) -> None:
        if self.today < self.end:
            self.plan(self.within(260), partial(self._asks, company))
        if self.today < self.end and self.ledger.mode != DOWN and not company.is_wrong:
            self.settle()  # what was withdrawn or decided today
            for _wish in range(self.rng.choice([1, 1, 1, 2, 3])):
                self._asks_for(company, self._wish(company))

    def _wish(self, company: Company) -> Wish:
        kind = self.rng.choice(KINDS)
        if kind == "users":
            return Wish(kind, max(5, company.holding.users + self.rng.choice([-20, -5, -1, 1, 5, 30])))
        if kind == "options":
            return Wish(kind, frozenset(name for name in OPTIONS if self.rng.random() < 0.5))
        return Wish(kind, not company.holding.annual) if kind == "term" else Wish(kind, "bank_transfer")

    def _asks_for(self, company: Company, wish: Wish) -> None:
        is_open = wish.kind in {one.wish.kind for one in company.open.values()}
        if is_open or wish.on(company.holding) == company.holding:
            return
        asked = self._begun(company, wish)
        if isinstance(asked, str):
            company.story.append(f"{self.today} {wish} is refused: {asked}")
            return
        company.story.append(f"{self.today} #{asked.number} {wish} for {asked.day} at {asked.figures}")
        for fault in Judge(company, self.today, self.ledger.tariff).asked(asked):
            self.fault(company, fault)
        for other in company.open.values():
            if (other.day, other.number) > (asked.day, asked.number):
                other.is_stale, company.disturbed_on = True, self.today
        company.open[asked.number] = asked
        self.asked += 1
        self._plan_the_fate(company, asked)

    def _begun(self, company: Company, wish: Wish) -> Request | str:
        """A request, as the page makes it; or why there is none."""
        try:
            return (self._pays_by if wish.kind == "payment_method" else self._changes)(company, wish)
        except EngineError as error:
            return str(error)

    def _pays_by(self, company: Company, wish: Wish) -> Request:
        first = (self.today.replace(day=1) + timedelta(days=32)).replace(day=1)
        given = PaymentMethodInput(wish.value, "none", "", Secret(""), first)
        begun = self.site.engine.start("payment_method_change", f"contract:{company.contract}", company.account, given)
        return Request(begun.instance_id, wish, self.today, first, None, self.ledger.tariff)

    def _changes(self, company: Company, wish: Wish) -> Request | str:
        on = Contract.get_by_id(company.contract)
        value = {True: "annual", False: "monthly"}[wish.value] if wish.kind == "term" else wish.value
        after = changed(on, **{wish.kind: tuple(sorted(value)) if wish.kind == "options" else value})
        found = propose(self.site.services, on.customer, on, after, now=self.clock())
        if not isinstance(found, Proposal):
            return ", ".join(one.code for one in found)
        assert isinstance(found.quote, Quote)
        begun = self.site.engine.start("contract_change", found.about, company.account, found.request())
        figures = figures_of(found.quote)
        return Request(begun.instance_id, wish, self.today, found.effective_on, figures, self.ledger.tariff)

    def _plan_the_fate(self, company: Company, request: Request) -> None:
        if request.wish.kind in ("options", "term"):
            self.plan(self.within(70 if self.rng.random() < 0.3 else 4), partial(self._decides, company, request))
        if self.rng.random() < 0.2:
            self.plan(self.within(60), partial(self._withdraws, company, request))

    def _withdraws(self, company: Company, request: Request) -> None:
        if request.number in company.open:
            self._fires(company, request, "withdraw", company.account)

    # What staff do

    def _fires(self, company: Company, request: Request, event: str, who: Actor, data: Any = None) -> bool:
        try:
            self.site.engine.fire(request.number, event, who, data)
        except EngineError as error:
            company.story.append(f"{self.today} #{request.number} {event} is refused: {error}")
            return False
        company.story.append(f"{self.today} #{request.number} {event}")
        if event in ("accept", "accept_price"):
            self.decided.add(request.number)
        return True

    def _decides(self, company: Company, request: Request) -> None:
        if request.number not in company.open:
            return
        if self.ledger.mode == DOWN:
            self.plan(self.within(10), partial(self._decides, company, request))
        elif self.rng.random() < 0.15:
            self._fires(company, request, "reject", self.clerk, Rejection("在庫がないため"))
        elif not self._fires(company, request, "accept", self.clerk, anew(self.site, request.number, "日程のため")):
            self._fires(company, request, "reject", self.clerk, Rejection("ご契約が終了するため"))

    def every_week(self) -> None:
        """Staff look at the incidents."""
        for incident in incidents(self.site.engine):
            found = self.of_request(incident.instance_id)
            if found is not None:
                self._looks_at(*found, incident)

    def _looks_at(self, company: Company, request: Request, incident: Incident) -> None:
        since = incident.since.astimezone(TOKYO).date()
        judge = Judge(company, since, self.ledger.tariff)
        is_of_price = incident.error.startswith(("price_changed", "late"))
        if company.disturbed_on < since:
            for fault in self._misjudged(judge, request, incident):
                self.fault(company, fault)
        chance = self.rng.random()
        if chance < 0.3:
            return
        if is_of_price and self.ledger.mode != DOWN and chance < 0.8:
            data: Any = anew(self.site, request.number, "料金改定のため")
            self._fires(company, request, "accept_price", self.clerk, data)
        elif "contract_ended" in incident.error or (is_of_price and chance < 0.9):
            self._fires(company, request, "give_up", self.clerk, GivingUp("適用できないため"))
        else:
            company.story.append(f"{self.today} #{request.number} is tried again: {incident.error}")
            retry(self.site.engine, incident.ref, self.clerk, "mended")

    @staticmethod
    def _misjudged(judge: Judge, request: Request, incident: Incident) -> Iterator[str]:
        if incident.error.startswith("price_changed"):
            yield from judge.refused(request)
        elif incident.error.startswith("late"):
            yield from judge.left_to_people(request)
        elif not incident.error.startswith(("deadline", "contract_ended")):
            yield f"#{request.number}: {incident.what}: {incident.error}"

    # What an import says

    def _start_is_corrected(self, company: Company) -> None:
        if self.ledger.mode == DOWN:  # an import then says what must be imported again
            self.plan(self.within(10), partial(self._start_is_corrected, company))
            return
        moved = timedelta(days=self.rng.choice([-40, -14, -1, 1, 14, 40]))
        self._imports(company, "started_on", company.holding.started_on + moved)
        self.disturbed.add(company.contract)

    def _will_end(self, company: Company) -> None:
        if self.ledger.mode == DOWN:
            self.plan(self.within(10), partial(self._will_end, company))
            return
        last = self.within(300)
        self._imports(company, "ended_on", last)
        self.disturbed.add(company.contract)

    def _imports(self, company: Company, column: str, day: date) -> None:
        on = Contract.get_by_id(company.contract)
        of = Customer.get_by_id(on.customer_id)
        names = ("product", "subdomain", "term", "payment_method", "users", "started_on")
        row = {"customer_number": of.number, **{name: getattr(on, name) for name in names}, column: day}
        row |= {name: getattr(of, name) for name in ("company", "channel", "contractor_name", "contractor_email")}
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row))
        writer.writeheader()
        writer.writerow(row)
        corrections = Corrections()
        import_customers(io.BytesIO(text.getvalue().encode()), overwrite=True, on_change=corrections.hear)
        restack_corrected(self.site.services, self.site.engine, corrections.contracts)
        said: dict[str, Any] = {column: day}
        company.holding, company.first = replace(company.holding, **said), replace(company.first, **said)
        company.is_corrected, company.disturbed_on = True, self.today
        company.story.append(f"{self.today} an import says {column} {day}")
