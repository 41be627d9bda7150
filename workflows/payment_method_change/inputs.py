"""The inputs of the events of a change of payment method."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class PaymentMethodInput:
    """A chosen method, with what it asked for: `sealed` by the vault, and the masked `label`.

    `effective_on` is the date that was shown before the form was sent. `mark` is equal for equal contents, and is
    stored nowhere: so a form that is sent twice is one request, though its contents are sealed anew each time (I10).
    """

    method: str
    way: str
    label: str
    sealed: Secret
    effective_on: date
    mark: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PageOpened:
    """The provider has opened a page for the customer, under the name `reference`.

    `effective_on` is the earliest date that the customer saw when they went there; None where they saw none.
    """

    reference: str
    effective_on: date | None = None


@dataclass(frozen=True, slots=True)
class DateShown:
    """The date that the staff saw when they accepted a request or approved a form (events `accept`, `approve`).

    None where the decision fixes no date, or where it is not made on a page.
    """

    effective_on: date | None = None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A verified event that says that the customer has registered, or has paid. `provider` and `event` identify it, to
    deduplicate repeats.

    `status` is that of the report (`workflows.ports.payments.Report`), and `amount` its yen, 0 where none are named.
    """

    provider: str
    event: str
    reference: str
    label: str
    status: str = "processed"
    amount: int = 0
