"""Reads the file of results: what became of each debit.

The file is read twice. First to its end, without writing anything: its records must stand in the right order, and its
totals must be those of its rows, to the yen. Then row by row, some hundred in a commit. A row that is read again
changes nothing, so a process that was killed begins at the top. A row that cannot be believed stops itself alone: the
debit stays as it is, and is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from engine.errors import EngineError
from engine.store.base import transaction
from plugins.direct_debit.runs.codes import CODES, COLLECTED_CODE
from plugins.direct_debit.runs.records import (
    COLLECTED,
    FAILED,
    REQUESTED,
    DirectDebitPayment,
    DirectDebitRun,
    mark_and_position,
)
from plugins.direct_debit.zengin import Debit, Header, Problem, Read, Totals, Trailer, read

_STEP = 500  # rows of a commit
MOST_NAMED = 200


class WrongTotals(EngineError):
    """The totals of a file are not those of its rows: nothing of it was read in."""


@dataclass(slots=True)
class Report:
    """What was read: how many debits and yen by code, how many were known before, and what is wrong.

    `problems` and `for_staff` are at most `MOST_NAMED` of `problem_count` and of the payments that staff must look at.
    """

    by_code: dict[str, Totals] = field(default_factory=dict)
    known: int = 0
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    for_staff: list[DirectDebitPayment] = field(default_factory=list)

    def wrong(self, record: int, what: str) -> None:
        """Name what is wrong with a record."""
        self.problem_count += 1
        if len(self.problems) < MOST_NAMED:
            self.problems.append(Problem(record, what))

    def taken_in(self, payment: DirectDebitPayment, code: str) -> None:
        """Count a payment whose result was read."""
        self.by_code[code] = self.by_code.get(code, Totals()).plus(payment.amount)
        meant = CODES[code]
        if code != COLLECTED_CODE and not meant.asked_again and len(self.for_staff) < MOST_NAMED:
            self.for_staff.append(payment)


@dataclass(frozen=True, slots=True)
class _Row:
    """A debit of the file, with the header that it stands under."""

    number: int
    header: Header
    debit: Debit


Tell = Callable[[Iterable[DirectDebitPayment]], None]
"""Takes the payments whose results were read, in the transaction that keeps them."""


def tell_nobody(payments: Iterable[DirectDebitPayment]) -> None:
    """Where the runs are kept alone."""


def take_in(file: Path, now: datetime, tell: Tell = tell_nobody) -> Report:
    """Read the results in `file` at `now` (aware). Raises NotZengin and WrongTotals, where nothing was read in, and
    OSError."""
    with file.open("rb") as stream:
        check_totals(read(stream))
    report = Report()
    with file.open("rb") as stream:
        step: list[_Row] = []
        for row in _rows(read(stream), report):
            step.append(row)
            if len(step) == _STEP:
                _take_in(step, report, now, tell)
                step = []
        _take_in(step, report, now, tell)
    return report


def check_totals(records: Iterator[Read | Problem]) -> None:
    """Read a file to its end. Raises WrongTotals where a trailer does not say what the rows before it say, or cannot be
    read. Of rows some of which cannot be read either, it must say no less than the others do."""
    counted, unreadable, last = Counter[str](), 0, 0
    is_open = False
    for found in records:
        last = found.record if isinstance(found, Problem) else found.number
        if isinstance(found, Problem):
            unreadable += 1
        elif isinstance(found.record, Header):
            _closed(is_open, last)
            counted, unreadable, is_open = Counter(), 0, True
        elif isinstance(found.record, Debit):
            collected = found.record.result == COLLECTED_CODE
            counted.update(count=1, total=found.record.amount)
            kind = "collected" if collected else "failed"
            counted.update({f"{kind}_count": 1, kind: found.record.amount})
        elif isinstance(found.record, Trailer):
            _compare(found.number, found.record, counted, is_whole=not unreadable)
            is_open = False
    _closed(is_open, last)


def _closed(is_open: bool, record: int) -> None:
    if is_open:
        raise WrongTotals(f"record {record}: the totals of the rows before it cannot be read")


_TITLES = {
    "count": "合計件数",
    "total": "合計金額",
    "collected_count": "振替済件数",
    "collected": "振替済金額",
    "failed_count": "振替不能件数",
    "failed": "振替不能金額",
}


def _compare(number: int, trailer: Trailer, counted: Counter[str], is_whole: bool) -> None:
    if counted["count"] and not trailer.collected_count and not trailer.failed_count:
        raise WrongTotals(
            f"record {number}: 振替済件数 and 振替不能件数 are 0: this is a file of requests, and no result of one"
        )
    for name, title in _TITLES.items():
        said = getattr(trailer, name)
        if said != counted[name] if is_whole else said < counted[name]:
            raise WrongTotals(f"record {number}: {title} = {said}: the rows before it make {counted[name]}")


def _rows(records: Iterator[Read | Problem], report: Report) -> Iterator[_Row]:
    header: Header | None = None
    for found in records:
        if isinstance(found, Problem):
            report.wrong(found.record, found.what)
        elif isinstance(found.record, Header):
            header = found.record
        elif isinstance(found.record, Debit) and header is not None:
            yield _Row(found.number, header, found.record)


def _take_in(rows: Sequence[_Row], report: Report, now: datetime, tell: Tell) -> None:
    """Take in some rows, in one commit."""
    if not rows:
        return
    done: list[tuple[DirectDebitPayment, str]] = []
    with transaction():
        payments = _payments(rows)
        for row in rows:
            payment = payments.get(row.debit.customer.zfill(20))
            fault = _fault(row, payment)
            if fault or payment is None:
                report.wrong(row.number, fault)
            elif payment.state != REQUESTED:
                report.known += 1
            elif _write(payment, row.debit.result, now):
                done.append((payment, row.debit.result))
            else:  # another process has just read something of it
                again = DirectDebitPayment.get_by_id(payment.id)
                if again.code == row.debit.result:
                    report.known += 1
                else:
                    report.wrong(row.number, f"振替結果コード = {row.debit.result!r}: it was {again.code!r} just now")
        tell(payment for payment, _code in done)
    for payment, code in done:
        report.taken_in(payment, code)


def _payments(rows: Sequence[_Row]) -> dict[str, DirectDebitPayment]:
    """The payments of these rows, by 顧客番号."""
    positions: dict[int, list[int]] = {}
    for row in rows:
        mark, position = mark_and_position(int(row.debit.customer or "0"))
        positions.setdefault(mark, []).append(position)
    found: dict[str, DirectDebitPayment] = {}
    for mark, ones in positions.items():
        from_before = DirectDebitRun.mark.is_null() & (DirectDebitRun.id == mark)
        payments = (
            DirectDebitPayment.select(DirectDebitPayment, DirectDebitRun)
            .join(DirectDebitRun)
            .where((DirectDebitRun.mark == mark) | from_before, DirectDebitRun.number.is_null(False))
            .where(DirectDebitPayment.position.in_(ones))
        )
        found.update((f"{payment.customer:020d}", payment) for payment in payments)
    return found


def _fault(row: _Row, payment: DirectDebitPayment | None) -> str:
    """Why a row cannot be believed; "" where it can."""
    debit = row.debit
    if payment is None:
        return f"顧客番号（全銀） = {debit.customer!r}: no run has asked for it"
    code = Header.read(payment.run.header.encode("latin-1")).code
    if row.header.code.zfill(10) != code.zfill(10):
        return f"委託者コード = {row.header.code!r} in the header: run {payment.run.number} was made under {code!r}"
    if debit.amount != payment.amount:
        return f"引落金額 = {debit.amount}: run {payment.run.number} asked for {payment.amount}"
    if debit.result not in CODES:
        return f"振替結果コード = {debit.result!r}: expected {', '.join(CODES)}"
    if payment.state != REQUESTED and debit.result != payment.code:
        return f"振替結果コード = {debit.result!r}: it was {payment.code!r} when it was read before"
    return ""


def _write(payment: DirectDebitPayment, code: str, now: datetime) -> bool:
    """Keep what a code says of a payment; False where somebody else has kept something since it was read."""
    meant = CODES[code]
    payment.state = COLLECTED if code == COLLECTED_CODE else FAILED
    payment.code, payment.told_at, payment.ends_mandate = code, now, meant.ends_mandate
    written = DirectDebitPayment.update(
        state=payment.state,
        code=code,
        told_at=now,
        ends_mandate=meant.ends_mandate,
        taken=None if meant.asked_again or _is_in_another_run(payment) else payment.bill,
    ).where(DirectDebitPayment.id == payment.id, DirectDebitPayment.state == REQUESTED)
    return bool(written.execute())


def _is_in_another_run(payment: DirectDebitPayment) -> bool:
    """Whether the bill of a payment stands in another run by now, because nothing was told of this one for long."""
    row = DirectDebitPayment
    return payment.taken is None and row.select().where(row.taken == payment.bill).exists()
