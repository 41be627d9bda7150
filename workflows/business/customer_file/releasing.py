"""Letting customers who were imported hear of notices, without an invitation."""

from __future__ import annotations

from collections.abc import Collection

from engine.store.base import transaction
from workflows.business.records import Customer, QuietCustomer

_AT_ONCE = 500


def release(customers: Collection[int] | None = None) -> int:
    """End the silence of `customers`, by their ids, or of all. How many were quiet."""
    with transaction():
        if customers is None:
            return int(QuietCustomer.delete().execute())
        ids = sorted(customers)
        return sum(
            int(QuietCustomer.delete().where(QuietCustomer.customer.in_(ids[start : start + _AT_ONCE])).execute())
            for start in range(0, len(ids), _AT_ONCE)
        )


def quiet_count() -> int:
    """How many customers hear of nothing yet."""
    return int(QuietCustomer.select().join(Customer).count())
