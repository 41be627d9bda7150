"""Customers who were merged into others: whoever names one by number, by id, or in a history, is led to who stayed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from engine.definition import Records
from engine.store.prepared import prepared
from workflows.business.records import Customer, CustomerAlias

_KIND = "customer:"


def followed(former: int, records: Records) -> int | None:
    """The id of the customer into whom `former` was merged; None where nobody was merged."""
    alias = records.get(CustomerAlias, former=former)
    return alias.customer_id if alias is not None else None


def customer_about(number: int | None, records: Records) -> Customer | None:
    """The customer with an id, or whom that one was merged into; None where there is none."""
    if number is None:
        return None
    customer: Customer | None = records.get(Customer, id=number)
    if customer is None:
        stays = followed(number, records)
        customer = records.get(Customer, id=stays) if stays is not None else None
    return customer


def alias_of(former: int) -> CustomerAlias | None:
    """The number and the successor of a customer who was merged, by their id."""
    alias: CustomerAlias | None = CustomerAlias.get_or_none(CustomerAlias.former == former)
    return alias


def customer_now(number: int) -> Customer | None:
    """The customer with an id, or whom that one was merged into; outside of a transaction of the engine."""
    found: Customer | None = _customer.first(number)
    if found is None:
        found = Customer.select().join(CustomerAlias).where(CustomerAlias.former == number).first()
    return found


@prepared
def _customer(number: Any) -> Any:
    return Customer.select().where(Customer.id == number).limit(1)


@prepared
def aliases_of(customer: Any) -> Any:
    """The customers who were merged into one, the last one first."""
    own = CustomerAlias.select().where(CustomerAlias.customer == customer)
    return own.order_by(CustomerAlias.merged_at.desc(), CustomerAlias.former.desc())


def abouts_of(customer: int, aliases: Iterable[CustomerAlias] | None = None) -> list[str]:
    """What procedures about a customer are about: the customer, and each who was merged into them. `aliases` are those
    of `aliases_of`, where they are known."""
    known = aliases_of(customer) if aliases is None else aliases
    return [f"{_KIND}{number}" for number in (customer, *(alias.former for alias in known))]


def customer_numbered(number: str) -> Customer | None:
    """The customer with a number, or whom the one of that number was merged into."""
    found: Customer | None = Customer.get_or_none(Customer.number == number)
    if found is None:
        found = Customer.select().join(CustomerAlias).where(CustomerAlias.number == number).first()
    return found


def numbers_of_today(numbers: Collection[str]) -> dict[str, str]:
    """Of each of `numbers` that is one of before, the number by which the customer goes today."""
    asked = list(numbers)
    if not asked:
        return {}
    own: Any = CustomerAlias.select(CustomerAlias.number, Customer.number).join(Customer)
    return dict(own.where(CustomerAlias.number.in_(asked)).tuples())
