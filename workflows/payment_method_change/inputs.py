"""What the events of a change of payment method bring along."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from engine.definition import Secret


@dataclass(frozen=True, slots=True)
class PaymentMethodInput:
    """A method that was chosen, with what it asked for: `sealed` by the vault, `label` masked.

    `effective_on` is the date that was shown before it was sent. `mark` is the same for the same contents and kept
    nowhere, so that a form sent twice is one request though it is sealed anew each time (I10).
    """

    method: str
    way: str
    label: str
    sealed: Secret
    effective_on: date
    mark: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PageOpened:
    """The provider has a page for the customer, and calls it `reference`."""

    reference: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A verified event says that the customer has registered. `provider` and `event` tell a repeat."""

    provider: str
    event: str
    reference: str
    label: str
