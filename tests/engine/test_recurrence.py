"""When something recurs: cron expressions and times of day, where clocks are set and holidays come."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.business_time import BusinessCalendar
from engine.errors import ConfigurationError
from engine.recurrence import Cron, Daily, Recurrence, recurrence_of

TOKYO = BusinessCalendar()
BERLIN = BusinessCalendar(zone=ZoneInfo("Europe/Berlin"), country="DE")


def times(recurrence: Recurrence, since: str, count: int = 3, calendar: BusinessCalendar = TOKYO) -> list[str]:
    """The next times, in the calendar's time zone."""
    moment, found = datetime.fromisoformat(since).replace(tzinfo=calendar.zone), []
    for _ in range(count):
        moment = recurrence.after(moment, calendar)
        assert moment.tzinfo is UTC
        found.append(f"{moment.astimezone(calendar.zone):%Y-%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 3 * * *", ["2026-04-02 03:00", "2026-04-03 03:00", "2026-04-04 03:00"]),
        ("*/20 9 * * *", ["2026-04-01 09:20", "2026-04-01 09:40", "2026-04-02 09:00"]),
        ("0 3 last * *", ["2026-04-30 03:00", "2026-05-31 03:00", "2026-06-30 03:00"]),
        ("0 3 29 2 ?", ["2028-02-29 03:00", "2032-02-29 03:00", "2036-02-29 03:00"]),
        # 1 April 2026 is a Wednesday; 0 and 7 are Sunday, as crontab(5) counts.
        ("0 3 * * 0", ["2026-04-05 03:00", "2026-04-12 03:00", "2026-04-19 03:00"]),
        ("0 3 * * 7", ["2026-04-05 03:00", "2026-04-12 03:00", "2026-04-19 03:00"]),
        ("0 3 * * 1-5", ["2026-04-02 03:00", "2026-04-03 03:00", "2026-04-06 03:00"]),
        ("0 3 * * MON-FRI", ["2026-04-02 03:00", "2026-04-03 03:00", "2026-04-06 03:00"]),
        ("0 3 * * 5-7", ["2026-04-03 03:00", "2026-04-04 03:00", "2026-04-05 03:00"]),
        ("0 3 * * fri-mon/3", ["2026-04-03 03:00", "2026-04-06 03:00", "2026-04-10 03:00"]),
        ("0 3 * * */3", ["2026-04-04 03:00", "2026-04-05 03:00", "2026-04-08 03:00"]),
    ],
)
def test_a_cron_expression_means_what_crontab_says(expression: str, expected: list[str]) -> None:
    assert times(Cron(expression), "2026-04-01 09:00") == expected


def test_an_hour_that_comes_twice_counts_once_and_one_that_is_skipped_is_due_an_hour_later() -> None:
    nightly = Cron("30 2 * * *")
    assert times(nightly, "2026-10-24 12:00", 2, BERLIN) == ["2026-10-25 02:30", "2026-10-26 02:30"]
    assert times(nightly, "2026-03-28 12:00", 2, BERLIN) == ["2026-03-29 03:30", "2026-03-30 02:30"]
    assert times(Daily(time(2, 30)), "2026-03-28 12:00", 2, BERLIN) == ["2026-03-29 03:30", "2026-03-30 02:30"]
    assert times(Daily(time(2, 30)), "2026-10-24 12:00", 2, BERLIN) == ["2026-10-25 02:30", "2026-10-26 02:30"]
    hourly = times(Cron("0 * * * *"), "2026-10-25 01:30", 4, BERLIN)
    assert hourly == ["2026-10-25 02:00", "2026-10-25 02:00", "2026-10-25 03:00", "2026-10-25 04:00"]


def test_working_days_leave_out_weekends_and_holidays() -> None:
    # 29 April and 3 to 6 May 2026 are holidays (昭和の日, and 憲法記念日 to 振替休日).
    assert times(Daily(time(9), working_days=True), "2026-04-28 12:00", 4) == [
        "2026-04-30 09:00",
        "2026-05-01 09:00",
        "2026-05-07 09:00",
        "2026-05-08 09:00",
    ]
    assert times(Daily(time(9)), "2026-04-28 09:00", 1) == ["2026-04-29 09:00"]


@given(
    st.sampled_from(["*/7 * * * *", "0 3 * * *", "30 2 1,15 * *", "59 23 * * 6", "0 0 last 2 *"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),
)
def test_each_time_is_later_than_the_one_before(expression: str, since: datetime) -> None:
    moment = since.replace(tzinfo=UTC)
    for calendar in (TOKYO, BERLIN):
        assert Cron(expression).after(moment, calendar) > moment


@pytest.mark.parametrize("recurrence", [Cron("0  3 * * SUN"), Daily(time(3)), Daily(time(9, 30), working_days=True)])
def test_the_text_of_a_recurrence_says_all_of_it(recurrence: Recurrence) -> None:
    assert recurrence_of(str(recurrence)) == recurrence


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("0 3 * *", "expected minute, hour, day of the month, month and day of the week"),
        ("@daily", "expected minute"),
        ("0 3 1 * mon", "it restricts both"),
        ("0 3 30 2 *", "there is no such day"),
        ("61 3 * * *", "61"),
        ("0 25 * * *", "25"),
        ("x 3 * * *", "'x'|\"x\""),
        ("0 3 * * 8", "day of the week '8': expected 0 to 7, or sun to sat"),
        ("0 3 * * mon--fri", "day of the week 'mon--fri'"),
        ("0 3 * * *-3", "day of the week"),
        (f"{'0,' * 150}0 3 * * *", "longer than 200"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(expression: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"cron expression .*{why}"):
        Cron(expression)


def test_a_time_of_day_is_of_whole_minutes_in_the_sites_zone() -> None:
    for at in (time(3, 0, 1), time(3, tzinfo=UTC)):
        with pytest.raises(ConfigurationError, match="at: expected whole minutes in the site's time zone"):
            Daily(at)


@pytest.mark.parametrize("text", ["", "daily", "daily 24:00", "weekly 03:00", "daily 3:00"])
def test_a_text_that_says_no_recurrence_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a recurrence, as in"):
        recurrence_of(text)


def test_a_year_of_nights_has_one_time_each() -> None:
    moment, found = datetime(2026, 1, 1, tzinfo=UTC), list[datetime]()
    for _ in range(365):
        moment = Cron("30 2 * * *").after(moment, BERLIN)
        found.append(moment)
    assert len({one.astimezone(BERLIN.zone).date() for one in found}) == 365
    assert found[-1] - found[0] == timedelta(days=364)
