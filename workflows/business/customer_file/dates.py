"""The date of a cell, as people and spreadsheets write it."""

from __future__ import annotations

import re
from datetime import date, timedelta

from engine.definition import Refusal
from engine.text import Text, _
from workflows.business.typed import normalise

_LONGEST = 40
_DATE = re.compile(
    r"(?:(?P<y>[0-9]{4})(?P<between>[-/.])(?P<m>[0-9]{1,2})(?P=between)(?P<d>[0-9]{1,2})"
    r"|(?P<y2>[0-9]{4})年\s*(?P<m2>[0-9]{1,2})月\s*(?P<d2>[0-9]{1,2})日"
    r"|(?P<y3>[0-9]{4})(?P<m3>[0-9]{2})(?P<d3>[0-9]{2}))"
    r"(?:[T\s]\s*(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?))?"
)
_ERA = re.compile(r"(?:明治|大正|昭和|平成|令和|[MTSHR])\s*\.?(?:元|[0-9]{1,2})\s*[年./-].*", re.IGNORECASE | re.DOTALL)
_SERIAL = re.compile(r"(?P<days>[0-9]{5})(?:\.[0-9]+)?")
_SHORT = re.compile(r"[0-9]{1,2}[-/.月][0-9]{1,2}日?|[0-9]{1,4}年?[-/.]?[0-9]{1,2}月?")
_NO_YEAR_FIRST = re.compile(r"[0-9]{1,2}[-/. ][0-9A-Za-z]{1,9}[-/. ][0-9]{1,4}(?:\s.*)?", re.DOTALL)
_YEARS = range(1900, 2200)  # other systems write 9999-12-31 for a day that nobody knows
_DAY_BEFORE_THE_FIRST = date(1899, 12, 30)  # of Excel's serial numbers, which count a day that 1900 did not have


def day(text: str) -> date | Refusal:
    """The date: `2024-04-01`, `2024/4/1`, `2024.4.1`, `20240401` or `2024年4月1日`, with a time only where it is 0:00.

    Refused by their names: serial numbers of Excel, Japanese eras, dates whose year is not four digits in front, and
    years in which no contract begins or ends.
    """
    written = normalise(text[:_LONGEST])
    match = _DATE.fullmatch(written)
    if match is None:
        return Refusal("import_date", _reason(written))
    if re.search("[1-9]", match["time"] or ""):
        return Refusal("import_date", _("時刻（%(time)s）が付いています。日付だけにしてください。", time=match["time"]))
    year, month, of_month = (match[name] or match[f"{name}2"] or match[f"{name}3"] for name in "ymd")
    try:
        found = date(int(year), int(month), int(of_month))
    except ValueError:
        return Refusal("import_date", _("この日付は暦にありません。"))
    if found.year not in _YEARS:
        bounds = {"first": str(_YEARS[0]), "last": str(_YEARS[-1])}  # years have no commas
        return Refusal(
            "import_date",
            _("%(first)s年から%(last)s年までの日付ではありません。未定の日付は空欄にしてください。", **bounds),
        )
    return found


def _reason(written: str) -> Text:
    if match := _SERIAL.fullmatch(written):
        meant = _DAY_BEFORE_THE_FIRST + timedelta(days=int(match["days"]))
        return _(
            "Excelのシリアル値です（1900年からの日数なら %(day)s）。セルの書式を日付にして保存し直してください。",
            day=meant.isoformat(),
        )
    if _ERA.fullmatch(written):
        return _("和暦です。西暦でお書きください。")
    if _NO_YEAR_FIRST.fullmatch(written):
        return _("年が4桁で先頭にありません。")
    if _SHORT.fullmatch(written):
        return _("年月日がそろっていません。")
    return _("日付として読めません。")
