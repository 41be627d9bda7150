"""Letting customers who were imported hear of notices, without an invitation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import peewee as pw

from engine.store.base import transaction
from workflows.business.records import Account, Customer, QuietCustomer

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


def quiet() -> Any:
    """The ids of the customers who hear of nothing yet, to select by: without an account, which ends it as well."""
    with_account = pw.fn.EXISTS(Account.select(pw.Value(1)).where(Account.customer == QuietCustomer.customer))
    return QuietCustomer.select(QuietCustomer.customer).where(~with_account)


def quiet_count() -> int:
    """How many customers hear of nothing yet."""
    return int(quiet().join(Customer).count())
