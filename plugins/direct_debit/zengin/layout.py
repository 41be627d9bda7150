"""The fields of a record, and the letters that stand in them.

A field of digits (N) stands right, with zeros in front; a field of letters (C) stands left, with blanks behind. The
letters are those of JIS X 0201 that banks exchange: katakana in half width without small ones, voicing marks as
characters of their own, capitals, digits, and a few signs. One letter is one octet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RECORD = 120  # octets
Kind = Literal["N", "C"]

_KANA = {0xA1 + at: 0xFF61 + at for at in range(63)}  # octets from ｡ to ﾟ
_OCTETS = {kana: octet for octet, kana in _KANA.items()}
_WRITTEN = re.compile(r"[ｱ-ﾝﾞﾟA-Z0-9().\-/｢｣ ]*")
_READ = re.compile("[ -~｡-ﾟ]*")  # a bank may send more than it takes


class WrongField(Exception):
    """A value that a field cannot hold: `field` is its name, `expected` what it holds."""

    def __init__(self, field: str, value: str, expected: str) -> None:
        self.field, self.value, self.expected = field, value, expected
        super().__init__(f"{field} = {value!r}: expected {expected}")


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `name` is the attribute of the record that it holds, `title` what the layout calls it; `size` counts
    octets. A field with `fixed` always holds that. A `personal` value is not quoted in an error."""

    name: str
    title: str
    kind: Kind
    size: int
    fixed: str | None = None
    personal: bool = False

    def octets(self, value: str | int) -> bytes:
        """The value as it stands in the file. Raises WrongField where it does not fit."""
        text = str(value)
        if self.kind == "N":
            if not re.fullmatch(f"[0-9]{{1,{self.size}}}", text):
                raise self._wrong(text, f"{self.size} digits at most")
            return text.zfill(self.size).encode("ascii")
        if not _WRITTEN.fullmatch(text):
            raise self._wrong(text, "katakana in half width, capitals, digits and ().-/｢｣ alone")
        if len(text) > self.size:
            raise self._wrong(text, f"{self.size} characters at most")
        return text.ljust(self.size).translate(_OCTETS).encode("latin-1")

    def value(self, octets: bytes) -> str:
        """What stands in the file, without the blanks behind it. Raises WrongField where it cannot stand there."""
        text = octets.decode("latin-1").translate(_KANA)
        if not _READ.fullmatch(text):
            raise self._wrong(text, "octets of JIS X 0201")
        if self.kind == "N":
            # Banks leave what does not concern them blank, a result code among it.
            if not re.fullmatch("[0-9]*", text.strip(" ")):
                raise self._wrong(text, f"{self.size} digits")
            text = text.strip(" ")
        text = text.rstrip(" ")
        if self.fixed is not None and text != self.fixed.rstrip(" "):
            raise self._wrong(text, f'"{self.fixed}"')
        return text

    def _wrong(self, text: str, expected: str) -> WrongField:
        return WrongField(self.title, "…" if self.personal else text, expected)


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of one kind of record, in their order. Raises ValueError where they are not 120 octets."""

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        octets = sum(field.size for field in self.fields)
        if octets != RECORD:
            raise ValueError(f"expected fields of {RECORD} octets, got {octets}")

    def octets(self, values: Mapping[str, str | int]) -> bytes:
        """The record of these values. Raises WrongField."""
        return b"".join(
            field.octets(field.fixed if field.fixed is not None else values[field.name]) for field in self.fields
        )

    def values(self, record: bytes) -> dict[str, str]:
        """The values of a record of 120 octets, without those that are fixed. Raises WrongField."""
        found, at = {}, 0
        for field in self.fields:
            value = field.value(record[at : at + field.size])
            at += field.size
            if field.fixed is None:
                found[field.name] = value
        return found


def _n(name: str, title: str, size: int, *, personal: bool = False) -> Field:
    return Field(name, title, "N", size, personal=personal)


def _c(name: str, title: str, size: int, *, personal: bool = False) -> Field:
    return Field(name, title, "C", size, personal=personal)


def _mark(title: str, digits: str) -> Field:
    return Field("", title, "N", len(digits), digits)


def _unused(size: int) -> Field:
    """ダミー: written as blanks; what a bank has put there is its own."""
    return Field("unused", "ダミー", "C", size)


HEADER = Layout(
    (
        _mark("データ区分", "1"),
        _mark("種別コード", "91"),
        _mark("コード区分", "0"),
        _n("code", "委託者コード", 10),
        _c("name", "委託者名", 40),
        _n("day", "引落日", 4),
        _n("bank", "取引銀行番号", 4),
        _c("bank_name", "取引銀行名", 15),
        _n("branch", "取引支店番号", 3),
        _c("branch_name", "取引支店名", 15),
        _n("kind", "預金種目", 1),
        _n("number", "口座番号", 7),
        _unused(17),
    )
)
DATA = Layout(
    (
        _mark("データ区分", "2"),
        _n("bank", "引落銀行番号", 4),
        _c("bank_name", "引落銀行名", 15),
        _n("branch", "引落支店番号", 3),
        _c("branch_name", "引落支店名", 15),
        _unused(4),
        _n("kind", "預金種目", 1),
        _n("number", "口座番号", 7, personal=True),
        _c("holder", "預金者名", 30, personal=True),
        _n("amount", "引落金額", 10),
        _n("new", "新規コード", 1),
        _n("customer", "顧客番号（全銀）", 20),
        _n("result", "振替結果コード", 1),
        _unused(8),
    )
)
TRAILER = Layout(
    (
        _mark("データ区分", "8"),
        _n("count", "合計件数", 6),
        _n("total", "合計金額", 12),
        _n("collected_count", "振替済件数", 6),
        _n("collected", "振替済金額", 12),
        _n("failed_count", "振替不能件数", 6),
        _n("failed", "振替不能金額", 12),
        _unused(65),
    )
)
END = Layout((_mark("データ区分", "9"), _unused(119)))
