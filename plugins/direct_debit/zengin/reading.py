"""Reads a file, record by record. A record that cannot be read is a `Problem`, and the next one is read; a file whose
records cannot be told apart is `NotZengin`.

Whether line breaks stand between the records shows behind the first one. Where they do, a record of another length is
a problem of its own line; where they do not, it would move all that come after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from engine.errors import EngineError
from plugins.direct_debit.zengin.layout import RECORD, WrongField
from plugins.direct_debit.zengin.records import Debit, End, Header, Trailer

_LONGEST_LINE = 4096
_END_OF_FILE = b"\x1a"  # which MS-DOS writes behind a text, and some banks still do
_KINDS: dict[bytes, type[Header | Debit | Trailer | End]] = {b"1": Header, b"2": Debit, b"8": Trailer, b"9": End}
# What may come behind what; "" is the beginning of the file.
_AFTER = {"": "1", "1": "28", "2": "28", "8": "19", "9": ""}
_NAMES = {"1": "a header (1)", "2": "a debit (2)", "8": "a trailer (8)", "9": "an end (9)", "": "nothing"}


class NotZengin(EngineError):
    """The file is none of this layout: the message says which record, what is there and what was expected."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one record. `record` counts from 1, the header among them."""

    record: int
    what: str

    def __str__(self) -> str:
        return f"record {self.record}: {self.what}"


@dataclass(frozen=True, slots=True)
class Read:
    """One record and its number, from 1."""

    number: int
    record: Header | Debit | Trailer | End


def read(stream: BinaryIO) -> Iterator[Read | Problem]:
    """The records of a file that is open in binary mode, in their order. Raises NotZengin where the file is none, is
    cut off, or its records stand in an order that says that some are missing."""
    before, number = "", 0
    for number, octets in enumerate(_records(stream), start=1):
        kind = octets[:1].decode("latin-1")
        wrong_length = len(octets) != RECORD
        if number == 1 and (wrong_length or kind != "1"):
            raise NotZengin(f"record 1: expected {_NAMES['1']} of {RECORD} octets, got {_shown(octets)}")
        if kind not in _AFTER or not kind or kind not in _AFTER[before]:
            if wrong_length or (kind not in _NAMES and before in "12"):  # a line between the debits, and nothing more
                yield Problem(number, f"expected {_expected(before)}, got {_shown(octets)}")
                continue
            raise NotZengin(f"record {number}: expected {_expected(before)}, got {_shown(octets)}")
        before = kind
        if wrong_length:
            yield Problem(number, f"expected {RECORD} octets, got {_shown(octets)}")
            continue
        try:
            found = _KINDS[octets[:1]].read(octets)
        except WrongField as wrong:
            if number == 1:
                raise NotZengin(f"record 1: {wrong}") from wrong
            yield Problem(number, str(wrong))
        else:
            yield Read(number, found)
    if before != "9":
        raise NotZengin(f"record {number + 1}: expected {_expected(before)}, got the end of the file: it is cut off")


def _expected(before: str) -> str:
    return " or ".join(_NAMES[kind] for kind in _AFTER[before]) or _NAMES[""]


def _shown(octets: bytes) -> str:
    """The beginning of a record, which is no personal datum, and its length."""
    return f"{octets[:1].decode('latin-1')!r} with {len(octets)} octets"


def _records(stream: BinaryIO) -> Iterator[bytes]:
    """The records without their line breaks."""
    first, behind = stream.read(RECORD), stream.read(1)
    if behind not in (b"\r", b"\n"):
        return _blocks(stream, first, behind)
    if behind == b"\r" and stream.read(1) != b"\n":
        raise NotZengin("record 1: expected CR and LF behind it, or neither; got CR alone")
    return chain((first,), _lines(stream))


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(_LONGEST_LINE):
        record = line.rstrip(b"\r\n")
        if record.strip(_END_OF_FILE):
            yield record


def _blocks(stream: BinaryIO, first: bytes, behind: bytes) -> Iterator[bytes]:
    record, number = first, 1
    while record.strip(_END_OF_FILE + b"\r\n"):
        if len(record) < RECORD or b"\n" in record or b"\r" in record:
            raise NotZengin(f"record {number}: expected {RECORD} octets and no line break, got {_shown(record)}")
        yield record
        record, behind, number = behind + stream.read(RECORD - len(behind)), b"", number + 1
