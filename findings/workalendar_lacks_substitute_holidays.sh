#!/bin/sh
# workalendar 17.0.0 takes Japan's substitute holidays (振替休日) and the days between two holidays (国民の休日) for
# working days.
#
# Article 3 of the Act on National Holidays makes the next day that is no holiday one where a holiday falls on a
# Sunday, and a day that lies between two holidays too. holidays 0.109 and jpholiday 1.0.3 agree with each other in
# every year from 2015 to 2035; workalendar lacks 35 of their days, among them 6 May and 22 September 2026, and has
# none that they lack. So a promise of "five business days" over them is counted a day short.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet \
	workalendar==17.0.0 holidays==0.109 jpholiday==1.0.3
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
from datetime import date

import holidays
import jpholiday
from workalendar.asia import Japan

japan, missing, besides = Japan(), [], []
for year in range(2015, 2036):
    one = set(holidays.Japan(years=year))
    other = {day for day, _name in jpholiday.year_holidays(year)}
    if one != other:
        print(f"{year}: holidays and jpholiday differ: {sorted(one ^ other)}")
        sys.exit(1)
    third = {day for day, _name in japan.holidays(year)}
    missing += sorted(one - third)
    besides += sorted(third - one)

print(f"lacking: {len(missing)}, of them in 2026: {[str(day) for day in missing if day.year == 2026]}")
print(f"only there: {len(besides)}")
print(f"6 May 2026 is a working day: {japan.is_working_day(date(2026, 5, 6))}")
print(f"five working days after 1 May 2026: {japan.add_working_days(date(2026, 5, 1), 5)} (13 May by the law)")
as_seen = (
    len(missing) == 35
    and not besides
    and [day for day in missing if day.year == 2026] == [date(2026, 5, 6), date(2026, 9, 22)]
    and japan.is_working_day(date(2026, 5, 6))
)
sys.exit(0 if as_seen else 1)
PROGRAM
