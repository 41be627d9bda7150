"""Reading payments: for the customer's contracts, and for the staff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.store.prepared import prepared
from workflows.business.records import Payment

UNPAID, UNDER_WAY, SETTLED = "unpaid", "under_way", "settled"
LISTS: Mapping[str, Any] = {
    UNPAID: Payment.settled_at.is_null() & (Payment.under_way == 0) & (Payment.tries > 0),
    UNDER_WAY: Payment.under_way == 1,
    SETTLED: Payment.settled_at.is_null(False),
}
"""What the staff's list can show, by name."""


def listed(name: str, most: int, first: int = 0) -> list[Payment]:
    """At most `most` payments of a list, the newest first."""
    rows = Payment.select().where(LISTS[name]).order_by(Payment.instance.desc())
    return list(rows.limit(most).offset(first))


@prepared
def of_customer(customer: Any, most: Any) -> Any:
    """Payments of a customer, the newest first: all that are not settled, and of the others the newest."""
    settled = Payment.select(Payment.instance).where(Payment.customer == customer, LISTS[SETTLED])
    newest = settled.order_by(Payment.instance.desc()).limit(most)
    shown = Payment.settled_at.is_null() | Payment.instance.in_(newest)
    return Payment.select().where(Payment.customer == customer, shown).order_by(Payment.instance.desc())
