"""What is known of customers that the search looks in: columns of records, declared by who has the records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.store.base import Record, database
from workflows.business.customer_search.keys import BETWEEN, keys
from workflows.business.records import (
    Account,
    AddressChange,
    ChangeRequest,
    Contract,
    Customer,
    CustomerAlias,
    PendingApplication,
)

AT_ONCE = 500  # customers a statement: with every source well below SQLite's 32,766 bound values


@dataclass(frozen=True, slots=True)
class Searched:
    """A record of which the search looks in `columns` while `condition` holds, which is SQL of both databases.

    `customer` is its column that names the customer. With `request` its `instance` is a number that the customer is
    told (受付番号). `number` is a column whose values only grow, where new rows are known by that and have no trigger
    on SQLite. With `of_instances` rows are found by the instances that are about a customer, because a transition that
    writes one should not pay for an index. A table that is searched has triggers in a step of `workflows/migrations`,
    as those of 0018.
    """

    record: type[Record]
    columns: tuple[str, ...]
    condition: str = ""
    customer: str = "customer_id"
    request: bool = False
    number: str = ""
    of_instances: bool = False

    @property
    def table(self) -> str:
        """The name of its table."""
        return str(self.record._meta.table_name)


# Who was removed is found by the customer number alone.
_NOT_REMOVED = "NOT EXISTS (SELECT 1 FROM customer WHERE customer.id = customer_id AND removed_on IS NOT NULL)"

OF_BUSINESS = (
    Searched(Customer, ("number",), customer="id"),
    Searched(
        Customer,
        (
            "company",
            "contractor_name",
            "contractor_email",
            "contractor_person",
            "contractor_phone",
            "contractor_postcode",
            "contractor_address",
            "billing_name",
            "billing_postcode",
            "billing_address",
        ),
        "removed_on IS NULL",
        customer="id",
    ),
    Searched(CustomerAlias, ("number",)),
    Searched(Contract, ("subdomain",), _NOT_REMOVED),
    Searched(Account, ("email", "user_name"), number="id"),
    Searched(PendingApplication, ("email", "user_name")),
    Searched(AddressChange, ("new",), "slot IS NOT NULL", request=True),
    Searched(ChangeRequest, (), request=True),
)


class Known:
    """Reads what is known of customers from `sources`."""

    def __init__(self, sources: Sequence[Searched]) -> None:
        self.sources = tuple(sources)
        parts = [_texts_of(source) for source in sources if source.columns]
        self._texts = " UNION ALL ".join(parts)
        self._values = sum(part.count("{0}") + part.count("{1}") for part in parts)
        numbered = (f"SELECT {one.customer} FROM {one.table} WHERE instance = {{0}}" for one in sources if one.request)
        self._requests = " UNION ".join(numbered)
        self._numbered = sum(one.request for one in sources)
        self._news = tuple(self.news_of(one) for one in sources if one.number)

    def texts(self, customers: Sequence[int]) -> Iterator[tuple[int, str]]:
        """The keys of each of `customers` that there is, by their ids."""
        for start in range(0, len(customers), AT_ONCE):
            yield from self._some(customers[start : start + AT_ONCE])

    @staticmethod
    def news_of(source: Searched) -> str:
        """A SELECT of the customers who have rows of a source that nothing but their number tells of."""
        seen = f"(SELECT upto FROM search_seen WHERE source = '{source.table}')"
        return f"SELECT {source.customer} FROM {source.table} WHERE {source.number} > {seen}"

    def news(self) -> Sequence[str]:
        """`news_of` each source that has any."""
        return self._news

    def _some(self, customers: Sequence[int]) -> Iterator[tuple[int, str]]:
        param = database.obj.param
        among, about = ", ".join([param] * len(customers)), ", ".join([f"'customer:' || {param}"] * len(customers))
        known: dict[int, list[str]] = defaultdict(list)
        there = set()
        for source, customer, text in self._rows(self._texts.format(among, about), [*customers] * self._values):
            known[customer] += text.split(BETWEEN)
            if source == Customer._meta.table_name:
                there.add(customer)
        for customer in sorted(there):
            yield customer, keys(known[customer])

    def of_request(self, number: int) -> list[int]:
        """The customers whose request has a number: one, or none."""
        return [row[0] for row in self._rows(self._requests.format(database.obj.param), [number] * self._numbered)]

    @staticmethod
    def _rows(sql: str, values: Sequence[Any]) -> list[Any]:
        rows: list[Any] = database.obj.execute_sql(sql, values).fetchall()
        return rows


def _texts_of(source: Searched) -> str:
    """A SELECT of what a source knows of customers, its columns with BETWEEN between them."""
    text = f" || '{BETWEEN}' || ".join(f"COALESCE({column}, '')" for column in source.columns)
    condition = f" AND {source.condition}" if source.condition else ""
    among = f"{source.customer} IN ({{0}})"
    if source.of_instances:
        formerly = f"SELECT 'customer:' || former FROM {CustomerAlias._meta.table_name} WHERE customer_id IN ({{0}})"
        theirs = "SELECT id FROM instance WHERE subject IN"
        among = f"instance IN ({theirs} ({{1}}) UNION ALL {theirs} ({formerly}))"
    return f"SELECT '{source.table}', {source.customer}, {text} FROM {source.table} WHERE {among}{condition}"
