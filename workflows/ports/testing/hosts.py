"""A host for a plugin that is tried alone; see `workflows.ports.testing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from engine.plugins.breakers import Breaker
from engine.store.base import SiteDatabase
from engine.testing import Clock
from workflows.ports.host import (
    MOST_FACTS,
    AccountFacts,
    ContractFacts,
    CustomerFacts,
    SiteHost,
    checked_most,
)
from workflows.ports.returned_mails import ReturnedMail, Taken


def host(
    plugin: str,
    *,
    clock: Callable[[], datetime] | None = None,
    customers: Sequence[CustomerFacts] = (),
    contracts: Sequence[ContractFacts] = (),
    accounts: Sequence[AccountFacts] = (),
    db: SiteDatabase | None = None,
    returned: list[ReturnedMail] | None = None,
) -> SiteHost:
    """A host with these records, a clock (by default one that stands still), a logger and an HTTP client. It has no
    site: what needs one raises a PluginError. With `db`, a database in which the plugin's own tables are
    (`engine.store.opening.open_database`, `engine.store.schema.migrate`), there are `transaction` and `reading`. With
    `returned`, a list, `report_returned` adds to it and answers "marked"."""
    made = SiteHost(plugin)
    records = GivenRecords(tuple(customers), tuple(contracts), tuple(accounts))
    taking = partial(_take, returned) if returned is not None else None
    made.bind_site(None, clock or Clock(), Breaker("http", plugin), records, db, taking)
    return made


def _take(returned: list[ReturnedMail], mail: ReturnedMail, source: str) -> Taken:
    returned.append(mail)
    return "marked"


@dataclass(frozen=True, slots=True)
class GivenRecords:
    """Records that a test gives, in the order of their ids: see `ReadRecords`."""

    given_customers: tuple[CustomerFacts, ...]
    given_contracts: tuple[ContractFacts, ...]
    given_accounts: tuple[AccountFacts, ...]

    def customer(self, id: int) -> CustomerFacts | None:
        """See `ReadRecords.customer`."""
        return next((one for one in self.given_customers if one.id == id), None)

    def customer_numbered(self, number: str) -> CustomerFacts | None:
        """See `ReadRecords.customer_numbered`."""
        return next((one for one in self.given_customers if one.number == number), None)

    def customers(self, *, after: int = 0, most: int = MOST_FACTS) -> tuple[CustomerFacts, ...]:
        """See `ReadRecords.customers`."""
        return tuple(one for one in self.given_customers if one.id > after)[: checked_most(most)]

    def contract(self, id: int) -> ContractFacts | None:
        """See `ReadRecords.contract`."""
        return next((one for one in self.given_contracts if one.id == id), None)

    def contracts_of(self, customer: int) -> tuple[ContractFacts, ...]:
        """See `ReadRecords.contracts_of`."""
        return tuple(one for one in self.given_contracts if one.customer == customer)[:MOST_FACTS]

    def contracts(self, *, after: int = 0, most: int = MOST_FACTS) -> tuple[ContractFacts, ...]:
        """See `ReadRecords.contracts`."""
        return tuple(one for one in self.given_contracts if one.id > after)[: checked_most(most)]

    def accounts_of(self, customer: int) -> tuple[AccountFacts, ...]:
        """See `ReadRecords.accounts_of`."""
        return tuple(one for one in self.given_accounts if one.customer == customer)[:MOST_FACTS]
