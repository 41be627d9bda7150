"""The collector: how the settings say whom the banks pay, on which day, and what file they want."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import jaconv

from engine.errors import ConfigurationError
from plugins.direct_debit.bank_days import Moved
from plugins.direct_debit.readings import bank_name, branch_name
from plugins.direct_debit.zengin import Header, WrongField

Newlines = Literal["none", "crlf", "lf"]
NEWLINES: Mapping[str, bytes] = {"none": b"", "crlf": b"\r\n", "lf": b"\n"}
KINDS: Mapping[str, str] = {"ordinary": "1", "current": "2"}


@dataclass(frozen=True, slots=True)
class Collector:
    """Who collects. `code` is 委託者コード, `name` 委託者名 as it was typed; the money goes to account `number` of
    `kind` at `branch` of `bank`. `day` is the day of a month that is debited, moved off bank holidays as `moved` says.
    """

    code: str
    name: str
    bank: str
    branch: str
    kind: str
    number: str
    day: int
    moved: Moved
    newline: bytes

    def header(self, day: date) -> Header:
        """The header of a file for the debit of `day`."""
        name = str(jaconv.z2h(self.name, kana=True, digit=True, ascii=True)).upper()
        return Header(
            self.code,
            name,
            day.month,
            day.day,
            self.bank,
            bank_name(self.bank),
            self.branch,
            branch_name(self.bank, self.branch),
            KINDS[self.kind],
            self.number,
        )

    def check(self) -> None:
        """Raise ConfigurationError where no header can be made of the settings."""
        keys = {"code": "collector_code", "name": "collector_kana", "bank": "collector_bank"}
        missing = [key for name, key in keys.items() if not getattr(self, name)]
        if missing:
            raise ConfigurationError(f"{missing[0]}: expected, because files of requests name the collector")
        try:
            self.header(date(2000, 1, 1)).octets()
        except WrongField as wrong:
            raise ConfigurationError(f"collector_…: {wrong}") from wrong
