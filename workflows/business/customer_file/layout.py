"""Lines of text as rows of cells: what stands between cells is found out, and what Excel adds is left out.

RFC 4180, and what spreadsheets make of it: a tab or a semicolon between cells (Excel's "Unicode text", Windows where
numbers have a comma), a first line `sep=;`, rows of nothing but separators, and rows that end before their last cells,
because Excel leaves them out where sixteen rows have none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from itertools import chain

from engine.text import Text, _
from workflows.business.customer_file.problems import Unreadable

_SEPARATORS = (",", "\t", ";")
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<separator>[^"\r\n])"?[,;\t ]*', re.IGNORECASE)


def rows_of(lines: Iterator[str], known: Callable[[str], bool]) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the line where it begins; `known` tells which names a header may hold.

    Raises Unreadable with the line from which on the file is no table.
    """
    before, separator, first = 0, "", ""
    for line in lines:
        named = _SEPARATOR_LINE.fullmatch(line.strip("\r\n\ufeff")) if before == 0 else None
        separator = named["separator"] if named else separator
        if line.strip(" \t\r\n,;\u3000") and not named:
            first = line
            break
        before += 1
    rows = csv.reader(
        chain([first] if first else [], lines), delimiter=separator or _separator(first, known), strict=True
    )
    while True:
        line_number = before + rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise Unreadable(line_number, _message(str(error), rows.dialect.delimiter)) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line_number, cells


def _separator(header: str, known: Callable[[str], bool]) -> str:
    """What stands between the header's names: what parts the most known ones, or else the most cells."""

    def names_and_cells(separator: str) -> tuple[int, int]:
        names = next(csv.reader([header], delimiter=separator), [])
        return sum(map(known, names)), len(names)

    try:
        return max(_SEPARATORS, key=names_and_cells)
    except csv.Error:  # a field without an end: what reads the rows says so
        return _SEPARATORS[0]


def letter_of(position: int) -> str:
    """The name of a column in a spreadsheet, from 0: A to Z, AA and so on."""
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _message(reason: str, separator: str) -> Text:
    """The csv module's reason in the reader's language."""
    if "unexpected end of data" in reason:
        return _('引用符（"）が閉じていません。')
    if "expected after" in reason:
        return _('引用符（"）の後に、区切り文字でも行末でもない文字があります。')
    if "field larger" in reason:
        return _('値が長すぎます。引用符（"）が閉じているか確認してください。')
    if "new-line character" in reason:
        return _("行末の改行コードが正しくありません。LF または CRLF で保存してください。")
    return _("CSVとして読めません。")
