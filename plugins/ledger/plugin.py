"""The backend: a price list that quotes, and books that hold each change once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import peewee as pw

from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.store.base import Record, transaction
from plugins.ledger import billing, quoting
from plugins.ledger.prices import DEMO_PRICES, DEMO_TAX, PriceList, check_names
from workflows.ports.billing import (
    Applied,
    Bill,
    BilledContract,
    BillingBackend,
    Booking,
    Change,
    ContractTerms,
    Invoice,
    Queued,
    Quote,
    Rejected,
    Unavailable,
)
from workflows.ports.quotes import same_figures

NAME = "ledger"


class LedgerBooking(Record):
    """One booked change. `before` and `terms` are the contract's terms before it and from `effective_on` on, as JSON;
    amounts are yen with tax.

    A change that was booked without a quote has no amounts; one of a new contract, or from before they were kept, has
    no terms before it.
    """

    id = pw.BigAutoField()
    key = pw.CharField(200, unique=True)
    customer_number = pw.CharField(32)
    contract = pw.BigIntegerField(null=True, index=True)
    kind = pw.CharField(32)
    effective_on = pw.DateField()
    before = pw.TextField(null=True)
    terms = pw.TextField()
    recurring_total = pw.BigIntegerField(null=True)
    due_total = pw.BigIntegerField(null=True)
    digest = pw.CharField(64)


class LedgerBill(Record):
    """One bill, kept when it was first asked for. `total` is in yen with tax.

    `is_of_year` is NULL of bills from before it was kept: those of another day than a first are of a year.
    """

    id = pw.BigAutoField()
    number = pw.CharField(64, unique=True)
    contract = pw.BigIntegerField()
    due_on = pw.DateField()
    total = pw.BigIntegerField()
    is_of_year = pw.BooleanField(null=True)


class Ledger:
    """The plugin and its backend. Thread-safe."""

    quotes_are_local = True
    billing_version = 2

    @dataclass(frozen=True)
    class Config:
        """`prices`: by product `users`, `options`, `annual_months`. `tax`: rates, each with the day `from` which."""

        prices: Mapping[str, Any] = field(default_factory=dict)
        tax: tuple[Mapping[str, Any], ...] = DEMO_TAX

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        prices = config.prices or (DEMO_PRICES if site_facts.demo else {})
        self._prices = PriceList.from_settings(prices, config.tax)
        if config.prices and site_facts.products:
            check_names(self._prices, site_facts.products)

    @hookimpl
    def register_billing_backends(self) -> Mapping[str, BillingBackend]:
        """This backend, where there are prices; otherwise none."""
        return {NAME: self} if self._prices.products else {}

    @hookimpl
    def register_migrations(self) -> Mapping[str, Path]:
        """The migrations of the books' tables."""
        return {NAME: Path(__file__).parent / "migrations"}

    def quote(self, change: Change) -> Quote | Unavailable:
        """See `BillingBackend.quote`."""
        return quoting.quote(self._prices, change)

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
        """Book `change` at the figures of `quote`, which must be those of the price list.

        A change of payment method costs neither more nor less: it is booked without figures where none were quoted.
        Idempotent: a key that is booked answers as it did, whatever the prices are now.
        """
        with transaction():
            known = LedgerBooking.get_or_none(LedgerBooking.key == key)
            if known is not None:
                return Applied(_reference(known))
            refused = None if quote is None and change.kind == "payment_method" else self._price_refused(change, quote)
            if refused is not None:
                return refused
            # Of two at once with one key the second waits here, inserts nothing and finds the first one's row.
            LedgerBooking.insert(
                key=key,
                customer_number=change.customer_number,
                contract=change.contract,
                kind=change.kind,
                effective_on=change.effective_on,
                before=change.before.to_json() if change.before is not None else None,
                terms=change.after.to_json(),
                recurring_total=quote.recurring.total if quote is not None else None,
                due_total=(quote.due.total if quote.due is not None else 0) if quote is not None else None,
                digest=quote.digest if quote is not None else "",
            ).on_conflict_ignore().execute()
            return Applied(_reference(LedgerBooking.get(LedgerBooking.key == key)))

    def _price_refused(self, change: Change, quote: Quote | None) -> Rejected | None:
        now = self.quote(change)
        if quote is None or not isinstance(now, Quote):
            return Rejected("no_quote", "the price list has no price for it")
        if not same_figures(quote, now):
            return Rejected("price_changed", "the price list has another price than the quote")
        return None

    def status(self, reference: str) -> Applied | Queued | Rejected:
        """Applied, where `reference` is booked; otherwise Rejected, because nothing is ever queued."""
        if LedgerBooking.select().where(LedgerBooking.id == _number(reference)).exists():
            return Applied(reference)
        return Rejected("unknown_reference", f"the books have no {reference!r}")

    def history(self, contract: int, order: str = "") -> Sequence[Booking]:
        """The bookings of a contract, oldest first; `total` is the recurring one, with tax."""
        ordered = LedgerBooking.contract.is_null() & (LedgerBooking.id == _number(order))
        rows = LedgerBooking.select().where((LedgerBooking.contract == contract) | ordered).order_by(LedgerBooking.id)
        return tuple(Booking(_reference(row), row.kind, row.effective_on, row.recurring_total) for row in rows)

    def invoices(self, contract: int) -> Sequence[Invoice]:
        """No invoices: the ledger books changes, and the bills that are collected."""
        return ()

    def due_bills(self, day: date, contracts: Sequence[BilledContract]) -> Sequence[Bill]:
        """See `BillIssuer.due_bills`, and `billing` for what a bill is of. It is kept, so that it stays as it is."""
        numbers = [one.contract for one in contracts]
        kept = LedgerBill.select().where(LedgerBill.contract.in_(numbers))
        reckoned = billing.reckoned(self._prices, day, contracts, _bookings(numbers), _years(kept, contracts))
        figures = {one.bill.number: one for one in reckoned}
        with transaction():
            if figures:
                rows = [{**asdict(one.bill), "is_of_year": one.is_of_year} for one in figures.values()]
                LedgerBill.insert_many(rows).on_conflict_ignore().execute()
            since = {one.contract: one.since for one in contracts}
            return tuple(
                Bill(row.number, row.contract, row.total, row.due_on)
                for row in kept.order_by(LedgerBill.id)
                if since[row.contract] <= row.due_on <= day
            )


def _years(bills: Iterable[LedgerBill], contracts: Sequence[BilledContract]) -> Mapping[int, Sequence[date]]:
    """The first days of the years that these bills are of, by contract; without what was written off."""
    withdrawn = frozenset[str]().union(*(one.withdrawn for one in contracts))
    found: dict[int, list[date]] = {}
    for bill in bills:
        if bill.number in withdrawn:
            continue
        of_before = bill.is_of_year is None and bill.number.startswith(_PERIOD) and bill.due_on.day != 1
        if bill.is_of_year or of_before:
            found.setdefault(bill.contract, []).append(bill.due_on)
    return found


def _bookings(contracts: Sequence[int]) -> Mapping[int, Sequence[billing.Booked]]:
    """What is booked of each contract, oldest first."""
    found: dict[int, list[billing.Booked]] = {}
    for row in LedgerBooking.select().where(LedgerBooking.contract.in_(contracts)).order_by(LedgerBooking.id):
        before = ContractTerms.from_json(row.before) if row.before else None
        terms, once = ContractTerms.from_json(row.terms), row.due_total or 0
        change = billing.Booked(_reference(row), row.effective_on, before, terms, once)
        found.setdefault(row.contract or 0, []).append(change)
    return found


_PREFIX, _PERIOD = "L-", "B-"


def _reference(booking: LedgerBooking) -> str:
    return f"{_PREFIX}{booking.id:08d}"


def _number(reference: str) -> int:
    """The number of the booking that a reference names; 0, which no booking has, for any other text."""
    number = reference.removeprefix(_PREFIX)
    return int(number) if number.isascii() and number.isdecimal() and len(number) <= 18 else 0
