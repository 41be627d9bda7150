"""How a payment begins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from engine.attempt import SYSTEM_ACTOR
from tests.kit.one_of_each import Beginner
from workflows.business.records import Contract, Mandate, Payment, PaymentTry
from workflows.payment import BillInput

FIGURES: Mapping[str, Any] = {
    "why": "failed",
    "how": "settle",
    "failure": "insufficient_funds",
    "retry_on": "2026-12-04",
}


def begin(by: Beginner) -> int:
    """A bill that is due, by a mandate that has been asked once."""
    contract = Contract.create(
        customer=by.customer,
        product="chatluck",
        subdomain="oshiharai-mihon",
        term="monthly",
        payment_method="direct_debit",
        users=5,
        started_on=date(2024, 4, 1),
        options="",
    )
    mandate = Mandate.create(
        instance=9_000_000,
        customer=contract.customer_id,
        contract=contract.id,
        method="direct_debit",
        way="paper",
        active_from=date(2026, 11, 1),
        in_use=contract.id,
    )
    data = BillInput("B-1-20261101", contract.id, 6600, date(2026, 11, 1), mandate.id, "direct_debit")
    number = by.begin("payment", f"contract:{contract.id}", data, SYSTEM_ACTOR)
    PaymentTry.create(
        payment=number,
        number=1,
        mandate=mandate.id,
        method="direct_debit",
        amount=6600,
        began_at=by.site.clock(),
        status="failed",
        detail="1-1 1 資金不足",
        failure="insufficient_funds",
    )
    Payment.update(tries=1).where(Payment.instance == number).execute()
    return number
