"""What the records of the business need of plugins: the payment methods of running contracts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import peewee as pw

from engine.plugins.needs import PluginNeed
from engine.store.base import SiteDatabase
from workflows.business.records import Contract

PAYMENT_METHODS, PAYMENT_METHOD = "register_payment_methods", "payment method"


def contracts(db: SiteDatabase, today: date) -> Iterator[PluginNeed]:
    """The payment methods of the contracts that run on `today`."""
    with db.bound():
        rows: list[Any] = list(
            Contract.select(Contract.payment_method, pw.fn.COUNT(Contract.id))
            .where(Contract.runs(today))
            .group_by(Contract.payment_method)
            .order_by(Contract.payment_method)
            .tuples()
        )
    for method, count in rows:
        yield PluginNeed(PAYMENT_METHODS, PAYMENT_METHOD, method, "contracts", count)
