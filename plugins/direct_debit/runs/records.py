"""The tables of the runs: which files of requests there are, which debits stand in each, and what became of them."""

from __future__ import annotations

import secrets

import peewee as pw

from engine.store.base import Record, UtcField

REQUESTED, COLLECTED, FAILED, SETTLED = "requested", "collected", "failed", "settled"
"""States of a payment: asked of the bank, collected, not collected, and not collected but paid in another way."""

_POSITIONS = 1_000_000  # of a run, as many as 合計件数 can count
_MARKS = range(10**13, 10**14)  # more than any run's id


class DirectDebitRun(Record):
    """One file of requests.

    `number` is NULL until the whole file has been written; from then on nothing of the run changes but
    `handed_out_at`. `slot` is "open" until then, and unique: one run is drawn up at a time, by the process whose
    `claim` it has. `mark` is drawn at random, and stands in 顧客番号 of each of its debits; it is NULL in runs from
    before, whose `id` stands there. `header` is the first record as text, `digest` the SHA-256 of the file, `total` in
    yen. `named_in` is the machine and the folder where the file was about to get its name, or has it.

    A run whose file could not be written was given up at `given_up_at`, by an operator and with their reason: it has no
    debits any more.
    """

    id = pw.BigAutoField()
    number = pw.BigIntegerField(null=True, unique=True)
    slot = pw.CharField(8, null=True, unique=True)
    claim = pw.CharField(32)
    mark = pw.BigIntegerField(null=True, unique=True)
    debit_on = pw.DateField()
    header = pw.CharField(120)
    newline = pw.CharField(4)
    count = pw.BigIntegerField(default=0)
    total = pw.BigIntegerField(default=0)
    digest = pw.CharField(64, default="")
    written_at = UtcField(null=True)
    handed_out_at = UtcField(null=True)  # when the file got its name
    named_in = pw.TextField(default="")
    given_up_at = UtcField(null=True)
    given_up_by = pw.CharField(128, default="")
    given_up_why = pw.CharField(1000, default="")


class DirectDebitPayment(Record):
    """One bill that was asked of a bank in a run, at `position` from 1.

    `taken` is the bill while nobody may ask for it again, and NULL once it may; it is unique, so that no bill stands in
    two runs of which both may be collected. `mandate` is the site's number of the mandate, `is_first` whether nothing
    was asked by it before. `amount` is in yen. `code` is 振替結果コード, "" until the result is there; `ends_mandate`
    says that nothing is asked by the mandate any more on account of it.
    """

    id = pw.BigAutoField()
    run_id: int
    run = pw.ForeignKeyField(DirectDebitRun, on_delete="CASCADE")
    position = pw.BigIntegerField()
    bill = pw.CharField(64)
    taken = pw.CharField(64, null=True, unique=True)
    contract = pw.BigIntegerField()
    customer_number = pw.CharField(32)
    mandate = pw.BigIntegerField()
    amount = pw.BigIntegerField()
    is_first = pw.BooleanField()
    state = pw.CharField(16, default=REQUESTED)
    code = pw.CharField(1, default="")
    ends_mandate = pw.BooleanField(default=False)
    told_at = UtcField(null=True)  # when the result was read

    @property
    def customer(self) -> int:
        """顧客番号: what the bank sends back with the result."""
        return int(self.run.mark or self.run_id) * _POSITIONS + int(self.position)

    @property
    def name(self) -> str:
        """How staff name it: the number of its run, and its position there."""
        return f"{self.run.number}-{self.position}"


def new_mark() -> int:
    """A mark of 14 digits, as many as 顧客番号 leaves.

    Numbers of runs are given again after a restore, and what a bank answers to a file of the lost time must not be
    taken for the answer to another one's debit.
    """
    return _MARKS.start + secrets.randbelow(len(_MARKS))


def mark_and_position(customer: int) -> tuple[int, int]:
    """The mark of the run, or the id of one from before, and the position that 顧客番号 names."""
    return divmod(customer, _POSITIONS)
