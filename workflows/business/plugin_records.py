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
        return _customer(row) if row is not None else None

    def customer_numbered(self, number: str) -> CustomerFacts | None:
        """See `ReadRecords.customer_numbered`."""
        with self._db.bound():
            row = Customer.get_or_none(Customer.number == number)
        return _customer(row) if row is not None else None

    def customers(self, *, after: int = 0, most: int = MOST_FACTS) -> tuple[CustomerFacts, ...]:
        """See `ReadRecords.customers`."""
        return tuple(map(_customer, self._page(Customer, Customer.id > after, checked_most(most))))

    def contract(self, id: int) -> ContractFacts | None:
        """See `ReadRecords.contract`."""
        with self._db.bound():
            row = Contract.get_or_none(Contract.id == id)
        return _contract(row) if row is not None else None

    def contracts_of(self, customer: int) -> tuple[ContractFacts, ...]:
        """See `ReadRecords.contracts_of`."""
        return tuple(map(_contract, self._page(Contract, Contract.customer == customer)))

    def contracts(self, *, after: int = 0, most: int = MOST_FACTS) -> tuple[ContractFacts, ...]:
        """See `ReadRecords.contracts`."""
        return tuple(map(_contract, self._page(Contract, Contract.id > after, checked_most(most))))

    def accounts_of(self, customer: int) -> tuple[AccountFacts, ...]:
        """See `ReadRecords.accounts_of`."""
        return tuple(map(_account, self._page(Account, Account.customer == customer)))

    def _page(self, model: Any, which: Any, most: int = MOST_FACTS) -> list[Any]:
        with self._db.bound():
            return list(model.select().where(which).order_by(model.id).limit(most))


def _customer(row: Customer) -> CustomerFacts:
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


def _contract(row: Contract) -> ContractFacts:
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


def _account(row: Account) -> AccountFacts:
    return AccountFacts(row.id, row.customer_id, row.user_name, row.email, row.role, row.language, row.standing)
