"""What staff decide about debits that failed: ask again, or say that the bill was paid in another way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import peewee as pw
from peewee import fn

from engine.errors import EngineError
from engine.store.base import LARGEST, transaction
from plugins.direct_debit.runs.records import (
    COLLECTED,
    FAILED,
    REQUESTED,
    SETTLED,
    DirectDebitPayment,
    DirectDebitRun,
)
from plugins.direct_debit.runs.results import Tell, tell_nobody
from workflows.ports.collecting import LONGEST_ANSWER

_STEP = 500
_NAME = re.compile(r"([0-9]{1,18})-([0-9]{1,6})")


class NoSuchPayment(EngineError):
    """No payment has this name, or nothing is to be decided about it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A run, and how many of its payments are in each state."""

    run: DirectDebitRun
    requested: int
    collected: int
    failed: int
    settled: int


def named(name: str) -> DirectDebitPayment:
    """The payment of a name, as in 12-345. Raises NoSuchPayment."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise NoSuchPayment(f"{name!r}: expected the number of a run and a position in it, as in 12-345")
    number, position = int(match[1]), int(match[2])
    found: DirectDebitPayment | None = (
        _with_runs()
        .where(DirectDebitRun.number == min(number, LARGEST), DirectDebitPayment.position == position)
        .first()
    )
    if found is None:
        raise NoSuchPayment(f"payment {name}: there is none")
    return found


def ask_again(payment: DirectDebitPayment) -> None:
    """Let the bill stand in the next run, by the mandate that the contract then has; its mandate counts as working
    again. Raises NoSuchPayment where the debit did not fail, or the bill has been asked for again since."""
    _check_not_taken(payment)
    _decide(payment, taken=None, ends_mandate=False)


def give_up_waiting(payment: DirectDebitPayment, today: date) -> None:
    """Let a bill stand in the next run though the banks have told nothing of its debit. What they tell later is still
    read. Raises NoSuchPayment where they may yet be about to, or have told something."""
    _check_not_taken(payment)
    waited_until = payment.run.debit_on + LONGEST_ANSWER
    if payment.state != REQUESTED:
        raise NoSuchPayment(f"payment {payment.name} is {payment.state}: expected one without a result")
    if today <= waited_until:
        raise NoSuchPayment(
            f"payment {payment.name}: the banks may still tell of it; expected a day after {waited_until}"
        )
    row = DirectDebitPayment
    with transaction():
        if not row.update(taken=None).where(row.id == payment.id, row.state == REQUESTED).execute():
            raise NoSuchPayment(f"payment {payment.name}: its result has just been read")


def settle(payment: DirectDebitPayment, *, mandate_works: bool, tell: Tell = tell_nobody) -> None:
    """Say that the bill was paid in another way, so that it is never asked for again. Raises NoSuchPayment where the
    debit did not fail, or the bill has been asked for again since."""
    _check_not_taken(payment)
    works = {"ends_mandate": False} if mandate_works else {}
    with transaction():
        _decide(payment, state=SETTLED, taken=payment.bill, **works)
        payment.state = SETTLED
        tell((payment,))


def _check_not_taken(payment: DirectDebitPayment) -> None:
    row = DirectDebitPayment
    others = row.bill == payment.bill, row.id != payment.id
    taken = row.get_or_none(row.taken.is_null(False) | (row.state == COLLECTED), *others)
    if taken is not None:
        raise NoSuchPayment(f"payment {payment.name}: its bill has been asked for again, as {taken.name}")


def _decide(payment: DirectDebitPayment, **values: Any) -> None:
    row = DirectDebitPayment
    try:
        with transaction():
            changed = row.update(**values).where(row.id == payment.id, row.state == FAILED).execute()
    except pw.IntegrityError as error:  # of `taken`: the bill got into a run just now
        raise NoSuchPayment(f"payment {payment.name}: its bill has just been asked for again") from error
    if not changed:
        raise NoSuchPayment(f"payment {payment.name} is {payment.state}: expected one that failed")


def runs() -> Iterator[Standing]:
    """The numbered runs, the newest first."""
    row = DirectDebitPayment
    for run in DirectDebitRun.select().where(DirectDebitRun.number.is_null(False)).order_by(-DirectDebitRun.number):
        counted: Any = row.select(row.state, fn.COUNT(row.id)).where(row.run == run).group_by(row.state).tuples()
        of = dict[str, int](counted)
        yield Standing(run, *(of.get(state, 0) for state in (REQUESTED, COLLECTED, FAILED, SETTLED)))


def failed_of(run: DirectDebitRun) -> Iterator[DirectDebitPayment]:
    """The payments of a run that were not collected, in their order."""
    return _each(DirectDebitPayment.run == run, DirectDebitPayment.state.in_((FAILED, SETTLED)))


def for_staff() -> Iterator[DirectDebitPayment]:
    """The payments that failed, and that nobody asks for again until staff say so; the oldest first."""
    return _each(DirectDebitPayment.state == FAILED, DirectDebitPayment.taken.is_null(False))


def _each(*conditions: Any) -> Iterator[DirectDebitPayment]:
    last = 0
    while True:
        rows = _with_runs().where(*conditions, DirectDebitPayment.id > last).order_by(DirectDebitPayment.id)
        found = list(rows.limit(_STEP))
        if not found:
            return
        yield from found
        last = found[-1].id


def _with_runs() -> Any:
    row = DirectDebitPayment
    return row.select(row, DirectDebitRun).join(DirectDebitRun).where(DirectDebitRun.number.is_null(False))
