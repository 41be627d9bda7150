"""The ERP's HTTP API, as this plugin calls it, and what its answers mean.

| answer | what it means | what it becomes |
|---|---|---|
| 200, 201 | done | what was asked for |
| 202 | the batch of tonight decides | an `Entry` in the state "queued", with the time by which it is decided |
| 404 | the ERP does not know it | `Unknown` |
| 409 `in_progress`, 409 `locked` | somebody, or an earlier call with this key, is at it | `NoAnswer`: asked again |
| 409 `price_changed` and any other | the booking contradicts the books | `Refused` |
| 408, 425, 429, 500 and above | not now | `NoAnswer`: asked again |
| any other | the ERP will not do it | `Refused` |
| an error that is not named in JSON | not the ERP answered, but a proxy before it | `NoAnswer`: asked again |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote as quoted

from engine.definition import Secret
from engine.plugins import HttpResponse, NotReached
from engine.text import Text, _
from workflows.ports.billing import (
    Amount,
    Bill,
    BilledContract,
    Booking,
    Change,
    ContractTerms,
    Invoice,
    Line,
    Quote,
    Tax,
)
from workflows.ports.host import SiteHost

_PASSING = ("in_progress", "locked")  # conflicts that end by themselves
_NOT_NOW = (408, 425, 429)
_TITLES: Mapping[str, Text] = {"users": _("ユーザー数に応じたご利用料")}  # by the code of a line; others keep the ERP's
_LONGEST = 200  # characters of an error that are kept


class NoAnswer(Exception):
    """The ERP was not reached, cannot answer now, or answered something that cannot be read. What was asked may have
    been done: ask again with the same key."""


class Unknown(Exception):
    """The ERP does not know what was asked about."""


class Refused(Exception):
    """The ERP will not do it. `code` and `reason` say why; staff read them."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


@dataclass(frozen=True, slots=True)
class Entry:
    """A booking in the ERP. `state` is "applied", "queued" or "rejected". A queued one may have `decided_by` (aware), a
    rejected one has `error` and `reason`."""

    reference: str
    state: str
    decided_by: datetime | None = None
    error: str = ""
    reason: str = ""


class Erp:
    """Calls to the ERP. Each has the time limit `timeout`, and may be made from several threads."""

    def __init__(self, url: str, token: Secret, timeout: timedelta, host: SiteHost) -> None:
        self._url, self._token, self._timeout, self._host = url, token, timeout, host

    def quote(self, change: Change) -> Quote:
        """The price of a change. Raises NoAnswer; Unknown where the ERP does not sell it; Refused."""
        return _read(quote_of, self._asked("POST", "/v1/quotes", _change(change)))

    def book(self, change: Change, quote: Quote | None, key: str) -> Entry:
        """Book a change at the figures of `quote`, once for each key. Raises NoAnswer and Refused."""
        body = {"change": _change(change), "digest": quote.digest if quote is not None else None}
        try:
            return _read(entry_of, self._asked("POST", "/v1/bookings", body, key))
        except Unknown as unknown:
            raise Refused("unknown", "the ERP does not know the product or the contract") from unknown

    def look(self, reference: str) -> Entry:
        """A booking as it stands. Raises NoAnswer, Unknown and Refused."""
        return _read(entry_of, self._asked("GET", f"/v1/bookings/{quoted(reference, safe='')}"))

    def history(self, contract: int, order: str) -> tuple[Booking, ...]:
        """The bookings of a contract, and of its order. Raises NoAnswer and Refused."""
        path = f"/v1/contracts/{contract}/bookings?order={quoted(order, safe='')}"
        return _read(lambda told: tuple(map(booking_of, told["bookings"])), self._asked("GET", path))

    def invoices(self, contract: int) -> tuple[Invoice, ...]:
        """The invoices of a contract. Raises NoAnswer and Refused."""
        told = self._asked("GET", f"/v1/contracts/{contract}/invoices")
        return _read(lambda told: tuple(map(invoice_of, told["invoices"])), told)

    def due_bills(self, day: date, contracts: Sequence[BilledContract]) -> tuple[Bill, ...]:
        """The bills of these contracts that are due. Raises NoAnswer and Refused."""
        asked = [
            {
                "contract": one.contract,
                "customer_number": one.customer_number,
                "terms": _terms(one.terms),
                "since": one.since.isoformat(),
                "ended_on": _day(one.ended_on),
            }
            for one in contracts
        ]
        told = self._asked("POST", "/v1/due-bills", {"day": day.isoformat(), "contracts": asked})
        return _read(lambda told: tuple(map(bill_of, told["bills"])), told)

    def _asked(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            answer = self._host.http.request(
                method, self._url + path, json_body=body, headers=headers, key=key, timeout=self._timeout
            )
        except NotReached as error:
            raise NoAnswer(str(error)) from error
        return content(answer)


def content(answer: HttpResponse) -> Any:
    """What the ERP said. Raises NoAnswer, Unknown and Refused."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    if answer.is_success:
        return told
    said = told if isinstance(told, Mapping) else {}
    error, reason = (str(said.get(name, ""))[:_LONGEST] for name in ("error", "reason"))
    passes = answer.status in _NOT_NOW or answer.status >= 500 or (answer.status == 409 and error in _PASSING)
    if passes or not error:  # without its word it was something before the ERP, as a proxy
        raise NoAnswer(f"the ERP answered {answer.status} {error}".strip())
    if answer.status == 404:
        raise Unknown
    raise Refused(error, reason)


def _read(shape: Any, told: Any) -> Any:
    """`shape` of what was said. Raises NoAnswer where it cannot be read."""
    try:
        return shape(told)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise NoAnswer(f"the ERP answered something that cannot be read: {type(error).__name__}") from error


# -- what is sent ------------------------------------------------------------------------------------------------------


def _terms(terms: ContractTerms | None) -> Any:
    return json.loads(terms.to_json()) if terms is not None else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "customer_number": change.customer_number,
        "contract": change.contract,
        "before": _terms(change.before),
        "after": _terms(change.after),
        "asked_on": _day(change.asked_on),
        "effective_on": _day(change.effective_on),
        "ended_on": _day(change.ended_on),
    }


# -- what is read ------------------------------------------------------------------------------------------------------


def quote_of(told: Any) -> Quote:
    """A price. Raises KeyError, TypeError, ValueError or ArithmeticError where it is none."""
    due = told["due"]
    return Quote(_amount(told["recurring"]), _amount(due) if due is not None else None, str(told["digest"]))


def _amount(told: Any) -> Amount:
    lines = tuple(
        Line(
            _TITLES.get(str(line["code"]), str(line["title"])),
            _whole(line["quantity"]),
            _whole(line["unit_price"]),
            _whole(line["amount"]),
            Decimal(line["tax_rate"]),
        )
        for line in told["lines"]
    )
    taxes = tuple(Tax(Decimal(tax["rate"]), _whole(tax["net"]), _whole(tax["tax"])) for tax in told["taxes"])
    return Amount(told["period"], lines, _whole(told["net"]), taxes, _whole(told["total"]))


def _whole(told: Any) -> int:
    """A whole number, as yen are. Raises TypeError for anything else, as for 100.0."""
    if type(told) is not int:
        raise TypeError(f"expected a whole number, got {type(told).__name__}")
    return told


def entry_of(told: Any) -> Entry:
    """A booking as it stands. Raises KeyError, TypeError or ValueError where it is none."""
    if told["state"] not in ("applied", "queued", "rejected"):
        raise ValueError("state")
    until = told.get("decided_by")
    decided_by = datetime.fromisoformat(until) if until else None
    if decided_by is not None and decided_by.tzinfo is None:
        raise ValueError("decided_by has no zone")
    return Entry(
        str(told["reference"]), told["state"], decided_by, str(told.get("error", "")), str(told.get("reason", ""))
    )


def booking_of(told: Any) -> Booking:
    """A line of the books. Raises KeyError, TypeError or ValueError where it is none."""
    total = told["total"]
    day = date.fromisoformat(told["effective_on"])
    return Booking(str(told["reference"]), str(told["kind"]), day, _whole(total) if total is not None else None)


def invoice_of(told: Any) -> Invoice:
    """An invoice. Raises KeyError, TypeError or ValueError where it is none."""
    return Invoice(str(told["number"]), date.fromisoformat(told["issued_on"]), _whole(told["total"]), str(told["url"]))


def bill_of(told: Any) -> Bill:
    """A bill. Raises KeyError, TypeError or ValueError where it is none."""
    day = date.fromisoformat(told["due_on"])
    return Bill(str(told["number"]), _whole(told["contract"]), _whole(told["total"]), day)
