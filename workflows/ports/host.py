"""The host of a plugin of the business: `engine.plugins.Host`, and what it may read of the site's records.

A plugin reads facts, never rows: what is here stays as it is when tables change. It cannot write a record. What must
change goes through a procedure, which the plugin starts or fires (`Host.start`, `Host.fire`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from engine import Engine
from engine.errors import PluginError
from engine.plugins import Host
from engine.plugins.breakers import Breaker
from engine.store.base import SiteDatabase
from workflows.ports.returned_mails import ReturnedMail, Taken

MOST_FACTS = 1000
"""How many facts one question may ask for."""


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """A customer (お客様). `number` is the customer number; histories name the customer by `id`, as `customer:42`.

    `channel` is "direct", "partner" or "asp". `language` is the one that the contractor reads, "ja" or "en". From the
    day `removed_on` on the customer is removed, and nobody may be written to.
    """

    id: int
    number: str
    company: str
    channel: str
    contractor: str = field(repr=False)
    email: str = field(repr=False)
    language: str
    removed_on: date | None = None


@dataclass(frozen=True, slots=True)
class ContractFacts:
    """A contract. `product` and `options` are names of the catalogue; `term` is "monthly" or "annual"; `users` are
    licensed users. Its last day is `ended_on`; None where none is known."""

    id: int
    customer: int
    product: str
    subdomain: str
    term: str
    payment_method: str
    users: int
    options: tuple[str, ...]
    started_on: date
    ended_on: date | None = None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account, with which somebody logs in for a customer. `role` is "viewer", "editor" or "admin"; `standing` is
    "open", "unconfirmed" or "stopped"."""

    id: int
    customer: int
    name: str = field(repr=False)
    email: str = field(repr=False)
    role: str
    language: str
    standing: str


class ReadRecords(Protocol):
    """What a plugin may read. Read-only, as of the moment of the call; not for a guard or a write, which have records
    of their own (`attempt.records`)."""

    def customer(self, id: int) -> CustomerFacts | None:
        """The customer with this id; None where there is none."""

    def customer_numbered(self, number: str) -> CustomerFacts | None:
        """The customer with this customer number; None where there is none."""

    def customers(self, *, after: int = 0, most: int = MOST_FACTS) -> tuple[CustomerFacts, ...]:
        """The customers whose id is above `after`, in the order of their ids, at most `most`: page by page, with the
        last id of the page before."""

    def contract(self, id: int) -> ContractFacts | None:
        """The contract with this id; None where there is none."""

    def contracts_of(self, customer: int) -> tuple[ContractFacts, ...]:
        """The contracts of a customer, ended ones too, the oldest first, at most 1,000."""

    def contracts(self, *, after: int = 0, most: int = MOST_FACTS) -> tuple[ContractFacts, ...]:
        """All contracts page by page, as `customers`."""

    def accounts_of(self, customer: int) -> tuple[AccountFacts, ...]:
        """The accounts of a customer, the oldest first, at most 1,000."""


class SiteHost(Host):
    """A host whose plugin may read the site's records: what a plugin's constructor gets as `host`."""

    def __init__(self, plugin: str) -> None:
        super().__init__(plugin)
        self._records: ReadRecords | None = None
        self._returned: Callable[[ReturnedMail, str], Taken] | None = None

    def bind_site(
        self,
        engine: Engine | None,
        clock: Callable[[], datetime],
        breaker: Breaker,
        records: ReadRecords,
        db: SiteDatabase | None = None,
        returned: Callable[[ReturnedMail, str], Taken] | None = None,
    ) -> None:
        """Bind the host, with its records and whoever takes reports on mails that came back: see `Host.bind`."""
        self._records, self._returned = records, returned
        self.bind(engine, clock, breaker, db)

    @property
    def records(self) -> ReadRecords:
        """What the plugin may read. Raises PluginError before the host is bound."""
        if self._records is None:
            raise self._too_early("records")
        return self._records

    def report_returned(self, returned: ReturnedMail) -> Taken:
        """Tell the site of a mail that came back, or that its reader reported as unwanted: its address is then marked,
        staff see it, and notices skip it. May be told again. Believed only where it names a mail of this site by its
        Message-ID, and one of that mail's recipients. Raises PluginError before the host is bound.
        """
        if self._returned is None:
            raise self._too_early("report_returned")
        with self._db.bound() if self._db is not None else nullcontext():
            return self._returned(returned, str(self.actor))


def checked_most(most: int) -> int:
    """`most`, where it may be. Raises PluginError."""
    if not 1 <= most <= MOST_FACTS:
        raise PluginError(f"most: expected 1 to {MOST_FACTS}, got {most}")
    return most
