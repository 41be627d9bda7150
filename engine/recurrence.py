"""When something recurs: cron expressions, and times of day on all days or on working days, in one place's time zone.

A recurrence is data and has a text (`str`), from which `recurrence_of` makes it again. It is asked for one time after
another: `after(moment, calendar)` is the first of its times that is later than `moment`. So a rule of `Timer.at` may
answer it, and what was missed can be counted (docs/time.md).

Cron expressions have the five fields of crontab(5): minute, hour, day of the month, month, day of the week, with lists,
ranges, steps and English names; 0 and 7 are Sunday, and `last` is the last day of a month. APScheduler reckons with
them. Two things differ from other crons on purpose. An expression that restricts both kinds of days is refused, because
crons disagree on whether both must hold. And where clocks are set back, an hour that comes twice counts once, unless
the expression asks for every hour: a nightly work is done once in that night. A time that a clock skips is due an hour
later, by which it is the same moment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from engine.business_time import BusinessCalendar
from engine.errors import ConfigurationError

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = ("minute", "hour", "day", "month", "day_of_week")
_TICK = timedelta(microseconds=1)
_LONGEST_WAIT = timedelta(days=8 * 366)  # in which every date comes, also where a century has no leap day
_SINCE = datetime(2024, 1, 1, tzinfo=UTC)
_LONGEST = 200


class Recurrence(Protocol):
    """Something that recurs. Its `str` is what `recurrence_of` reads."""

    def after(self, moment: datetime, calendar: BusinessCalendar) -> datetime:
        """The first of its times that is later than `moment` (aware), in the calendar's time zone. Aware, in UTC."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression, as in `0 3 * * mon-fri`: see the top of this file. Raises ConfigurationError where it is none,
    or has no time at all."""

    expression: str

    def __post_init__(self) -> None:
        if len(self.expression) > _LONGEST:
            raise self._wrong(f"it is longer than {_LONGEST} characters")
        object.__setattr__(self, "expression", " ".join(self.expression.lower().split()))
        fields = self.expression.split(" ")
        if len(fields) != len(_FIELDS):
            raise self._wrong("expected minute, hour, day of the month, month and day of the week")
        if fields[2] not in ("*", "?") and fields[4] not in ("*", "?"):
            raise self._wrong("it restricts both days of the month and days of the week; write two schedules")
        try:
            first = _trigger(self.expression, ZoneInfo("UTC")).get_next_fire_time(None, _SINCE)
        except (ValueError, TypeError) as error:
            raise self._wrong(str(error)) from error
        if first is None or first - _SINCE > _LONGEST_WAIT:
            raise self._wrong("there is no such day")

    def __str__(self) -> str:
        return f"cron {self.expression}"

    def after(self, moment: datetime, calendar: BusinessCalendar) -> datetime:
        """See `Recurrence.after`."""
        trigger = _trigger(self.expression, calendar.zone)
        every_hour = self.expression.split(" ")[1].startswith("*")
        while True:
            found: datetime = trigger.get_next_fire_time(None, moment + _TICK)
            moment = found.astimezone(UTC)
            if every_hour or not found.fold:
                return moment

    def _wrong(self, why: str) -> ConfigurationError:
        return ConfigurationError(f"cron expression {self.expression[:_LONGEST]!r}: {why}")


@dataclass(frozen=True, slots=True)
class Daily:
    """Every day at a time of day; with `working_days`, on the company's working days alone (`[calendar]`)."""

    at: time
    working_days: bool = False

    def __post_init__(self) -> None:
        if self.at.tzinfo is not None or self.at.second or self.at.microsecond:
            raise ConfigurationError(f"at: expected whole minutes in the site's time zone, got {self.at.isoformat()}")

    def __str__(self) -> str:
        return f"{_WORKING if self.working_days else _DAILY} {self.at:%H:%M}"

    def after(self, moment: datetime, calendar: BusinessCalendar) -> datetime:
        """See `Recurrence.after`."""
        day = calendar.today(moment)
        while True:
            if self.working_days:
                day = calendar.first_working_day(day)
            found = datetime.combine(day, self.at, calendar.zone).astimezone(UTC)
            if found > moment:
                return found
            day += timedelta(days=1)


_DAILY, _WORKING = "daily", "working days"
_TIME_OF_DAY = re.compile(rf"({_DAILY}|{_WORKING}) ([0-2]\d):([0-5]\d)")


def recurrence_of(text: str) -> Recurrence:
    """The recurrence that a text says, as `str` writes it. Raises ConfigurationError."""
    if text.startswith("cron "):
        return Cron(text.removeprefix("cron "))
    found = _TIME_OF_DAY.fullmatch(text)
    if found is None or int(found[2]) > 23:
        raise ConfigurationError(f"expected a recurrence, as in 'cron 0 3 * * *' or 'daily 03:00', got {text[:80]!r}")
    return Daily(time(int(found[2]), int(found[3])), found[1] == _WORKING)


@lru_cache(maxsize=256)
def _trigger(expression: str, zone: ZoneInfo) -> CronTrigger:
    """APScheduler's trigger. Raises ValueError."""
    from apscheduler.triggers.cron import CronTrigger

    values = [value.replace("?", "*") for value in expression.split(" ")]
    values[4] = _days_of_week(values[4])
    return CronTrigger(**dict(zip(_FIELDS, values, strict=True)), second=0, timezone=zone)


def _days_of_week(field: str) -> str:
    """Days of the week as crontab(5) counts them, by their names: APScheduler counts from Monday. Raises ValueError."""
    if field == "*":
        return field
    return ",".join(dict.fromkeys(_DAYS[day % 7] for part in field.split(",") for day in _days_of(part)))


def _days_of(part: str) -> range:
    found = re.fullmatch(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([1-7]))?", part)
    if found is None or (found[1] == "*" and found[2] is not None):
        raise ValueError(f"day of the week {part!r}: expected 0 to 7, or sun to sat")
    first = 0 if found[1] == "*" else _day(found[1])
    last = 6 if found[1] == "*" else _day(found[2] or found[1])
    if last < first:
        last += 7  # as in fri-mon
    return range(first, last + 1, int(found[3] or 1))


def _day(name: str) -> int:
    if name in _DAYS:
        return _DAYS.index(name)
    if not re.fullmatch(r"[0-7]", name):
        raise ValueError(f"day of the week {name!r}: expected 0 to 7, or sun to sat")
    return int(name)
