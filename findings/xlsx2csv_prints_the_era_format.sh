#!/bin/sh
# xlsx2csv 0.8.6 writes the code of a Japanese date format into the CSV: 29 November 2026, shown by Excel as
# 令和8年11月29日, becomes ggge"年"11"月"29"日", and shown as R8.11.29 becomes ge.11.29. The year is lost.
#
# Excel offers these formats to each Japanese user (g is the name of the era and e its year), and Excel's own CSV has
# what the cell shows. The marks around 年, 月 and 日 are kept, too, in yyyy"年"m"月"d"日", the usual date of our century.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet xlsx2csv==0.8.6 openpyxl==3.1.5
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import csv
import io
import sys
from importlib.metadata import version

import openpyxl
import xlsx2csv

DAY = 46355  # 29 November 2026 as Excel counts days
expected = {
    "yyyy/m/d": "2026/11/29",
    '[$-411]ggge"年"m"月"d"日";@': 'ggge"年"11"月"29"日"',
    "[$-411]ge.m.d;@": "ge.11.29",
    'yyyy"年"m"月"d"日"': '2026"年"11"月"29"日"',
}
workbook = openpyxl.Workbook()
for row, code in enumerate(expected, 1):
    workbook.active.cell(row, 1, DAY).number_format = code
file, text = io.BytesIO(), io.StringIO()
workbook.save(file)
xlsx2csv.Xlsx2csv(file).convert(text)
cells = [row[0] for row in csv.reader(io.StringIO(text.getvalue()))]
found = dict(zip(expected, cells, strict=True))
print(f"xlsx2csv {version('xlsx2csv')}, Python {sys.version.split()[0]}")
for code, cell in found.items():
    print(f"{code} -> {cell}")
sys.exit(0 if found == expected else 1)
PROGRAM
