"""Customers who were removed: what every procedure asks that writes something for a customer, or mails its contractor.

The customer's row decides. Who removes a customer locks it first, and so does whoever begins something new for one: of
two at once the second sees what the first did.
"""

from __future__ import annotations

from typing import Any

from engine.definition import NOBODY, Address, Nobody, Records
from workflows.business.customer_aliases import followed
from workflows.business.records import Customer


def locked_customer(records: Records, number: int | None, columns: Any = Customer) -> Customer | None:
    """The customer, under the lock of its row, or whom it was merged into; None where it is removed or gone. `columns`
    are those that are read (`only`), `removed_on` among them."""
    records.lock_rows(Customer, id=number)
    customer: Customer | None = records.get(columns, id=number)
    if customer is None and number is not None:
        stays = followed(number, records)
        return locked_customer(records, stays, columns) if stays is not None else None
    return customer if customer is not None and customer.removed_on is None else None


def contractor_of(customer: Customer) -> Address | Nobody:
    """The contractor's address; nobody's where the customer was removed, who is mailed by that procedure alone."""
    if customer.removed_on is not None:
        return NOBODY
    return Address(customer.contractor_email, customer.contractor_language)
