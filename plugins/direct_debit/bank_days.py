"""The days on which banks are open: Monday to Friday, without national holidays and 31 December to 3 January.

A debit that falls on another day is made on the next day on which they are, or on the one before: as the collector
says (銀行法施行令 §5). The company's own holidays do not count.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import Literal

from engine.business_time import BusinessCalendar

Moved = Literal["later", "earlier"]

_BANKS = BusinessCalendar()


def is_open(day: date) -> bool:
    """Whether banks are open on `day`."""
    return _BANKS.is_working_day(day)


def debit_day(year: int, month: int, day: int, moved: Moved) -> date:
    """The day on which accounts are debited for the `day` of a month, moved off the days on which banks are closed.

    Later than the last one of a month there is the last. A debit may move into the next month, or the one before.
    """
    found = date(year, month, min(day, monthrange(year, month)[1]))
    step = timedelta(days=1 if moved == "later" else -1)
    while not is_open(found):
        found += step
    return found


def next_debit_day(today: date, day: int, moved: Moved) -> date:
    """The first debit day after `today`: no file reaches a bank on the day itself."""
    year, month = today.year, today.month
    if moved == "later":  # the one of last month may lie in this one
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    while (found := debit_day(year, month, day, moved)) <= today:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found
