"""The terms that a contract will have when a change of it begins: open requests that are applied before it count.

Requests of one contract are applied in the order of their effective dates, and on one date in the order in which they
were made. A change is therefore dated and quoted on top of those before it. Each depends on the other: the terms on
which a change builds decide whether it waits for the renewal, and its date decides those terms. So requests are taken
one by one, earliest first, until the change falls before the next of them.

A change of payment method does not count: its date moves with the papers, and it changes no price. It takes its turn
when it is booked, see `workflows.business.shared.bookings`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from workflows.business.records import ChangeRequest
from workflows.business.shared.change_request import contract_terms_from_json
from workflows.contract_change import conditions, dates
from workflows.ports.billing import ContractTerms

PRICED = ("users", "options", "term")  # of each at most one is open for a contract: its slot is unique


@dataclass(frozen=True, slots=True)
class Standing:
    """The basis of a change: the terms `before`, from `effective_on`, once the requests `ahead` were applied.

    `before` is None for an order.
    """

    before: ContractTerms | None
    effective_on: date
    ahead: tuple[int, ...]


def slots(contract: int) -> tuple[str, ...]:
    """The slots of open requests that may be applied before another one."""
    return tuple(f"contract:{contract}/{kind}" for kind in PRICED)


def standing(
    now: ContractTerms,
    open_change_requests: Iterable[ChangeRequest],
    kind: str,
    after: ContractTerms,
    today: date,
    since: date | None = None,
    number: int | None = None,
) -> Standing:
    """The basis of a change of `kind` to `after`, asked for on `today` of a contract with the terms `now`.

    The contract has these terms `since` a day on which something was booked, before which the change cannot begin.
    `number` is that of a request which was made before; of several on one date, those with a higher one come after it.
    """
    others = sorted((one for one in open_change_requests if one.kind != kind), key=_order)
    before, last, taken = now, max(today, since or today), 0
    while True:
        day = _effective_on(before, conditions.with_change(before, kind, after), today, last)
        following = others[taken : taken + 1]
        if not following or _comes_after(following[0], day, number):
            return Standing(before, day, tuple(one.instance for one in others[:taken]))
        before, last = _applied(before, following[0]), following[0].effective_on
        taken += 1


def _comes_after(other: ChangeRequest, day: date, number: int | None) -> bool:
    return other.effective_on > day or (number is not None and other.effective_on == day and other.instance > number)


def on_its_day(now: ContractTerms, open_change_requests: Iterable[ChangeRequest], asked: ChangeRequest) -> Standing:
    """The basis of a request whose date stays: those of the open requests before it in the order count as applied."""
    earlier = sorted(
        (one for one in open_change_requests if one.kind != asked.kind and _order(one) < _order(asked)), key=_order
    )
    before = now
    for one in earlier:
        before = _applied(before, one)
    return Standing(before, asked.effective_on, tuple(one.instance for one in earlier))


def _applied(before: ContractTerms, change_request: ChangeRequest) -> ContractTerms:
    wanted = contract_terms_from_json(change_request.after)
    assert wanted is not None  # a request always has what it asks for
    return conditions.with_change(before, change_request.kind, wanted)


def _effective_on(before: ContractTerms, after: ContractTerms, today: date, last: date) -> date:
    """The effective date as of `dates.effective_on`, and not before `last`, the day from which `before` holds."""
    counted = today
    if dates.waits_for_renewal(before, after):
        counted = max(today, last - timedelta(days=1))  # a renewal on that very day is theirs
    return max(dates.effective_on(before, after, counted), last)


def _order(change_request: ChangeRequest) -> tuple[date, int]:
    return change_request.effective_on, change_request.instance
