"""Draws up a run: the file of requests for the bills that are due, with a number, and never twice.

The rows are written in steps while the file grows under a name that nobody takes for a file of requests. One commit
then gives the run its number, its totals and the digest of its file; behind it the file gets its name, and a name that
is taken is not taken again. A process that is killed before the commit leaves an open run, which the next one begins
anew; after it, a run whose file has no name yet: the next one gives it its name, or writes the same octets again, or
none.

A bill stands in one run until the bank has said that it could not be collected: the unique column `taken` holds that.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from socket import gethostname
from typing import Any, BinaryIO, TypeVar, cast
from uuid import uuid4

from peewee import fn

from engine.definition import Secret
from engine.errors import EngineError
from engine.store.base import transaction
from plugins.direct_debit.document import Account, YuchoAccount
from plugins.direct_debit.readings import account_of, debit_of
from plugins.direct_debit.runs.records import COLLECTED, SETTLED, DirectDebitPayment, DirectDebitRun, new_mark
from plugins.direct_debit.zengin import Header, Totals, Writer, WrongField
from workflows.ports.payments import DueBill

_OPEN = "open"
_STEP = 500  # rows of a commit
_PRIVATE = 0o600
_LONGEST_CUSTOMER = 10**20 - 1  # as many digits as 顧客番号 has

_T = TypeVar("_T")


class RunFault(EngineError):
    """A run cannot be drawn up, or its file not be written again: the message says which and why."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A bill that is due and not asked for, and why."""

    bill: str
    customer_number: str
    why: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A run as it was drawn up; None, and no file, where nothing was to be asked for. `left_out` are at most as many as
    fit on a screen, of `left_out_count`."""

    run: DirectDebitRun | None
    file: Path | None
    left_out: tuple[LeftOut, ...] = ()
    left_out_count: int = 0


@dataclass(slots=True)
class _Draft:
    """What is under way."""

    run: DirectDebitRun
    claim: str
    position: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_count: int = 0

    def leave_out(self, due: DueBill, why: str) -> None:
        self.left_out_count += 1
        if len(self.left_out) < MOST_LEFT_OUT:
            self.left_out.append(LeftOut(due.bill.number, due.customer_number, why))


MOST_LEFT_OUT = 50


class _Hashing:
    """A file that is only written to, with the digest of its octets."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._digest = hashlib.sha256()

    def write(self, octets: bytes) -> int:
        self._digest.update(octets)
        return self._out.write(octets)

    def digest(self) -> str:
        return self._digest.hexdigest()


Secrets = Callable[[Sequence[int]], Mapping[int, Secret]]
"""What is kept for mandates that are still in use, by their ids."""


Claim = Callable[[Sequence[str]], Mapping[str, str]]
"""Lets the payments of some bills be under way; those that are not to be asked for, each with the reason."""


def claim_all(bills: Sequence[str]) -> Mapping[str, str]:
    """Where no payments are kept, but the runs alone."""
    return {}


def draw(
    due: Iterable[DueBill],
    header: Header,
    debit_on: date,
    newline: bytes,
    folder: Path,
    now: datetime,
    claim: Claim = claim_all,
) -> Drawn:
    """Draw up the run of `debit_on` and write its file into `folder`.

    `claim` is asked before a bill gets into the file: one that is left there by a process that is killed stands in the
    next run. `now` is aware. Raises RunFault where another process draws one up, WrongField for a header that does not
    fit.
    """
    _make(folder)
    draft = _begin(header, debit_on, newline)
    _clear(draft.run, folder)
    part = folder / f".run-{draft.run.id}-{draft.claim}.part"
    try:
        with _new_file(part) as out:
            hashing = _Hashing(out)
            writer = Writer(cast(BinaryIO, hashing), header, newline)
            for step in _steps(due):
                _add(draft, writer, step, claim)
            totals = writer.end()
            _to_disk(out)
        _folder_to_disk(folder)
        if not totals.count:
            with transaction():
                DirectDebitRun.delete().where(_ours(draft)).execute()
            return Drawn(None, None, tuple(draft.left_out), draft.left_out_count)
        _number(draft, totals, hashing.digest(), now)
        file = _name(draft.run, part, folder, now)
    finally:
        part.unlink(missing_ok=True)
    return Drawn(draft.run, file, tuple(draft.left_out), draft.left_out_count)


def interrupted() -> DirectDebitRun | None:
    """The run that has a number and whose file has not got its name: a process was killed in between."""
    found: DirectDebitRun | None = DirectDebitRun.get_or_none(
        DirectDebitRun.number.is_null(False),
        DirectDebitRun.handed_out_at.is_null(),
        DirectDebitRun.given_up_at.is_null(),
    )
    return found


def numbered(number: int) -> DirectDebitRun:
    """The run of a number. Raises RunFault where there is none."""
    found: DirectDebitRun | None = DirectDebitRun.get_or_none(DirectDebitRun.number == number)
    if found is None:
        raise RunFault(f"run {number}: there is no such run")
    return found


def write_again(run: DirectDebitRun, secrets: Secrets, folder: Path, now: datetime) -> Path:
    """Write the file of a numbered run once more into `folder`: the same octets, which the digest holds.

    What a killed process has left there whole gets the name: it needs no account that may be forgotten since. Raises
    RunFault where a mandate in it is no longer in use, so that its account is forgotten, and where another file
    has the name.
    """
    if run.given_up_at is not None:
        raise RunFault(f"run {run.number}: it was given up: {run.given_up_why}")
    _make(folder)
    whole = next((left for left in left_by(run, folder) if digest_of(left) == run.digest), None)
    if whole is not None:
        file = _name(run, whole, folder, now)
        _clear(run, folder)
        return file
    _clear(run, folder)
    part = folder / f".run-{run.id}-{uuid4().hex}.part"
    try:
        with _new_file(part) as out:
            hashing = _Hashing(out)
            header = Header.read(_octets(run.header))
            writer = Writer(cast(BinaryIO, hashing), header, run.newline.encode())
            for payments in _payments(run):
                kept = secrets([payment.mandate for payment in payments])
                for payment in payments:
                    payment.run = run  # read once, and not for each
                    account = account_of(kept.get(payment.mandate, Secret("")))
                    if account is None:
                        raise RunFault(
                            f"run {run.number}: its file cannot be written again, because the account of customer "
                            f"{payment.customer_number}, record {payment.position + 1}, is not kept any more"
                        )
                    is_first = bool(payment.is_first)
                    writer.add(debit_of(account, payment.amount, payment.customer, is_first=is_first))
            writer.end()
            _to_disk(out)
        if hashing.digest() != run.digest:
            raise RunFault(
                f"run {run.number}: its file cannot be written again as it was, because the directory of banks or an "
                f"account has changed since; expected the digest {run.digest}, got {hashing.digest()}"
            )
        return _name(run, part, folder, now)
    finally:
        part.unlink(missing_ok=True)


def file_name(run: DirectDebitRun) -> str:
    """The name of a run's file, as in direct-debit-000012-20261228.txt."""
    return f"direct-debit-{run.number:06d}-{run.debit_on:%Y%m%d}.txt"


def _begin(header: Header, debit_on: date, newline: bytes) -> _Draft:
    """Claim the open run, or begin one, and forget what a process before has put into it. Whoever drew it up until now
    fails at its next step."""
    claim = uuid4().hex
    values = {
        "claim": claim,
        "mark": new_mark(),
        "debit_on": debit_on,
        "header": header.octets().decode("latin-1"),
        "newline": newline.decode(),
    }
    with transaction():
        if not DirectDebitRun.update(**values).where(DirectDebitRun.slot == _OPEN).execute():
            DirectDebitRun.insert(slot=_OPEN, **values).on_conflict_ignore().execute()
        run = DirectDebitRun.get_or_none(DirectDebitRun.slot == _OPEN, DirectDebitRun.claim == claim)
    if run is None:
        raise RunFault("a run is being drawn up by another process; begin again when it is done")
    draft = _Draft(run, claim)
    while _forget_some(draft):
        pass
    return draft


def _forget_some(draft: _Draft) -> int:
    some = DirectDebitPayment.select(DirectDebitPayment.id).where(DirectDebitPayment.run == draft.run).limit(_STEP)
    with transaction():
        _hold(draft)
        return int(DirectDebitPayment.delete().where(DirectDebitPayment.id.in_([row.id for row in some])).execute())


def _ours(draft: _Draft) -> Any:
    return (DirectDebitRun.id == draft.run.id) & (DirectDebitRun.slot == _OPEN) & (DirectDebitRun.claim == draft.claim)


def _hold(draft: _Draft) -> None:
    """Lock the run until this transaction ends. Raises RunFault where another process has claimed it."""
    if not DirectDebitRun.update(claim=draft.claim).where(_ours(draft)).execute():
        raise RunFault("another process has taken over the run that was being drawn up here; nothing of it was kept")


def _add(draft: _Draft, writer: Writer, step: Sequence[DueBill], claim: Claim) -> None:
    """Add what may be asked for to the run and to its file: all rows of a step in one commit."""
    with transaction():
        _hold(draft)
        askable = list(_askable(draft, step))
    writable = [(due, is_first, account) for due, is_first in askable if (account := _account(draft, due)) is not None]
    refused = claim([due.bill.number for due, _is_first, _account in writable])
    with transaction():
        _hold(draft)
        rows = []
        taken = _taken([due.bill.number for due, _is_first, _account in writable])  # as what was settled since
        for due, is_first, account in writable:
            if due.bill.number in taken:
                continue
            if why := refused.get(due.bill.number):
                draft.leave_out(due, why)
                continue
            payment = _payment(draft, due, is_first=is_first)
            writer.add(debit_of(account, payment.amount, payment.customer, is_first=is_first))
            draft.position += 1
            rows.append(payment.__data__)
        if rows:
            DirectDebitPayment.insert_many(rows).execute()


def _account(draft: _Draft, due: DueBill) -> Account | YuchoAccount | None:
    """The account of a bill, None where none can be written: then nobody may wait for it."""
    account = account_of(due.data)
    if account is None:
        draft.leave_out(due, "no account is kept that can be read")
        return None
    try:
        debit_of(account, due.bill.total, _LONGEST_CUSTOMER, is_first=True).octets()
    except WrongField as wrong:
        draft.leave_out(due, str(wrong))
        return None
    return account


def _payment(draft: _Draft, due: DueBill, *, is_first: bool) -> DirectDebitPayment:
    return DirectDebitPayment(
        run=draft.run,
        position=draft.position + 1,
        bill=due.bill.number,
        taken=due.bill.number,
        contract=due.bill.contract,
        customer_number=due.customer_number,
        mandate=due.mandate.id,
        amount=due.bill.total,
        is_first=is_first,
    )


def _askable(draft: _Draft, step: Sequence[DueBill]) -> Iterator[tuple[DueBill, bool]]:
    """The bills of a step that no run has, by mandates that work, and whether each mandate is asked for the first
    time. What was collected or is under way is passed over without a word."""
    row = DirectDebitPayment
    bills = [due.bill.number for due in step]
    taken = _taken(bills)
    mandates = [due.mandate.id for due in step]
    known = row.select(row.mandate).where(row.mandate.in_(mandates)).distinct()
    used = {found.mandate for found in known}
    ended = {
        found.mandate: found.code
        for found in row.select(row.mandate, row.code).where(row.mandate.in_(mandates), row.ends_mandate)
    }
    for due in step:
        if due.bill.number in taken:
            continue
        if due.mandate.id in ended:
            draft.leave_out(due, f"the mandate does not work: its bank answered {ended[due.mandate.id]}")
            continue
        yield due, due.mandate.id not in used
        taken.add(due.bill.number)
        used.add(due.mandate.id)


def _taken(bills: Sequence[str]) -> set[str]:
    """Those of these bills that stand in a run, or that one has collected, whatever became of them in others."""
    row = DirectDebitPayment
    is_over = row.bill.in_(bills) & row.state.in_((COLLECTED, SETTLED))
    return {found.bill for found in row.select(row.bill).where(row.taken.in_(bills) | is_over)}


def _number(draft: _Draft, totals: Totals, digest: str, now: datetime) -> None:
    """Give the run its number: the one commit from which on its bills are asked for."""
    with transaction():
        _hold(draft)
        number = (DirectDebitRun.select(fn.MAX(DirectDebitRun.number)).scalar() or 0) + 1
        DirectDebitRun.update(
            number=number, slot=None, count=totals.count, total=totals.total, digest=digest, written_at=now
        ).where(_ours(draft)).execute()
    draft.run = DirectDebitRun.get_by_id(draft.run.id)


def _name(run: DirectDebitRun, part: Path, folder: Path, now: datetime) -> Path:
    """Give the file its name. Raises RunFault where another file has it, because nothing is ever written over, and
    where the run was given up."""
    file = folder / file_name(run)
    _say_where(run, folder)
    try:
        os.link(part, file)
    except FileExistsError as error:
        if digest_of(file) != run.digest:
            raise RunFault(
                f"{file}: expected the file of run {run.number} or none; this is another one, as of a run from before "
                "a restore. Nothing is written over: name another folder with --into"
            ) from error
    _folder_to_disk(folder)
    with transaction():
        DirectDebitRun.update(handed_out_at=now).where(
            DirectDebitRun.id == run.id, DirectDebitRun.handed_out_at.is_null()
        ).execute()
    return file


def _say_where(run: DirectDebitRun, folder: Path) -> None:
    """Write down where the file of a run gets its name, so that nobody gives the run up from then on who does not look
    there. Raises RunFault where it may have its name elsewhere, or was given up."""
    row, place = DirectDebitRun, place_of(folder)
    free = row.handed_out_at.is_null(False) | row.named_in.in_(("", place))
    with transaction():
        held = (row.id == run.id) & row.given_up_at.is_null() & free
        if row.update(named_in=place).where(held).execute():
            return
    now = row.get_by_id(run.id)
    if now.given_up_at is not None:
        raise RunFault(f"run {run.number}: it has just been given up; its file was not written")
    raise RunFault(
        f"run {run.number}: its file may have its name in {now.named_in}: give the command there, with the same --into"
    )


def _payments(run: DirectDebitRun) -> Iterator[list[DirectDebitPayment]]:
    last = 0
    rows = DirectDebitPayment.select().where(DirectDebitPayment.run == run).order_by(DirectDebitPayment.position)
    while found := list(rows.where(DirectDebitPayment.position > last).limit(_STEP)):
        yield found
        last = found[-1].position


def _steps(given: Iterable[_T]) -> Iterator[list[_T]]:
    remaining = iter(given)
    while step := list(islice(remaining, _STEP)):
        yield step


def _make(folder: Path) -> None:
    """Make the folder of the files, where its own folder is there: a mistyped path makes none. Raises RunFault."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RunFault(f"{folder}: expected a folder that can be written: {error.strerror}") from error


def _octets(header: str) -> bytes:
    return header.encode("latin-1")


def _new_file(path: Path) -> BinaryIO:
    """A new file that its owner alone can read: it holds accounts."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb")


def _to_disk(out: BinaryIO) -> None:
    out.flush()
    os.fsync(out.fileno())


def _folder_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def place_of(folder: Path) -> str:
    """A folder, with the machine on which it is."""
    return f"{gethostname()}:{folder.resolve()}"


def digest_of(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def left_by(run: DirectDebitRun, folder: Path) -> list[Path]:
    """What interrupted processes have left of the file of a run in `folder`."""
    return list(folder.glob(f".run-{run.id}-*.part"))


def _clear(run: DirectDebitRun, folder: Path) -> None:
    """Delete what a killed process has left of this run: accounts that nobody needs there."""
    for left in left_by(run, folder):
        with suppress(FileNotFoundError):
            left.unlink()
