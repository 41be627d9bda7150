"""Reading the file: nothing here looks at the records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from itertools import chain, repeat
from typing import Any, BinaryIO

from engine.definition import Refusal
from engine.text import Text, _
from workflows.business import typed
from workflows.business.catalogue import Catalogue
from workflows.business.customer_file.cells import Cells
from workflows.business.customer_file.columns import COLUMNS, CONTRACT_COLUMNS, CUSTOMER_COLUMNS, HEADER, KEYS, REQUIRED
from workflows.business.customer_file.decoding import lines_of
from workflows.business.customer_file.layout import letter_of, rows_of
from workflows.business.customer_file.problems import ImportRefused, Problem, Unreadable, short
from workflows.business.customer_file.spool import Entry, Said, Spool, text_of

Progress = Callable[[int, int | None], None]

PROGRESS_STEP = 1000  # rows
_LEAST_LIKE = 3  # letters of ASCII; two stand somewhere in most titles


class Reader:
    """Reads a file into a spool."""

    def __init__(self, encoding: str, pattern: str, catalogue: Catalogue, tell: Progress, spool: Spool) -> None:
        self.encoding = encoding
        self.cells = Cells(pattern, catalogue)
        self.tell = tell
        self.spool = spool

    def read(self, file: BinaryIO) -> None:
        """The whole file. Raises ImportRefused where its beginning or its form leaves nothing to compare."""
        try:
            rows = rows_of(lines_of(file, self.encoding), lambda name: _folded(name) in HEADER)
            line, header = next(rows, (1, []))
            if not header:
                raise Unreadable(
                    1, _("ファイルが空です。1行目に列名が必要です: %(columns)s", columns=",".join(REQUIRED))
                )
            columns = self._columns(line, header)
            for count, (line, cells) in enumerate(rows, 1):
                self._row(line, columns, cells)
                if count % PROGRESS_STEP == 0:
                    self.tell(count, None)
        except Unreadable as stop:
            self.spool.add_problem(stop.problem)
            raise ImportRefused(*self.spool.problems()) from stop

    def _columns(self, line: int, header: Sequence[str]) -> list[str | None]:
        """The file's columns in its order, "" without a name, None where they cannot be read; that is noted.

        A misspelt name is taken for the one that is meant, so that what is wrong in its cells is told as well.

        Raises ImportRefused where a required one is missing: no row could be read without it.
        """
        columns: list[str | None] = []
        for position, title in enumerate(header):
            name = _folded(title)
            column, wrong = _column(name, position, columns, header)
            if wrong:
                self.spool.add_problem(Problem(line, short(title.strip()), wrong))
            columns.append(column)
        missing = [name for name in REQUIRED if name not in columns]
        for name in missing:
            self.spool.add_problem(Problem(line, name, _("必要な列がありません。")))
        if missing:
            raise ImportRefused(*self.spool.problems())
        self.spool.columns["customer"] = tuple(name for name in CUSTOMER_COLUMNS if name in columns)
        self.spool.columns["contract"] = tuple(name for name in CONTRACT_COLUMNS if name in columns)
        return columns

    def _row(self, line: int, columns: Sequence[str | None], cells: Sequence[str]) -> None:
        for position, cell in enumerate(cells):
            if cell.strip() and (position >= len(columns) or columns[position] == ""):
                message = _(
                    '見出しのない列に値があります。値に区切り文字が入るときは、値を引用符（"）で囲んでください。'
                )
                self.spool.add_problem(Problem(line, letter_of(position), message, short(cell)))
                return
        # Excel leaves the last cells out where sixteen rows have none there.
        padded = chain(cells, repeat(""))
        said = {name: self.cells.read(name, cell) for name, cell in zip(columns, padded) if name}  # noqa: B905
        self._add_row(line, said)

    def _add_row(self, line: int, said: Mapping[str, Said]) -> None:
        number, product, subdomain = (said[name].value for name in KEYS)
        environment = subdomain if isinstance(subdomain, typed.Subdomain) and isinstance(product, str) else None
        customer = Entry(line, _known(number), tuple(said[name] for name in self.spool.columns["customer"]))
        contract = Entry(
            line,
            customer.number,
            tuple(said[name] for name in self.spool.columns["contract"]),
            product if environment and isinstance(product, str) else "",
            environment.name if environment else "",
        )
        for name, cell in said.items():
            if isinstance(cell.value, Refusal):
                owner = contract if name in CONTRACT_COLUMNS else customer
                problem = Problem(line, name, cell.value.message, short(cell.text.strip()))
                self.spool.add_problem(problem, owner.owner if name not in KEYS else "", cell.text)
        self._check(line, said, environment)
        if customer.number:
            self._add_customer(customer)
            if environment:
                self._add_contract(contract)

    def _check(self, line: int, said: Mapping[str, Said], environment: typed.Subdomain | None) -> None:
        """What one cell says of another."""
        started, ended = said["started_on"].value, said["ended_on"].value if "ended_on" in said else None
        if isinstance(started, date) and isinstance(ended, date) and ended < started:
            message = _("終了日が開始日（%(started)s）より前です。", started=started.isoformat())
            self.spool.add_problem(Problem(line, "ended_on", message, ended.isoformat()))
        product = said["product"].value
        if environment and environment.product not in (None, product):
            message = _(
                "URLは %(product)s のものですが、product は %(given)s です。",
                product=environment.product,
                given=product,
            )
            self.spool.add_problem(Problem(line, "subdomain", message, short(said["subdomain"].text.strip())))

    def _add_customer(self, customer: Entry) -> None:
        first = self.spool.add_customer(customer)
        if first is None:
            return
        for name, before, cell in zip(self.spool.columns["customer"], first.said, customer.said, strict=True):
            if isinstance(before.value, Refusal) or isinstance(cell.value, Refusal) or before.value == cell.value:
                continue
            message = _(
                "%(first)s行目にある同じお客様（%(number)s）の値「%(value)s」と異なります。",
                first=first.line,
                number=customer.number,
                value=short(text_of(before.value)),
            )
            self.spool.add_problem(Problem(customer.line, name, message, short(text_of(cell.value))))

    def _add_contract(self, contract: Entry) -> None:
        first = self.spool.add_contract(contract)
        if first is None:
            return
        if first.number == contract.number:
            message = _("%(first)s行目と同じ契約です。1契約は1行にしてください。", first=first.line)
        else:
            message = _(
                "%(first)s行目で別のお客様（%(number)s）が同じサブドメインを使っています。",
                first=first.line,
                number=first.number,
            )
        self.spool.add_problem(Problem(contract.line, "subdomain", message, contract.subdomain))


def _column(
    name: str, position: int, before: Sequence[str | None], header: Sequence[str]
) -> tuple[str | None, Text | None]:
    """The column that a name of the header means, None where it means none; and what is wrong with the name."""
    letter = letter_of(position)
    if name in HEADER and name in before:
        return None, _("同じ列が2つあります（%(letter)s列）。", letter=letter)
    if name in HEADER or not name:
        return name, None
    others = [column for column in HEADER if column not in before and column not in map(_folded, header)]
    if near := _nearest(name, others):
        return near, _("この列はありません（%(letter)s列）。%(near)s ではありませんか。", letter=letter, near=near)
    if near := _nearest(name, HEADER):
        message = _(
            "この列はありません（%(letter)s列）。似た名前の %(near)s はほかにあります。", letter=letter, near=near
        )
        return None, message
    if others:
        listed = ",".join(others)
        return None, _("この列はありません（%(letter)s列）。ほかに使える列: %(others)s", letter=letter, others=listed)
    return None, _("この列はありません（%(letter)s列）。列ごと消してください。", letter=letter)


def _folded(name: str) -> str:
    """A column's name as the table has it."""
    return typed.normalise(name).lower()


def _nearest(name: str, others: Sequence[str]) -> str:
    """The name that may be meant by another one, or by a title in Japanese; "" where none is like it."""
    if len(name) < _LEAST_LIKE and name.isascii():
        return ""
    titled = [column.name for column in COLUMNS if column.name in others and name in column.holds.render("ja")]
    return next(iter(get_close_matches(name, others, 1) or titled), "")


def _known(number: Any) -> str:
    return number if isinstance(number, str) else ""
