"""Writes a file of requests, record by record: of a file of any length, one record is in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from plugins.direct_debit.zengin.records import Debit, End, Header, Trailer

MOST = 999_999  # debits, which 合計件数 can count


@dataclass(frozen=True, slots=True)
class Totals:
    """How many debits there are, and how many yen in all."""

    count: int = 0
    total: int = 0

    def plus(self, amount: int) -> Totals:
        """The totals with one debit more."""
        return Totals(self.count + 1, self.total + amount)


class Writer:
    """One file with one group. `newline` stands behind each record; b"" where the collector wants none."""

    def __init__(self, out: BinaryIO, header: Header, newline: bytes = b"") -> None:
        self._out = out
        self._newline = newline
        self.totals = Totals()
        self._record(header.octets())

    def add(self, debit: Debit) -> None:
        """Write a debit. Raises WrongField, and has written nothing, where it does not fit into the layout."""
        self._record(debit.octets())
        self.totals = self.totals.plus(debit.amount)

    def end(self) -> Totals:
        """Write the totals and the end. Raises WrongField where they have more digits than the layout."""
        self._record(Trailer(self.totals.count, self.totals.total).octets())
        self._record(End().octets())
        return self.totals

    def _record(self, octets: bytes) -> None:
        self._out.write(octets + self._newline)
