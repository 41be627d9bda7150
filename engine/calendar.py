"""Business time: working days, public and company holidays, opening hours, in one place's time zone.

A working day is Monday to Friday and no holiday; one working day is never 24 hours. Public holidays are Japan's by
law (国民の祝日, and with them 休日 between two of them) and the banks' own, which include 31 December to 3 January
(銀行法施行令 §5), from the library `holidays`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from engine.errors import ConfigurationError

_SATURDAY = 5
_LONGEST_CLOSURE = 366  # days without a working day: more is a mistake in the settings


@lru_cache(maxsize=64)
def _public(country: str, year: int) -> frozenset[date]:
    kinds = ("public", "bank")
    supported = holidays.country_holidays(country).supported_categories
    asked = tuple(kind for kind in kinds if kind in supported)
    return frozenset(holidays.country_holidays(country, years=year, categories=asked))


@dataclass(frozen=True)
class BusinessCalendar:
    """When the company works. `closed` are its own holidays (弊社指定休日), `opens` and `closes` its hours (G44)."""

    zone: ZoneInfo = ZoneInfo("Asia/Tokyo")
    country: str = "JP"
    closed: frozenset[date] = field(default_factory=frozenset)
    opens: time = time(9, 0)
    closes: time = time(17, 30)

    def __post_init__(self) -> None:
        if self.opens >= self.closes:
            raise ConfigurationError(
                f"[calendar]: opens ({self.opens:%H:%M}) must be before closes ({self.closes:%H:%M})"
            )
        if self.country not in holidays.list_supported_countries():
            raise ConfigurationError(f"[calendar] country: expected a code like JP, got {self.country!r}")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], zone: ZoneInfo) -> BusinessCalendar:
        """The calendar of `[calendar]`: `country`, `holidays` (a list of dates), `opens`, `closes` ("9:00").

        Raises ConfigurationError that names the key.
        """
        known = ("country", "holidays", "opens", "closes")
        for key in settings:
            if key not in known:
                raise ConfigurationError(f"[calendar]: unknown key {key!r}; known are {', '.join(known)}")
        values: dict[str, Any] = {"zone": zone}
        if "country" in settings:
            values["country"] = str(settings["country"])
        if "holidays" in settings:
            values["closed"] = frozenset(_dates(settings["holidays"]))
        for key in ("opens", "closes"):
            if key in settings:
                values[key] = _time(key, settings[key])
        return cls(**values)

    def today(self, now: datetime) -> date:
        """Which day `now` (aware) is, where the company is."""
        return now.astimezone(self.zone).date()

    def is_working_day(self, day: date) -> bool:
        """Whether the company works on `day`."""
        return day.weekday() < _SATURDAY and day not in self.closed and day not in _public(self.country, day.year)

    def is_open(self, now: datetime) -> bool:
        """Whether somebody answers at `now` (aware): `opens` counts, `closes` does not."""
        local = now.astimezone(self.zone)
        return self.is_working_day(local.date()) and self.opens <= local.time() < self.closes

    def next_opening(self, now: datetime) -> datetime:
        """The first moment from `now` on at which somebody answers; `now` itself where it is open. Aware, in UTC."""
        if self.is_open(now):
            return now.astimezone(UTC)
        local = now.astimezone(self.zone)
        day = local.date() if local.time() < self.opens else local.date() + timedelta(days=1)
        return self._at(self.first_working_day(day), self.opens)

    def first_working_day(self, day: date) -> date:
        """`day` itself or the next working day after it."""
        for later in range(_LONGEST_CLOSURE):
            found = day + timedelta(days=later)
            if self.is_working_day(found):
                return found
        raise ConfigurationError(f"[calendar]: no working day within a year from {day}")

    def after_working_days(self, now: datetime, days: int) -> datetime:
        """Closing time of the `days`-th working day after the day on which `now` counts. Aware, in UTC.

        What arrives after closing, or on a day off, counts as arriving on the next working day.
        """
        local = now.astimezone(self.zone)
        first = local.date() if local.time() < self.closes else local.date() + timedelta(days=1)
        day = self.first_working_day(first)
        for _ in range(days):
            day = self.first_working_day(day + timedelta(days=1))
        return self._at(day, self.closes)

    def midnight(self, day: date) -> datetime:
        """When `day` begins where the company is. Aware, in UTC."""
        return self._at(day, time(0, 0))

    def _at(self, day: date, moment: time) -> datetime:
        return datetime.combine(day, moment, self.zone).astimezone(UTC)


def _dates(given: Any) -> Iterable[date]:
    if not isinstance(given, list):
        raise ConfigurationError(f"[calendar] holidays: expected a list of dates, as in [2026-12-29], got {given!r}")
    for day in given:
        try:
            yield day if type(day) is date else date.fromisoformat(day)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"[calendar] holidays: expected a date like 2026-12-29, got {day!r}") from error


def _time(key: str, given: Any) -> time:
    if isinstance(given, time):
        return given
    try:
        hour, minute = str(given).split(":")
        return time(int(hour), int(minute))
    except ValueError as error:
        raise ConfigurationError(f'[calendar] {key}: expected a time like "9:00", got {given!r}') from error
