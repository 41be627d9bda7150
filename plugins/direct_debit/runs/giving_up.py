"""Gives up a run whose file can never be written: what was left of it is gone, and an account in it is not kept any
more, or the directory of banks has changed.

Its debits were asked of nobody, so they are forgotten, and their bills stand in the next run. The run keeps its number,
its totals, and the reason.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from engine.configuration import one_line
from engine.store.base import storable, transaction
from plugins.direct_debit.runs.drawing import RunFault, digest_of, file_name, left_by, place_of
from plugins.direct_debit.runs.records import DirectDebitPayment, DirectDebitRun

_LONGEST_REASON = 1000


def give_up(run: DirectDebitRun, reason: str, by: str, folder: Path, now: datetime, *, is_lost: bool = False) -> None:
    """Give up a numbered run. `by` is the operator as history names them, `now` aware. With `is_lost` they say that the
    file is lost where it was to get its name, and that nobody has it.

    Raises RunFault where its file was written, or may have been: then the banks may have it, and its bills would be
    asked for twice.
    """
    if not one_line(reason):
        raise RunFault("--reason: expected why its file can never be written")
    fault = _fault(run, folder, is_lost=is_lost)
    if fault:
        raise RunFault(f"run {run.number}: {fault}")
    row = DirectDebitRun
    with transaction():
        seen = row.named_in == run.named_in
        open_one = (row.id == run.id) & row.handed_out_at.is_null() & row.given_up_at.is_null() & seen
        why = storable(one_line(reason), _LONGEST_REASON)
        if not row.update(given_up_at=now, given_up_by=by, given_up_why=why).where(open_one).execute():
            raise RunFault(f"run {run.number}: somebody else has just finished it, or given it up")
        DirectDebitPayment.delete().where(DirectDebitPayment.run == run.id).execute()


def _fault(run: DirectDebitRun, folder: Path, *, is_lost: bool) -> str:
    """Why a run cannot be given up; "" where it can."""
    if run.given_up_at is not None:
        return f"it was given up before: {run.given_up_why}"
    if run.handed_out_at is not None:
        return "its file was written, and may be at the banks: it cannot be given up"
    if run.named_in not in ("", place_of(folder)) and not is_lost:
        return (
            f"its file may have its name in {run.named_in}: give the command `run` there, which finishes it. Where "
            "that place is gone, and you know that nobody has the file: --lost"
        )
    file = folder / file_name(run)
    if file.exists() and digest_of(file) == run.digest:
        return f"{file} is there: give the command `run`, which finishes it"
    if left_by(run, folder):
        return f"what an interrupted process left is still in {folder}: give the command `run`, which finishes it"
    return ""
