"""What a report says of a payment: the input of the events that a report fires."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaymentTold:
    """A report of a payment method, as a payment takes it. `provider` and `event` identify it.

    `status`, `failure`, `amount` (yen, 0 where none are named), `reference` and `detail` are those of
    `workflows.ports.payments.Report`.
    """

    provider: str
    event: str
    reference: str
    status: str
    amount: int = 0
    failure: str = ""
    detail: str = ""
