"""What the records of a file mean. Amounts are whole yen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date

from plugins.direct_debit.zengin.layout import DATA, END, HEADER, TRAILER, WrongField

_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Header:
    """Who debits, on which day, and the account that the money goes to.

    `code` is 委託者コード, which the bank or the collecting agency gave; `name` is in half width. The file has no year.
    """

    code: str
    name: str
    month: int
    day: int
    bank: str
    bank_name: str
    branch: str
    branch_name: str
    kind: str
    number: str

    @classmethod
    def read(cls, record: bytes) -> Header:
        """The header of 120 octets. Raises WrongField."""
        values = HEADER.values(record)
        month_and_day = values.pop("day").zfill(4)
        month, day = int(month_and_day[:2]), int(month_and_day[2:])
        try:
            date(2000, month, day)  # a leap year
        except ValueError as error:
            raise WrongField("引落日", month_and_day, "month and day, as in 1227") from error
        return cls(month=month, day=day, **_known(values))

    def octets(self) -> bytes:
        """The record. Raises WrongField."""
        values = asdict(self)
        values["day"] = f"{values.pop('month'):02d}{values['day']:02d}"
        return HEADER.octets({**values, "unused": ""})


@dataclass(frozen=True, slots=True)
class Debit:
    """One account that is debited, and `result`, the digit that the bank has put behind it ("0" in a request).

    `kind` is 預金種目: 1 ordinary, 2 current. `new` is 新規コード: 1 where the mandate is debited for the first time,
    0 otherwise. `customer` is 顧客番号, the collector's own number, which comes back with the result.
    """

    bank: str
    bank_name: str
    branch: str
    branch_name: str
    kind: str
    number: str = field(repr=False)
    holder: str = field(repr=False)
    amount: int = 0
    new: str = "0"
    customer: str = "0"
    result: str = "0"

    @classmethod
    def read(cls, record: bytes) -> Debit:
        """The debit of 120 octets. Raises WrongField. `result` is empty where the bank has left it blank."""
        values = _known(DATA.values(record))
        return cls(amount=_number(values.pop("amount")), **values)

    def octets(self) -> bytes:
        """The record. Raises WrongField, also where there is nothing to debit."""
        if self.amount < 1:
            raise WrongField("引落金額", str(self.amount), "1 yen at least")
        return DATA.octets({**asdict(self), "unused": ""})


@dataclass(frozen=True, slots=True)
class Trailer:
    """The totals of a group: of all debits, and in a result of those that were collected and of those that failed."""

    count: int
    total: int
    collected_count: int = 0
    collected: int = 0
    failed_count: int = 0
    failed: int = 0

    @classmethod
    def read(cls, record: bytes) -> Trailer:
        """The trailer of 120 octets. Raises WrongField."""
        return cls(**{name: _number(value) for name, value in _known(TRAILER.values(record)).items()})

    def octets(self) -> bytes:
        """The record. Raises WrongField where a total has more digits than the layout."""
        return TRAILER.octets({**asdict(self), "unused": ""})


@dataclass(frozen=True, slots=True)
class End:
    """The end of a file."""

    @classmethod
    def read(cls, record: bytes) -> End:
        """The end of 120 octets. Raises WrongField."""
        END.values(record)
        return cls()

    def octets(self) -> bytes:
        """The record."""
        return END.octets({"unused": ""})


def _known(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name != "unused"}


def _number(digits: str) -> int:
    return int(digits or "0")
