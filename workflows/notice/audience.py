"""The audience of a notice: contractors of direct customers with a running contract of one of its products.

Imported customers hear of nothing until they are invited or released, or have opened an account by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import peewee as pw

from workflows.business.customer_file.releasing import quiet
from workflows.business.records import Contract, Customer
from workflows.services import Services

_COUNT_HOLDS = timedelta(minutes=1)


def contractors(products: list[str], today: date) -> list[int]:
    """The ids of the customers whose contractor gets a notice: direct customers (G1, G2) with a running contract of one
    of `products` (none: any). Of several customers with one address, only the first."""
    rows: Any = Customer.select(Customer.id, Customer.contractor_email).where(*_hears(products, today))
    by_address: dict[str, int] = {}
    for customer, address in rows.order_by(Customer.id).tuples():
        by_address.setdefault(address.lower(), customer)
    return list(by_address.values())


def audience_size(services: Services, products: Iterable[str]) -> int:
    """How many contractors a mail about these products (none: all) would go to; cached for a minute.

    Counting reads every customer, and a page asks for the number again and again while staff write a notice.
    """
    wanted, now, kept = tuple(products), services.clock(), services.audiences
    counted_at, size = kept.get(wanted, (None, 0))
    if counted_at is None or not timedelta(0) <= now - counted_at < _COUNT_HOLDS:
        addresses = pw.fn.COUNT(pw.fn.DISTINCT(pw.fn.LOWER(Customer.contractor_email)))
        size = int(Customer.select(addresses).where(*_hears(list(wanted), services.calendar.today(now))).scalar())
        kept[wanted] = now, size
    return size


def _hears(products: list[str], today: date) -> tuple[Any, ...]:
    running = Contract.select(Contract.customer).where(
        Contract.started_on <= today,
        Contract.runs(today),
        *([Contract.product.in_(products)] if products else []),
    )
    hears = Customer.id.in_(running), Customer.id.not_in(quiet())
    return Customer.channel == "direct", Customer.contractor_email != "", *hears
