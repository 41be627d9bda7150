"""What the records of the business need of plugins: the payment methods of running contracts, and of requests that
make a mandate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import peewee as pw

from engine.definition import Workflow
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


def requests(db: SiteDatabase, versions: Sequence[Workflow]) -> Iterator[PluginNeed]:
    """The methods of the mandates whose requests have not ended, in one of these versions of a procedure."""
    last = sorted({state.name for one in versions for state in one.states if state.final})
    names = sorted({one.name for one in versions})
    with db.store().reading() as unit:
        rows = unit.rows(
            "SELECT m.method, COUNT(*) FROM mandate m JOIN instance i ON i.id = m.instance WHERE "
            f"i.workflow IN ({_marks(names)}) AND i.state NOT IN ({_marks(last)}) GROUP BY m.method ORDER BY m.method",
            (*names, *last),
        )
    for method, count in rows:
        yield PluginNeed(PAYMENT_METHODS, PAYMENT_METHOD, method, "requests under way", count)


def _marks(some: Sequence[str]) -> str:
    return ", ".join("?" * len(some))
