"""What the records of the business need of plugins: the payment methods of running contracts, of requests that make a
mandate, and of mandates that are to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import peewee as pw

from engine.definition import Workflow
from engine.plugins.needs import PluginNeed
from engine.store import outbox_reports
from engine.store.base import SiteDatabase
from workflows.business.records import Contract, Mandate

_MOST = 1_000  # effects that are looked at
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


def revocations(db: SiteDatabase, _today: date) -> Iterator[PluginNeed]:
    """The methods that have yet to hear that a mandate ended, also of requests that have: a provider would go on."""
    with db.store().reading() as unit:
        ending = outbox_reports.open_figures(unit, "payment", ("revoke", "revoke_before"), _MOST)
    of_mandate = {number for _instance, figures in ending if (number := figures.get("mandate"))}
    of_request = {instance for instance, figures in ending if "mandate" not in figures}
    with db.bound():
        found = Mandate.select(Mandate.method).where(Mandate.id.in_(of_mandate) | Mandate.instance.in_(of_request))
        methods = Counter(row.method for row in found)
    for method, count in sorted(methods.items()):
        yield PluginNeed(PAYMENT_METHODS, PAYMENT_METHOD, method, "mandates to end", count)


def _marks(some: Sequence[str]) -> str:
    return ", ".join("?" * len(some))
