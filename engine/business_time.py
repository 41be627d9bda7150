"""Business time: working days, public and company holidays, opening hours, in one place's time zone.

A working day is Monday to Friday and no holiday; one working day is never 24 hours. Public holidays are Japan's by
law (国民の祝日, and with them 休日 between two of them) and the banks' own, which include 31 December to 3 January
(銀行法施行令 §5), from the library `holidays`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from engine.configuration import Items, Place, read_one
from engine.configuration.kinds import day, one_of, time_of_day
from engine.configuration.tables import Table
from engine.errors import ConfigurationError

_SATURDAY = 5
_LONGEST_CLOSURE = 366  # days without a working day: more is a mistake in the settings


@lru_cache(maxsize=64)
def _public(country: str, year: int) -> frozenset[date]:
    import holidays  # where a working day is first asked for: it loads the calendars of all religions

    kinds = ("public", "bank")
    supported = holidays.country_holidays(country).supported_categories
    asked = tuple(kind for kind in kinds if kind in supported)
    return frozenset(holidays.country_holidays(country, years=year, categories=asked))


def _countries() -> list[str]:
    import holidays

    return list(holidays.list_supported_countries(include_aliases=False))


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """The keys of the table `[calendar]` of the settings."""

    country: Annotated[str, one_of(_countries, "a country's code of two letters (ISO 3166-1), like JP")] = "JP"
    holidays: Annotated[frozenset[date], Items(day(), "a list of days, as in [2026-12-29]", frozenset)] = frozenset()
    opens: Annotated[time, time_of_day()] = time(9, 0)
    closes: Annotated[time, time_of_day()] = time(17, 30)


@dataclass(frozen=True)
class BusinessCalendar:
    """The company's working days and hours. `closed` are its own holidays (弊社指定休日), `opens` and `closes` its
    hours (G44)."""

    zone: ZoneInfo = ZoneInfo("Asia/Tokyo")
    country: str = "JP"
    closed: frozenset[date] = field(default_factory=frozenset)
    opens: time = time(9, 0)
    closes: time = time(17, 30)

    def __post_init__(self) -> None:
        if self.opens >= self.closes:
            raise ConfigurationError(f"opens ({self.opens:%H:%M}) must be before closes ({self.closes:%H:%M})")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], zone: ZoneInfo) -> BusinessCalendar:
        """The calendar of `[calendar]`, see `CalendarSettings`. Raises SettingsError."""
        calendar: BusinessCalendar = read_one(cls.kind(zone), settings, Place("settings", "calendar"))
        return calendar

    @classmethod
    def kind(cls, zone: ZoneInfo) -> Table[BusinessCalendar]:
        """The kind of the table `[calendar]`."""

        def build(read: CalendarSettings) -> BusinessCalendar:
            made = cls(zone, read.country, read.holidays, read.opens, read.closes)
            made.check_closures()
            return made

        return Table(CalendarSettings, build)

    def check_closures(self) -> None:
        """Raise ConfigurationError where there would be no working day for a year on end."""
        if len(self.closed) > _LONGEST_CLOSURE // 2:  # fewer cannot, with every weekend between them
            for first in sorted(self.closed):
                if first - timedelta(days=1) not in self.closed:
                    self.first_working_day(first)

    def today(self, now: datetime) -> date:
        """The date at `now` (aware), in the company's time zone."""
        return now.astimezone(self.zone).date()

    def is_working_day(self, day: date) -> bool:
        """Whether `day` is a working day of the company."""
        return day.weekday() < _SATURDAY and day not in self.closed and day not in _public(self.country, day.year)

    def is_open(self, now: datetime) -> bool:
        """Whether the company is open at `now` (aware): from `opens`, included, to `closes`, excluded."""
        local = now.astimezone(self.zone)
        return self.is_working_day(local.date()) and self.opens <= local.time() < self.closes

    def next_opening(self, now: datetime) -> datetime:
        """The first moment from `now` (aware) on at which the company is open; `now` itself where it is. Aware, in
        UTC."""
        if self.is_open(now):
            return now.astimezone(UTC)
        local = now.astimezone(self.zone)
        day = local.date() if local.time() < self.opens else local.date() + timedelta(days=1)
        return self._at(self.first_working_day(day), self.opens)

    def first_working_day(self, day: date) -> date:
        """`day` itself or the next working day after it. Raises ConfigurationError where there is none within a
        year."""
        for later in range(_LONGEST_CLOSURE):
            found = day + timedelta(days=later)
            if self.is_working_day(found):
                return found
        raise ConfigurationError(f"[calendar]: no working day within a year from {day}")

    def after_working_days(self, now: datetime, days: int) -> datetime:
        """Closing time of the `days`-th working day after the day on which `now` (aware) counts. Aware, in UTC.

        A time after closing, or on a day off, counts as the next working day.
        """
        local = now.astimezone(self.zone)
        first = local.date() if local.time() < self.closes else local.date() + timedelta(days=1)
        day = self.first_working_day(first)
        for _ in range(days):
            day = self.first_working_day(day + timedelta(days=1))
        return self._at(day, self.closes)

    def after_opening_hours(self, now: datetime, hours: timedelta) -> datetime:
        """When the company has been open for `hours` since `now` (aware). Aware, in UTC."""
        begin, left = self.next_opening(now), hours
        while True:
            end = self._at(begin.astimezone(self.zone).date(), self.closes)
            if left <= end - begin:
                return begin + left
            left -= end - begin
            begin = self.next_opening(end)

    def midnight(self, day: date) -> datetime:
        """The beginning of `day` in the company's time zone. Aware, in UTC."""
        return self._at(day, time(0, 0))

    def _at(self, day: date, moment: time) -> datetime:
        return datetime.combine(day, moment, self.zone).astimezone(UTC)
