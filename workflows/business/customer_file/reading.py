"""Reading the file: nothing here looks at the database. It follows RFC 4180."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any, BinaryIO

from engine.definition import Refusal
from engine.errors import EngineError
from engine.text import Text, _
from workflows.business import typed
from workflows.business.catalogue import Catalogue
from workflows.business.customer_file.cells import (
    CONTRACT_COLUMNS,
    CUSTOMER_COLUMNS,
    DEFAULTS,
    HEADER,
    KEYS,
    REQUIRED,
    parsers_of,
    refused,
    short,
    text_of,
    unescape,
)

Progress = Callable[[int, int | None], None]

_LONGEST_LINE = 1 << 20  # bytes; a longer one is no table of customers
PROGRESS_STEP = 1000  # rows


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file: on which line (from 1, where the row begins), in which column ("" for the whole row)."""

    line: int
    column: str
    message: Text

    @property
    def text(self) -> Text:
        """The problem with its place."""
        if self.column:
            return _("%(line)s行目 %(column)s: %(message)s", line=self.line, column=self.column, message=self.message)
        return _("%(line)s行目: %(message)s", line=self.line, message=self.message)

    def __str__(self) -> str:
        return str(self.text)


class ImportRefused(EngineError):
    """The file has problems, and nothing was imported."""

    status = 422

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(_("ファイルに問題が%(count)s件あります。何も取り込んでいません。", count=len(self.problems)))


@dataclass(slots=True)
class _FileCustomer:
    """A customer as the file says it: the line where it stands first; `values` by `FileTable.customer_columns`.

    A value that could not be read is its Refusal.
    """

    line: int
    values: tuple[Any, ...]


@dataclass(slots=True)
class _FileContract:
    """A contract as the file says it; `values` by `FileTable.contract_columns`."""

    line: int
    number: str
    values: tuple[Any, ...]


@dataclass(slots=True)
class FileTable:
    """A file, read: customers by number, contracts by (product, subdomain), and what is wrong with it so far."""

    customer_columns: tuple[str, ...] = ()
    contract_columns: tuple[str, ...] = ()
    customers: dict[str, _FileCustomer] = field(default_factory=dict)
    contracts: dict[tuple[str, str], _FileContract] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, line: int, column: str, message: Text) -> None:
        """Note a problem."""
        self.problems.append(Problem(line, column, message))


class _Unreadable(Exception):
    """The rest of the file cannot be read."""

    def __init__(self, line: int, message: Text) -> None:
        self.problem = Problem(line, "", message)
        super().__init__(message.msgid)


class Reader:
    """Reads a file into a `FileTable`."""

    def __init__(self, encoding: str, pattern: str, catalogue: Catalogue, tell: Progress) -> None:
        self.encoding = encoding
        self.catalogue = catalogue
        self.parsers = parsers_of(pattern, catalogue)
        self.tell = tell
        self.table = FileTable()

    def read(self, file: BinaryIO) -> FileTable:
        """The whole file. Raises ImportRefused where its beginning or its form leaves nothing to compare."""
        table = self.table
        try:
            rows = self._rows(file)
            line, header = next(rows, (1, []))
            if not header:
                raise _Unreadable(
                    1, _("ファイルが空です。1行目に列名が必要です: %(columns)s", columns=",".join(REQUIRED))
                )
            columns = self._columns(line, header)
            if table.problems:
                raise ImportRefused(table.problems)
            for count, (line, cells) in enumerate(rows, 1):
                if len(cells) != len(columns):
                    message = _(
                        "列の数が違います（%(found)s列、見出しは%(expected)s列）。",
                        found=len(cells),
                        expected=len(columns),
                    )
                    table.add(line, "", message)
                else:
                    self._row(line, dict(zip(columns, cells, strict=True)))
                if count % PROGRESS_STEP == 0:
                    self.tell(count, None)
        except _Unreadable as stop:
            raise ImportRefused([*table.problems, stop.problem]) from stop
        return table

    def _columns(self, line: int, header: Sequence[str]) -> list[str]:
        """The file's columns by name, in its order; what is wrong with them is noted."""
        columns = [typed.normalise(name).lower() for name in header]
        for position, name in enumerate(columns):
            if name not in HEADER:
                message = _(
                    "「%(name)s」という列はありません。使える列: %(columns)s",
                    name=short(name),
                    columns=",".join(HEADER),
                )
                self.table.add(line, short(name), message)
            elif name in columns[:position]:
                self.table.add(line, name, _("同じ列が2つあります。"))
        for name in REQUIRED:
            if name not in columns:
                self.table.add(line, name, _("必要な列がありません。"))
        self.table.customer_columns = tuple(name for name in CUSTOMER_COLUMNS if name in columns)
        self.table.contract_columns = tuple(name for name in CONTRACT_COLUMNS if name in columns)
        return columns

    def _row(self, line: int, cells: Mapping[str, str]) -> None:
        values = {name: self._value(line, name, cell) for name, cell in cells.items()}
        number, product, subdomain = (values[name] for name in KEYS)
        started, ended = values["started_on"], values.get("ended_on")
        if isinstance(started, date) and isinstance(ended, date) and ended < started:
            self.table.add(
                line, "ended_on", _("終了日が開始日（%(started)s）より前です。", started=started.isoformat())
            )
        place = subdomain if isinstance(subdomain, typed.Subdomain) and isinstance(product, str) else None
        if place and place.product not in (None, product):
            message = _(
                "URLは %(product)s のものですが、product は %(given)s です。", product=place.product, given=product
            )
            self.table.add(line, "subdomain", message)
        if isinstance(number, Refusal):
            return
        self._add_customer(line, number, tuple(values[name] for name in self.table.customer_columns))
        if place:
            contract = tuple(values[name] for name in self.table.contract_columns)
            self._add_contract((product, place.name), _FileContract(line, number, contract))

    def _value(self, line: int, name: str, cell: str) -> Any:
        cell = unescape(cell).strip()
        if not cell:
            if name not in REQUIRED:
                return DEFAULTS.get(name, "")
            value = refused(_("値がありません。"))
        else:
            value = self.parsers[name](cell)
            if value == "" and name in REQUIRED:  # nothing but invisible characters
                value = refused(_("値がありません。"))
        if isinstance(value, Refusal):
            self.table.add(line, name, value.message)
        return value

    def _add_customer(self, line: int, number: str, values: tuple[Any, ...]) -> None:
        first = self.table.customers.setdefault(number, _FileCustomer(line, values))
        if first.values == values:
            first.values = values  # one copy of what is repeated on every row of a customer
            return
        for name, before, value in zip(self.table.customer_columns, first.values, values, strict=True):
            if before != value and not isinstance(before, Refusal) and not isinstance(value, Refusal):
                message = _(
                    "%(first)s行目にある同じお客様（%(number)s）の値「%(value)s」と異なります。",
                    first=first.line,
                    number=number,
                    value=short(text_of(before)),
                )
                self.table.add(line, name, message)

    def _add_contract(self, key: tuple[str, str], contract: _FileContract) -> None:
        first = self.table.contracts.setdefault(key, contract)
        if first is contract:
            return
        if first.number == contract.number:
            message = _("%(first)s行目と同じ契約です。1契約は1行にしてください。", first=first.line)
        else:
            message = _(
                "%(first)s行目で別のお客様（%(number)s）が同じサブドメインを使っています。",
                first=first.line,
                number=first.number,
            )
        self.table.add(contract.line, "subdomain", message)

    def _rows(self, file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
        """Rows that are not blank, each with the line where it begins."""
        rows = csv.reader(self._lines(file), strict=True)
        while True:
            line = rows.line_num + 1
            try:
                cells = next(rows, None)
            except csv.Error as error:
                raise _Unreadable(line, _csv_message(str(error))) from error
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield line, cells

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        """The file's lines as text. Raises _Unreadable with the line that is not in the encoding."""
        number = 1
        pending = ""
        try:
            with suppress(UnicodeDecodeError):  # one byte may be too few; a codec that gives no text is a LookupError
                b" ".decode(self.encoding)
            decoder = codecs.getincrementaldecoder(self.encoding)()
        except (LookupError, ValueError) as error:
            message = _("文字コード「%(encoding)s」はありません。例: utf-8, cp932", encoding=short(self.encoding))
            raise _Unreadable(1, message) from error
        while True:
            raw = file.readline(_LONGEST_LINE)
            is_utf16 = number == 1 and not pending and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            if is_utf16 and "16" not in self.encoding:
                raise _Unreadable(1, self._wrong_encoding("utf-16"))
            try:
                pending += decoder.decode(raw, final=not raw)
            except UnicodeError as error:
                is_utf8 = codecs.lookup(self.encoding).name.startswith("utf-8")
                raise _Unreadable(number, self._wrong_encoding("cp932" if is_utf8 else "utf-8")) from error
            if len(pending) >= _LONGEST_LINE:
                raise _Unreadable(number, _("行が長すぎます。CSVファイルか確認してください。"))
            lines = pending.split("\n")
            pending = lines.pop()
            for text in lines:
                yield self._checked(number, text + "\n")
                number += 1
            if not raw:
                if pending:
                    yield self._checked(number, pending)
                return

    @staticmethod
    def _checked(number: int, text: str) -> str:
        if "\0" in text:
            raise _Unreadable(
                number, _("NUL文字があります。CSVファイルか、文字コード（--encoding）を確認してください。")
            )
        return text

    def _wrong_encoding(self, other: str) -> Text:
        return _(
            "文字コード %(encoding)s として読めません。--encoding %(other)s を試してください。",
            encoding=self.encoding,
            other=other,
        )


def _csv_message(reason: str) -> Text:
    """The csv module's reason in the reader's language."""
    if "unexpected end of data" in reason:
        return _('引用符（"）が閉じていません。')
    if "expected after" in reason:
        return _('引用符（"）の後に、コンマでも行末でもない文字があります。')
    if "field larger" in reason:
        return _('値が長すぎます。引用符（"）が閉じているか確認してください。')
    if "new-line character" in reason:
        return _("行末の改行コードが正しくありません。LF または CRLF で保存してください。")
    return _("CSVとして読めません。")
