"""The renewal of annual contracts: each year on the day on which the contract began.

A contract of 29 February is renewed on 28 February in other years. On the renewal day itself the next renewal counts,
because the new year has begun. A contract that begins in the future is treated as on its first day. Nothing here reads
a clock.
"""

from __future__ import annotations

import calendar
from datetime import date


def anniversary(started_on: date, year: int) -> date:
    """The renewal of a contract in `year`: its day of the year, or 28 February for 29 February in a common year."""
    last = calendar.monthrange(year, started_on.month)[1]
    return date(year, started_on.month, min(started_on.day, last))


def is_renewal(started_on: date, day: date) -> bool:
    """Whether a contract is renewed on `day`; it is not on its first day."""
    return day > started_on and anniversary(started_on, day.year) == day


def next_renewal(started_on: date, today: date) -> date:
    """The first renewal after `today` and after `started_on`."""
    counted = max(started_on, today)
    this_year = anniversary(started_on, counted.year)
    return this_year if this_year > counted else anniversary(started_on, counted.year + 1)
