"""Bills that are due, and a payment method that collects them as a test lets it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from engine.testing import Clock, MemoryMailer
from tests.kit.payments import PROVIDER, Books, Provider, contract, paying_site
from web.assembly.site import Site
from workflows.business.records import Contract, Mandate, Payment, PaymentTry
from workflows.payment.chores import ask_by_new_mandates, begin_due
from workflows.payment_method_change import reports
from workflows.ports.billing import Bill, BilledContract
from workflows.ports.collecting import DuePayment
from workflows.ports.payments import PaymentContext, Report

DUE = date(2026, 4, 1)


@dataclass
class BillBooks(Books):
    """A billing backend that has the bills that a test gives it."""

    billing_version = 2

    bills: list[Bill] = field(default_factory=list)
    asked: int = 0

    def due_bills(self, day: date, contracts: Sequence[BilledContract]) -> Iterable[Bill]:
        self.asked += 1
        since = {one.contract: one.since for one in contracts}
        return [one for one in self.bills if one.contract in since and since[one.contract] <= one.due_on <= day]


@dataclass
class Collector(Provider):
    """A provider that also collects. `says` is its answer to `collect`, and then to `query_payment`: a report whose
    number is filled in, or what is raised. `asked` and `paid_back` are what it was asked for, with the keys."""

    collects = True
    refunds = True

    says: Any = Report("paid")
    knows: Any = Report("pending")
    refund_says: Any = Report("refunded")
    retries: int = 2
    asked: list[tuple[DuePayment, str]] = field(default_factory=list)
    queried: list[DuePayment] = field(default_factory=list)
    paid_back: list[tuple[int, str]] = field(default_factory=list)

    def collect(self, context: PaymentContext, payment: DuePayment, key: str) -> Report:
        self.asked.append((payment, key))
        return self._said(self.says, payment)

    def query_payment(self, context: PaymentContext, payment: DuePayment) -> Report:
        self.queried.append(payment)
        return self._said(self.knows, payment)

    def retry_day(self, payment: DuePayment, today: date) -> date | None:
        return today + timedelta(days=3) if payment.tries <= self.retries else None

    def refund(self, context: PaymentContext, payment: DuePayment, amount: int, key: str) -> Report:
        self.paid_back.append((amount, key))
        return self._said(self.refund_says, payment)

    def keys(self) -> set[str]:
        """The keys under which it was asked to collect."""
        return {key for _payment, key in self.asked}

    def _said(self, answer: Any, payment: DuePayment) -> Report:
        if isinstance(answer, Exception):
            raise answer
        said: Report = answer
        reference = said.reference or f"pay-{payment.number}-{payment.tries}"
        return replace(said, request=payment.number, reference=reference)


def collecting_site(
    url: str, folder: Path, clock: Clock, mailer: MemoryMailer, provider: Collector, books: BillBooks
) -> Iterator[Site]:
    """A site on which `provider` collects what `books` bill, until the fixture that yields from it ends."""
    made = paying_site(url, folder, clock, mailer, books=books, provider=provider, collect_from=DUE)
    yield made
    made.close()


def mandate(of: Contract, method: str = PROVIDER, since: date = DUE) -> Mandate:
    """The mandate by which a contract is paid from now on, in the place of the one before."""
    Mandate.update(in_use=None, sealed="").where(Mandate.in_use == of.id).execute()
    Contract.update(payment_method=method).where(Contract.id == of.id).execute()
    made: Mandate = Mandate.create(
        instance=10_000 + Mandate.select().count(),
        customer=of.customer_id,
        contract=of.id,
        method=method,
        way="page",
        label="みほん **** 42",
        reference="ref-1",
        active_from=since,
        in_use=of.id,
    )
    return made


def billed(books: BillBooks, number: str = "A00000001", total: int = 11_000) -> Contract:
    """A contract that is paid by `PROVIDER`, with a bill that is due today."""
    made = contract(number, PROVIDER)
    mandate(made)
    books.bills.append(Bill(f"B-{made.id}", made.id, total, DUE))
    return made


def beat(site: Site) -> None:
    """What a heartbeat does, until nothing is due."""
    for _ in range(4):
        begin_due(site.engine, site.services)
        ask_by_new_mandates(site.engine, site.services)
        reports.apply_due(site.engine, site.services)
        site.engine.run_due()
        site.dispatcher.drain()


def begun(site: Site, books: BillBooks) -> tuple[Contract, Payment]:
    """A bill that was asked for: its contract, and its payment as it is then."""
    made = billed(books)
    beat(site)
    return made, payment_of(books.bills[0].number)


def payment_of(bill: str) -> Payment:
    """The payment of a bill, as it is now."""
    found: Payment = Payment.get(Payment.bill == bill)
    return found


def tries(payment: Payment) -> list[PaymentTry]:
    """The tries of a payment, in their order."""
    return list(PaymentTry.select().where(PaymentTry.payment == payment.instance).order_by(PaymentTry.number))
