#!/bin/sh
# dateparser 1.5.0 takes the month of a Japanese date without a year for the year where it has two digits: 11月29日 (29
# November) is 2011-11-29, 12月1日 is 2012-01-29, and 12月25日 is 2012-11-25, with what is missing from today.
#
# It was told that the language is Japanese and that today is 29 November 2026. A month of one digit is read as one
# would think, and so is 2026年12月25日. The same of a day of two digits was reported (dateparser issue 519) and is
# mended in this version: 7月15日 is 2026-07-15.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet dateparser==1.5.0
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
from datetime import datetime
from importlib.metadata import version

import dateparser

TODAY = {"RELATIVE_BASE": datetime(2026, 11, 29, 10)}
expected = {
    "3月5日": "2026-03-05",
    "7月15日": "2026-07-15",
    "10月10日": "2010-10-29",
    "11月29日": "2011-11-29",
    "12月1日": "2012-01-29",
    "12月25日": "2012-11-25",
    "2026年12月25日": "2026-12-25",
}
found = {}
for text in expected:
    moment = dateparser.parse(text, languages=["ja"], settings=TODAY)
    found[text] = f"{moment:%Y-%m-%d}" if moment else None
print(f"dateparser {version('dateparser')}, Python {sys.version.split()[0]}")
for text, date in found.items():
    print(f"{text}: {date}")
sys.exit(0 if found == expected else 1)
PROGRAM
