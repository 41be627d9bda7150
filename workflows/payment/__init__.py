"""お支払い: the money of one bill, collected by the mandate of its contract (G5)."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import peewee as pw

from engine.plugins.needs import PluginNeed
from engine.store.base import SiteDatabase
from workflows.business.plugin_needs import PAYMENT_METHOD, PAYMENT_METHODS
from workflows.business.records import Payment
from workflows.business.shared.bill_input import BillInput
from workflows.payment.chores import ask_by_new_mandates, begin_due
from workflows.payment.effects import CollectionEffects
from workflows.payment.version_1 import PAYMENT_1
from workflows.payment.workflow import PAYMENT
from workflows.ports.guarded import Patient
from workflows.procedure import Procedure

__all__ = ["PAYMENT", "PAYMENT_1", "PROCEDURE", "BillInput", "CollectionEffects"]


def _under_way(db: SiteDatabase, _today: date) -> Iterator[PluginNeed]:
    """The methods by which payments are being collected."""
    with db.bound():
        rows: list[Any] = list(
            Payment.select(Payment.method, pw.fn.COUNT(Payment.instance))
            .where(Payment.under_way == 1)
            .group_by(Payment.method)
            .order_by(Payment.method)
            .tuples()
        )
    for method, count in rows:
        yield PluginNeed(PAYMENT_METHODS, PAYMENT_METHOD, method, "payments under way", count)


PROCEDURE = Procedure(
    (PAYMENT_1, PAYMENT),
    effects={"collection": lambda services, _engine: Patient(CollectionEffects(services))},
    chores=(begin_due, ask_by_new_mandates),
    plugin_needs=(_under_way,),
)
