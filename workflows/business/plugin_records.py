"""What plugins read of the records, as facts (`workflows.ports.host`): no row, no password, no secret of anybody."""

from __future__ import annotations

from typing import Any

from engine.store.base import SiteDatabase
from workflows.business.records import Account, Contract, Customer
from workflows.ports.host import MOST_FACTS, AccountFacts, ContractFacts, CustomerFacts, checked_most


class PluginRecords:
    """The records of one site, for its plugins. Read-only; thread-safe."""

    def __init__(self, db: SiteDatabase) -> None:
        self._db = db

    def customer(self, id: int) -> CustomerFacts | None:
        """See `ReadRecords.customer`."""
        with self._db.bound():
            row = Customer.get_or_none(Customer.id == id)
        return customer_facts(row) if row is not None else None

    def customer_numbered(self, number: str) -> CustomerFacts | None:
        """See `ReadRecords.customer_numbered`."""
        with self._db.bound():
            row = Customer.get_or_none(Customer.number == number)
        return customer_facts(row) if row is not None else None

    def customers(self, *, after: int = 0, most: int = MOST_FACTS) -> tuple[CustomerFacts, ...]:
        """See `ReadRecords.customers`."""
        return tuple(map(customer_facts, self._page(Customer, Customer.id > after, checked_most(most))))

    def contract(self, id: int) -> ContractFacts | None:
        """See `ReadRecords.contract`."""
        with self._db.bound():
            row = Contract.get_or_none(Contract.id == id)
        return contract_facts(row) if row is not None else None

    def contracts_of(self, customer: int) -> tuple[ContractFacts, ...]:
        """See `ReadRecords.contracts_of`."""
        return tuple(map(contract_facts, self._page(Contract, Contract.customer == customer)))

    def contracts(self, *, after: int = 0, most: int = MOST_FACTS) -> tuple[ContractFacts, ...]:
        """See `ReadRecords.contracts`."""
        return tuple(map(contract_facts, self._page(Contract, Contract.id > after, checked_most(most))))

    def accounts_of(self, customer: int) -> tuple[AccountFacts, ...]:
        """See `ReadRecords.accounts_of`."""
        return tuple(map(account_facts, self._page(Account, Account.customer == customer)))

    def _page(self, model: Any, which: Any, most: int = MOST_FACTS) -> list[Any]:
        with self._db.bound():
            return list(model.select().where(which).order_by(model.id).limit(most))


def customer_facts(row: Customer) -> CustomerFacts:
    """A customer as plugins read it."""
    return CustomerFacts(
        row.id,
        row.number,
        row.company,
        row.channel,
        row.contractor_name,
        row.contractor_email,
        row.contractor_language,
        row.removed_on,
    )


def contract_facts(row: Contract) -> ContractFacts:
    """A contract as plugins read it."""
    return ContractFacts(
        row.id,
        row.customer_id,
        row.product,
        row.subdomain,
        row.term,
        row.payment_method,
        row.users,
        tuple(row.options.split()),
        row.started_on,
        row.ended_on,
    )


def account_facts(row: Account) -> AccountFacts:
    """An account as plugins read it."""
    return AccountFacts(row.id, row.customer_id, row.user_name, row.email, row.role, row.language, row.standing)
