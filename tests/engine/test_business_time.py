"""Business time: Japanese and company holidays, opening hours, the working days of a review."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.business_time import BusinessCalendar
from engine.errors import ConfigurationError

TOKYO = ZoneInfo("Asia/Tokyo")
CALENDAR = BusinessCalendar()
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))


def tokyo(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TOKYO)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 11, 20), True),  # Friday
        (date(2026, 11, 21), False),  # Saturday
        (date(2026, 11, 22), False),  # Sunday
        (date(2026, 11, 23), False),  # 勤労感謝の日
        (date(2026, 11, 24), True),
        (date(2026, 9, 22), False),  # 国民の休日 between two holidays
        (date(2026, 5, 6), False),  # 振替休日
        (date(2026, 12, 30), True),
        (date(2026, 12, 31), False),  # the banks' year-end
        (date(2027, 1, 1), False),
        (date(2027, 1, 2), False),
        (date(2027, 1, 3), False),
        (date(2027, 1, 4), True),
    ],
)
def test_working_days_are_those_of_japan(day: date, works: bool) -> None:
    assert CALENDAR.is_working_day(day) is works


def test_company_holidays_count_too() -> None:
    calendar = BusinessCalendar.from_settings({"holidays": [date(2026, 12, 29), "2026-12-30"]}, TOKYO)
    assert not calendar.is_working_day(date(2026, 12, 29))
    assert not calendar.is_working_day(date(2026, 12, 30))
    assert calendar.is_working_day(date(2026, 12, 28))


def test_it_opens_at_nine_and_is_closed_at_half_past_five() -> None:
    assert not CALENDAR.is_open(tokyo("2026-11-24 08:59:59"))
    assert CALENDAR.is_open(tokyo("2026-11-24 09:00"))
    assert CALENDAR.is_open(tokyo("2026-11-24 17:29:59"))
    assert not CALENDAR.is_open(tokyo("2026-11-24 17:30"))
    assert not CALENDAR.is_open(tokyo("2026-11-23 12:00"))


def test_the_next_opening_is_after_the_long_weekend() -> None:
    assert CALENDAR.next_opening(tokyo("2026-11-20 17:30")) == tokyo("2026-11-24 09:00")
    assert CALENDAR.next_opening(tokyo("2026-11-24 07:00")) == tokyo("2026-11-24 09:00")
    assert CALENDAR.next_opening(tokyo("2026-11-24 10:00")) == tokyo("2026-11-24 10:00")


def test_two_working_days_are_never_forty_eight_hours() -> None:
    assert CALENDAR.after_working_days(tokyo("2026-11-20 10:00"), 2) == tokyo("2026-11-25 17:30")
    assert CALENDAR.after_working_days(tokyo("2026-11-20 17:30"), 2) == tokyo("2026-11-26 17:30")
    assert CALENDAR.after_working_days(tokyo("2026-11-22 03:00"), 2) == tokyo("2026-11-26 17:30")
    assert CALENDAR.after_working_days(tokyo("2026-12-29 10:00"), 2) == tokyo("2027-01-04 17:30")


def test_midnight_is_where_the_company_is() -> None:
    assert CALENDAR.midnight(date(2026, 12, 1)) == datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    assert CALENDAR.today(datetime(2026, 11, 30, 14, 59, 59, tzinfo=UTC)) == date(2026, 11, 30)
    assert CALENDAR.today(datetime(2026, 11, 30, 15, 0, tzinfo=UTC)) == date(2026, 12, 1)


@given(MOMENTS)
def test_the_next_opening_is_open_and_nothing_before_it_was(now: datetime) -> None:
    opening = CALENDAR.next_opening(now)
    assert CALENDAR.is_open(opening)
    assert opening == now or not any(
        CALENDAR.is_open(now + (opening - now) * part / 16) for part in range(16) if (opening - now) * part / 16
    )


@given(MOMENTS, st.integers(0, 30))
def test_a_due_time_is_a_closing_time_and_later_than_as_many_days(now: datetime, days: int) -> None:
    due = CALENDAR.after_working_days(now, days)
    local = due.astimezone(TOKYO)
    assert (local.time(), CALENDAR.is_working_day(local.date())) == (time(17, 30), True)
    assert due >= now
    assert due - now >= timedelta(days=days - 1)
    between = (now.astimezone(TOKYO).date() + timedelta(days=n) for n in range(1, (local.date() - now.date()).days + 2))
    assert sum(CALENDAR.is_working_day(day) for day in between if day <= local.date()) >= days


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"holiday": []}, 'calendar.holiday: there is no such key; did you mean "holidays"?'),
        ({"holidays": "2026-12-29"}, "expected a list of days"),
        ({"holidays": ["29.12.2026"]}, 'calendar.holidays[1] = "29.12.2026": expected a day like 2026-12-29'),
        ({"opens": "nine"}, 'calendar.opens = "nine": expected a time'),
        ({"opens": "18:00"}, "opens (18:00) must be before closes (17:30)"),
        ({"country": "JPN"}, 'did you mean "JP"?'),
        ({"country": "XX"}, 'calendar.country = "XX": expected a country\'s code'),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        BusinessCalendar.from_settings(settings, TOKYO)
    assert said in str(raised.value)
    assert str(raised.value).startswith("settings: calendar")


def test_a_calendar_without_working_days_says_so() -> None:
    closed = frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(800))
    with pytest.raises(ConfigurationError, match="no working day within a year from 2026-11-22"):
        BusinessCalendar(closed=closed).first_working_day(date(2026, 11, 22))


def test_settings_that_are_left_out_are_those_of_a_japanese_company() -> None:
    assert (
        BusinessCalendar.from_settings({}, TOKYO)
        == CALENDAR
        == BusinessCalendar(ZoneInfo("Asia/Tokyo"), "JP", frozenset(), time(9, 0), time(17, 30))
    )
    given = {"country": "DE", "holidays": ["2026-12-30"], "opens": "08:15", "closes": "16:45"}
    zone = ZoneInfo("Europe/Berlin")
    assert BusinessCalendar.from_settings(given, zone) == BusinessCalendar(
        zone, "DE", frozenset({date(2026, 12, 30)}), time(8, 15), time(16, 45)
    )


def test_a_company_opens_before_it_closes() -> None:
    BusinessCalendar(opens=time(9, 0), closes=time(9, 1))
    with pytest.raises(ConfigurationError, match=r"opens \(09:00\) must be before closes \(09:00\)"):
        BusinessCalendar(opens=time(9, 0), closes=time(9, 0))


def test_a_country_without_holidays_of_banks_has_its_public_ones() -> None:
    calendar = BusinessCalendar(ZoneInfo("Europe/Paris"), "FR")
    assert [calendar.is_working_day(date(2026, 7, day)) for day in (13, 14)] == [True, False]


@pytest.mark.parametrize(("days", "fits"), [(365, True), (366, False)])
def test_a_company_that_is_closed_for_a_year_on_end_is_a_mistake(days: int, fits: bool) -> None:
    first = date(2026, 4, 1)  # a Wednesday; the day behind a closure of 365 days is a Thursday
    closed = {first + timedelta(days=n) for n in range(days)}
    calendar = BusinessCalendar(closed=frozenset({date(2025, 1, 6), *closed}))
    if fits:
        calendar.check_closures()
        assert calendar.first_working_day(first) == date(2027, 4, 1)
        return
    with pytest.raises(ConfigurationError) as raised:
        calendar.check_closures()
    assert str(raised.value) == "[calendar]: no working day within a year from 2026-04-01"


def test_settings_that_close_a_company_for_ever_are_named() -> None:
    every_day = [date(2026, 1, 1) + timedelta(days=n) for n in range(800)]
    with pytest.raises(ConfigurationError, match="no working day within a year from 2026-01-01"):
        BusinessCalendar.from_settings({"holidays": every_day}, TOKYO)


def test_the_next_opening_is_today_before_it_opens_and_later_after_it_closed() -> None:
    opening = CALENDAR.next_opening
    assert opening(tokyo("2026-11-24 08:59")) == tokyo("2026-11-24 09:00")
    assert opening(tokyo("2026-11-24 09:00")) == tokyo("2026-11-24 09:00")
    assert opening(tokyo("2026-11-24 17:29:59")) == tokyo("2026-11-24 17:29:59")
    assert opening(tokyo("2026-11-24 17:30")) == tokyo("2026-11-25 09:00")
    assert opening(tokyo("2026-11-23 10:00")) == tokyo("2026-11-24 09:00")
    assert {moment.tzinfo for moment in (opening(tokyo("2026-11-24 10:00")), opening(tokyo("2026-11-24 07:00")))} == {
        UTC
    }


def test_working_days_count_from_the_day_that_counts() -> None:
    after = CALENDAR.after_working_days
    assert after(tokyo("2026-11-24 17:29"), 0) == tokyo("2026-11-24 17:30")
    assert after(tokyo("2026-11-24 17:30"), 0) == tokyo("2026-11-25 17:30")
    assert after(tokyo("2026-11-24 17:30"), 1) == tokyo("2026-11-26 17:30")
    assert after(tokyo("2026-11-21 17:29"), 1) == tokyo("2026-11-25 17:30")
    assert after(tokyo("2026-11-24 10:00"), 1).tzinfo is UTC


def test_opening_hours_go_on_the_next_morning() -> None:
    after = CALENDAR.after_opening_hours
    assert after(tokyo("2026-11-24 10:00"), timedelta(0)) == tokyo("2026-11-24 10:00")
    assert after(tokyo("2026-11-24 07:00"), timedelta(hours=1)) == tokyo("2026-11-24 10:00")
    assert after(tokyo("2026-11-24 16:30"), timedelta(hours=1)) == tokyo("2026-11-24 17:30")
    assert after(tokyo("2026-11-24 16:30"), timedelta(hours=1, minutes=1)) == tokyo("2026-11-25 09:01")
    assert after(tokyo("2026-11-20 17:00"), timedelta(hours=9.5)) == tokyo("2026-11-25 09:30")
