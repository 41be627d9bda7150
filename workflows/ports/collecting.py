"""The port for payment methods that collect: the money of a bill, by the mandate of its contract.

A mandate is how somebody pays, and a payment is the money of one bill. A method with the attribute `collects = True`
has what `Collecting` says, one with `refunds = True` what `Refunding` says. The procedure `payment` owns the days, the
mails and the history; a method moves money where it is asked to, and reports.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from engine.definition import Secret
from workflows.ports.billing import Bill
from workflows.ports.payments import MandateFacts, PaymentContext, Report

LONGEST_ANSWER = timedelta(days=40)  # a debit of the month after, and the file that tells of it
_SOONEST, _LATEST = timedelta(minutes=5), timedelta(days=7)
_OF_COLLECTING = ("collect", "query_payment", "retry_day")
_OF_REFUNDING = ("refund",)


@dataclass(frozen=True, slots=True)
class DuePayment:
    """One bill's payment, as a method is asked for it.

    `number` is the site's number of the payment: reports name it as their `request`. `amount` are the yen to collect:
    the bill's total, or what is left of it. On `due_day` the money may move at the earliest. `tries` counts how often
    the bill was asked for, 1 for the first time, and `since` is when this try began, aware. `reference` is the
    provider's name for the payment, "" until the method has told one. `data` is what the method wanted to read again
    of the mandate, empty where nothing is kept. `is_replaced` says that the contract is paid by another method by now:
    what was not asked for yet is not to be asked for any more, and counts as `failed`.
    """

    number: int
    bill: Bill
    mandate: MandateFacts
    amount: int
    due_day: date
    tries: int
    since: datetime
    reference: str = ""
    data: Secret = field(default=Secret(""), repr=False)
    is_replaced: bool = False


@runtime_checkable
class Collecting(Protocol):
    """A payment method that collects, as its attribute `collects = True` says. Called outside any transaction.

    A payment that is pending is asked for by `query_payment` each hour, or each `query_each`, where the method has that
    attribute: from 5 minutes to 7 days.
    """

    def collect(self, context: PaymentContext, payment: DuePayment, key: str) -> Report:
        """Ask for the money of one bill. Idempotent: the same `key` asks once, and answers as things stand.

        `pending` says that the provider has accepted it and will tell later; `paid`, that the money is there; `failed`,
        that it does not come, with the reason as `failure`; `undefined`, that nobody knows. An exception counts as
        unknown too: the call is repeated with the same key for 20 hours, and after that `query_payment` alone is asked.
        A try after one that failed has another key.
        """

    def query_payment(self, context: PaymentContext, payment: DuePayment) -> Report:
        """How a payment stands that was asked for. Read-only. `reference` may be "", where no answer of `collect` has
        arrived: a method then looks for it by the payment's number."""

    def retry_day(self, payment: DuePayment, today: date) -> date | None:
        """The day after `today` on which the bill is asked for again, where this try fails for a reason other than
        the mandate; None where it is asked for no more by itself. Must not call the provider."""


@runtime_checkable
class Refunding(Protocol):
    """A payment method that pays back, as its attribute `refunds = True` says. Called outside any transaction."""

    def refund(self, context: PaymentContext, payment: DuePayment, amount: int, key: str) -> Report:
        """Pay `amount` yen of a payment back. Idempotent under `key`, as `collect` is.

        `refunded` says that it is done, `failed` that it cannot be; `pending` and `undefined` lead to the same call
        again, with the same key.
        """


def collects(method: object) -> bool:
    """Whether a method collects."""
    return getattr(method, "collects", False) is True


def refunds(method: object) -> bool:
    """Whether a method pays back."""
    return getattr(method, "refunds", False) is True


def query_each(method: object) -> timedelta:
    """How often a method is asked about a payment that is pending."""
    declared: timedelta = getattr(method, "query_each", timedelta(hours=1))
    return declared


def wrong_collecting(method: Any) -> str:
    """What a method lacks of what it declares; "" where it lacks nothing."""
    for attribute, names in (("collects", _OF_COLLECTING), ("refunds", _OF_REFUNDING)):
        declared = getattr(method, attribute, False)
        if not isinstance(declared, bool):
            return f"{attribute} must be True or False, not {declared!r}"
        missing = [name for name in names if declared and not callable(getattr(method, name, None))]
        if missing:
            return f"it lacks {', '.join(missing)}, which a method with {attribute} = True has"
    each = query_each(method)
    if collects(method) and not (isinstance(each, timedelta) and _SOONEST <= each <= _LATEST):
        return f"query_each must be from {_SOONEST} to {_LATEST}, not {each!r}"
    if getattr(method, "refunds", False) and not getattr(method, "collects", False):
        return "refunds = True needs collects = True"
    return ""
