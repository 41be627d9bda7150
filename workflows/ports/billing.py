"""The port for billing backends: the shapes that pass between the site and a backend (G5, G6).

Amounts are whole yen. Consumption tax is rounded once per rate, over the sum of what is taxed at that rate
(適格請求書等保存方式: 消費税法施行令 §70の10), never per line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from engine.errors import EngineError
from engine.text import Text

Period = Literal["once", "month", "year"]


class BillingTerm(StrEnum):
    """How a contract is paid (契約種別, G35): monthly, or a year in one sum. Contracts store the value."""

    MONTHLY = "monthly"
    ANNUAL = "annual"


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """The terms of a contract at one time: what a change has before and after it.

    `term` is a value of `BillingTerm`, or any other text that was sent as one and is refused. `options` are names of
    the catalogue, sorted.
    """

    product: str
    subdomain: str
    users: int
    options: tuple[str, ...]
    term: str
    payment_method: str
    started_on: date

    def to_json(self) -> str:
        """The terms as JSON, for whoever keeps them: the day as in `2026-04-01`, equal terms as equal texts."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, default=str)

    @classmethod
    def from_json(cls, text: str) -> ContractTerms:
        """The terms that `to_json` wrote."""
        values = json.loads(text)
        options, started = tuple(values.pop("options")), date.fromisoformat(values.pop("started_on"))
        return cls(**values, options=options, started_on=started)


@dataclass(frozen=True, slots=True)
class Change:
    """A change as it is quoted and applied. `before` and `contract` are None where a product is ordered.

    `kind` is "users", "options", "term", "payment_method" or "order". `effective_on` is the first day on which `after`
    holds. `ended_on` is the contract's last day, None while none is known: nothing is charged for the time after it.
    """

    kind: str
    customer_number: str
    contract: int | None
    before: ContractTerms | None
    after: ContractTerms
    asked_on: date
    effective_on: date
    ended_on: date | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a quote. `unit_price` and `amount` are net of tax, in whole yen."""

    title: str | Text
    quantity: int
    unit_price: int
    amount: int
    tax_rate: Decimal


@dataclass(frozen=True, slots=True)
class Tax:
    """The net sum that is taxed at one rate, and the tax on it: rounded down, once."""

    rate: Decimal
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class Amount:
    """The lines that fall due together, with their taxes and the total, in whole yen."""

    period: Period
    lines: tuple[Line, ...]
    net: int
    taxes: tuple[Tax, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a change: `recurring` from the effective date on, and `due` once (negative for a refund).

    `digest` identifies the figures: a change is applied with the figures that a customer confirmed, or not at all.
    """

    recurring: Amount
    due: Amount | None
    digest: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """There is no figure, or no such service. The reason is shown to the customer."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Applied:
    """The change is booked, under the name `reference`."""

    reference: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The backend has accepted the change and will decide later: `status(reference)` is asked again after `after`."""

    reference: str
    after: timedelta


@dataclass(frozen=True, slots=True)
class Rejected:
    """The backend will not apply the change. It becomes an incident for the staff."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Booking:
    """One change that is booked. `total` is in whole yen, None where the change was booked without a price."""

    reference: str
    kind: str
    effective_on: date
    total: int | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice; `total` is in whole yen. `url` is where it can be read, empty where it cannot."""

    number: str
    issued_on: date
    total: int
    url: str = ""


@dataclass(frozen=True, slots=True)
class BilledContract:
    """A contract whose bills are asked for, with its terms of today.

    `since` is the first day that is paid in the way that it is paid now: what was due before was paid otherwise.
    `ended_on` is its last day, None while none is known. `withdrawn` are the numbers of those of its bills that staff
    have written off: what they were of is not billed by them.
    """

    contract: int
    customer_number: str
    terms: ContractTerms
    since: date
    ended_on: date | None = None
    withdrawn: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Bill:
    """One bill. `number` is the backend's name for it, of 64 characters at most, and no other bill's.

    `total`, in whole yen with tax, never changes. `due_on` is the day from which on it may be collected.
    """

    number: str
    contract: int
    total: int
    due_on: date


class BillingBackend(Protocol):
    """Knows prices and keeps the books. Called outside any transaction, from several threads at once.

    An exception in `quote` shows as "no figure"; one in `apply` or `status` is retried.

    A backend may have an attribute `quotes_are_local = True`: its `quote` is arithmetic on what is in memory, without a
    file, a network or a database, and takes milliseconds. The site then quotes once more inside the transaction that
    makes a request, and refuses it where the price is not the one that the customer confirmed. Without the attribute
    the price is compared before that transaction, and once more when the change is booked.
    """

    def quote(self, change: Change) -> Quote | Unavailable:
        """The price of `change`, at the prices and tax rates of its effective date. Read-only."""

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
        """Book `change`. Idempotent: a `key` that was applied answers as it did the first time.

        A new key with figures that do not hold any more is Rejected. `quote` is None where no figures were confirmed:
        always for a change of kind "payment_method", which is booked as it is and changes no price. Of one contract the
        site applies one change at a time.
        """

    def status(self, reference: str) -> Applied | Queued | Rejected:
        """The present answer for a queued change. Read-only."""

    def history(self, contract: int, order: str = "") -> Sequence[Booking]:
        """The bookings of a contract, oldest first. Read-only.

        An order was booked before its contract had a number: `order` is the reference of that booking, "" where the
        contract was not ordered here.
        """

    def invoices(self, contract: int) -> Sequence[Invoice]:
        """The invoices of a contract, newest first; none where the backend keeps none. Read-only."""


@runtime_checkable
class BillIssuer(Protocol):
    """A billing backend that knows which bills are due, beside what `BillingBackend` says: version 2 of one.

    `billing_version` says so: without it a backend is of version 1, and nothing can be collected by its bills.
    """

    billing_version: int  # 2

    def due_bills(self, day: date, contracts: Sequence[BilledContract]) -> Iterable[Bill]:
        """The bills of these contracts that are due on `day` or before, not before each contract's `since`, and not
        known here to be paid.

        Asked for some hundred contracts at a time, and again and again: a bill that was answered once keeps its number
        and total, whatever prices have become. Whoever collects them remembers which they have asked for: a bill that
        was collected may be answered again.
        """


BILLING_VERSIONS = (1, 2)
LONGEST_BILL_NUMBER = 64


class UnusableBills(EngineError):
    """The billing backend answered something that is no bill: the message says what was expected."""


def billing_version(backend: object) -> object:
    """The version for which a backend is written: its attribute `billing_version`, and 1 without one."""
    return getattr(backend, "billing_version", 1)


def wrong_backend(name: str, backend: object) -> str:
    """Why a backend cannot be registered under `name`; "" where it can."""
    version = billing_version(backend)
    if isinstance(version, bool) or version not in BILLING_VERSIONS:
        known = " or ".join(map(str, BILLING_VERSIONS))
        return f"billing_version must be {known}, not {version!r}; this site is too old for a later one"
    if version == 2 and not callable(getattr(backend, "due_bills", None)):
        return "it lacks due_bills, which a billing backend of version 2 has"
    return ""


def checked_bills(answer: object, day: date, contracts: Sequence[BilledContract]) -> tuple[Bill, ...]:
    """The bills that a backend answered, an iterable. Raises UnusableBills, which names the bill and its fault: what a
    bank is asked for must be right to the yen."""
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise UnusableBills(f"due_bills: expected bills, got {type(answer).__name__}")
    since = {one.contract: one.since for one in contracts}
    bills: list[Bill] = []
    for bill in answer:
        if not isinstance(bill, Bill):
            raise UnusableBills(f"due_bills: expected a Bill, got {type(bill).__name__}")
        if fault := _bill_fault(bill, day, since):
            raise UnusableBills(f"bill {str(bill.number)[:LONGEST_BILL_NUMBER]!r}: {fault}")
        bills.append(bill)
    return tuple(bills)


def _bill_fault(bill: Bill, day: date, since: Mapping[int, date]) -> str:
    number: object = bill.number
    if not isinstance(number, str) or not number.isprintable() or not 0 < len(number.strip()) <= LONGEST_BILL_NUMBER:
        return f"expected a number of {LONGEST_BILL_NUMBER} printable characters at most"
    if bill.contract not in since:
        return f"expected one of the contracts that were asked for, got {bill.contract!r}"
    if type(bill.total) is not int or bill.total < 1:
        return f"expected a total of 1 yen at least, got {bill.total!r}"
    if type(bill.due_on) is not date or not since[bill.contract] <= bill.due_on <= day:
        return f"expected a day from {since[bill.contract]} to {day}, got {bill.due_on!r}"
    return ""
