"""What a contract costs: the shapes that pass between the site and a billing backend (G5, G6).

Amounts are whole yen. Consumption tax is rounded once per rate, over the sum of what is taxed at that rate
(適格請求書等保存方式: 消費税法施行令 §70の10), never per line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol

from engine.text import Text

Period = Literal["once", "month", "year"]


class BillingTerm(StrEnum):
    """How a contract is paid (契約種別, G35): month by month, or a year in one sum. Contracts store the value."""

    MONTHLY = "monthly"
    ANNUAL = "annual"


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """What a contract says at one time: what a change is about, before and after it.

    `term` is a value of `BillingTerm`, or what else was sent as one and is refused. `options` are names of the
    catalogue, sorted.
    """

    product: str
    subdomain: str
    users: int
    options: tuple[str, ...]
    term: str
    payment_method: str
    started_on: date


@dataclass(frozen=True, slots=True)
class Change:
    """A change as it is quoted and applied. `before` is None where a product is ordered, and `contract` then too.

    `kind` is "users", "options", "term", "payment_method" or "order". `effective_on` is the first day on which `after`
    holds.
    """

    kind: str
    customer_number: str
    contract: int | None
    before: ContractTerms | None
    after: ContractTerms
    asked_on: date
    effective_on: date


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a quote, net of tax."""

    title: str | Text
    quantity: int
    unit_price: int
    amount: int
    tax_rate: Decimal


@dataclass(frozen=True, slots=True)
class Tax:
    """What is taxed at one rate, and the tax on it: rounded down, once."""

    rate: Decimal
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class Amount:
    """Lines that fall due together, with their tax."""

    period: Period
    lines: tuple[Line, ...]
    net: int
    taxes: tuple[Tax, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What a change costs: `recurring` from the effective date on, and `due` once (negative where it is refunded).

    `digest` identifies the figures: what a customer confirmed is applied with these figures or not at all.
    """

    recurring: Amount
    due: Amount | None
    digest: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """There is no figure, or no such service, and why: shown to the customer."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Applied:
    """The change is in the books. `reference` names it there."""

    reference: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The backend has it and will say later: ask `status(reference)` again after `after`."""

    reference: str
    after: timedelta


@dataclass(frozen=True, slots=True)
class Rejected:
    """The backend will not apply it. Becomes an incident for the staff."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Booking:
    """One change in the backend's books. `total` is None where it was booked without a price."""

    reference: str
    kind: str
    effective_on: date
    total: int | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice. `url` is where it can be read, empty where it cannot."""

    number: str
    issued_on: date
    total: int
    url: str = ""


class BillingBackend(Protocol):
    """Knows prices and keeps the books. Called outside any transaction, from several threads at once.

    An exception in `quote` shows as "no figure"; one in `apply` or `status` is tried again.
    """

    def quote(self, change: Change) -> Quote | Unavailable:
        """What `change` would cost, at the prices and tax rates of its effective date. Changes nothing."""

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
        """Enter `change` into the books, once for each `key`: a key that was applied answers as it did the first time.

        A new key with figures that do not hold any more is Rejected. `quote` is None where no figures were confirmed:
        always for a change of kind "payment_method", which is booked as it is and changes no price. Of one contract the
        site applies one change at a time.
        """

    def status(self, reference: str) -> Applied | Queued | Rejected:
        """What became of a queued change."""

    def history(self, contract: int, order: str = "") -> Sequence[Booking]:
        """What was applied to a contract, oldest first.

        An order was booked before its contract had a number: `order` is the reference under which it was, "" where the
        contract was not ordered here.
        """

    def invoices(self, contract: int) -> Sequence[Invoice]:
        """The contract's invoices, newest first; none where the backend keeps none."""
