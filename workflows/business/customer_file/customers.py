"""Customers and their contracts as a CSV file: one row a contract, its customer's columns repeated on each.

An import is all or nothing, and it knows three versions of every value: what the file says, what the record says, and
what the last import said. The last is kept as a digest a column in `imported`. Where record and last import differ,
somebody changed the value on the site since, and the file may overwrite it only when the operator says so. Whoever
erases what is personal must empty `imported` as well: the digest of a phone number is as good as the number.

Files follow RFC 4180. A cell that a spreadsheet would run as a formula (OWASP, "CSV Injection") is written with an
apostrophe before it, and exactly that apostrophe is taken off when it is read.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import peewee as pw

from engine.definition import Refusal
from engine.errors import EngineError, TransitionConflict
from engine.store.base import database, transaction
from engine.text import Text, _
from workflows.business import typed
from workflows.business.catalogue import BILLING_MODES, CHANNELS, CUSTOMER_NUMBER_PATTERN, DEFAULT_CATALOGUE, Catalogue
from workflows.business.records import Contract, Customer

Progress = Callable[[int, int | None], None]
Value = str | int | date | None
_T = TypeVar("_T")

REQUIRED = (
    "customer_number",
    "company",
    "channel",
    "contractor_name",
    "contractor_email",
    "product",
    "subdomain",
    "term",
    "payment_method",
    "users",
    "started_on",
)
OPTIONAL = (
    "contractor_person",
    "contractor_phone",
    "contractor_postcode",
    "contractor_address",
    "billing_name",
    "billing_postcode",
    "billing_address",
    "billing_mode",
    "options",
    "ended_on",
)
HEADER = (*REQUIRED, *OPTIONAL)

_CONTRACT_COLUMNS = ("term", "payment_method", "users", "started_on", "options", "ended_on")
_KEYS = ("customer_number", "product", "subdomain")
_CUSTOMER_COLUMNS = tuple(name for name in HEADER if name not in _KEYS and name not in _CONTRACT_COLUMNS)
# What a new record says in the columns that the file leaves out or empty.
_DEFAULTS: Mapping[str, Value] = {"billing_mode": "postcard", "ended_on": None}

_MOST_USERS = 9_999_999  # far below what an integer column holds, far above what anybody licenses
_LONGEST_LINE = 1 << 20  # bytes; a longer one is no table of customers
_LONGEST_OPTIONS = 1000
_STEP = 500  # rows a statement: below SQLite's 32766 and PostgreSQL's 65535 bound values
_PROGRESS_STEP = 1000

# A cell that a spreadsheet runs, or one that would read as such a cell with our apostrophe before it.
_RISKY = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_ESCAPED = re.compile("'+[=+\\-@\t\r\n＝＋－＠]")

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})")
_PHONE = re.compile(r"[+(]?[0-9][0-9() .-]{3,}(?:(?:内線|ext\.?)\s*[0-9]+)?", re.IGNORECASE)
_OPTION = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


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


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How many customers and contracts were new, changed, or already as the file says."""

    customers_new: int = 0
    customers_changed: int = 0
    customers_same: int = 0
    contracts_new: int = 0
    contracts_changed: int = 0
    contracts_same: int = 0


def import_customers(
    file: BinaryIO | Path,
    *,
    encoding: str = "utf-8-sig",
    overwrite: bool = False,
    pattern: str = CUSTOMER_NUMBER_PATTERN,
    catalogue: Catalogue = DEFAULT_CATALOGUE,
    progress: Progress | None = None,
) -> ImportReport:
    """Bring the records in line with `file`, in one transaction; columns that the file leaves out stay as they are.

    Records that the file does not name stay too. `encoding` is any of Python's text encodings. `overwrite` lets the
    file win over changes made on the site. `progress` hears how many steps are done, of how many once that is known.
    Raises ImportRefused with every problem of the file, TransitionConflict when somebody else wrote the same customer
    meanwhile, OSError when the file cannot be read.
    """
    tell = progress or (lambda done, total: None)
    with file.open("rb") if isinstance(file, Path) else nullcontext(file) as opened:
        table = _Reader(encoding, pattern, catalogue, tell).read(opened)
    steps = _Steps(tell, 2 * (len(table.customers) + len(table.contracts)))
    try:
        with transaction():
            plan = _compare(table, overwrite, steps)
            if table.problems:
                order = {name: position for position, name in enumerate(HEADER)}
                raise ImportRefused(sorted(table.problems, key=lambda p: (p.line, order.get(p.column, -1))))
            _write(plan, steps)
            if plan.counts["customers_new"] + plan.counts["contracts_new"] > _STEP and database.obj.for_update:
                # PostgreSQL may have counted the tables while our rows were not visible yet; as long as it takes them
                # for empty it reads them from end to end for every statement (tried: ten times slower).
                database.execute_sql("ANALYZE customer, contract")
    except pw.IntegrityError as error:
        raise TransitionConflict from error
    return plan.report


def export_customers(file: BinaryIO) -> int:
    """Write all contracts with their customers to `file`, as `import_customers` reads them; how many rows it was.

    UTF-8 with a byte order mark, so that spreadsheets recognise it. A customer without a contract has no row. Memory
    does not grow with the number of customers; `file` stays open.
    """
    written = 0
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        rows = csv.writer(text, lineterminator="\r\n")
        rows.writerow(HEADER)
        last = 0
        while customers := list(
            Customer.select().where(Customer.id > last).order_by(Customer.id).limit(_STEP).dicts().iterator()
        ):
            last = customers[-1]["id"]
            by_id = {customer["id"]: customer for customer in customers}
            contracts = Contract.select().where(Contract.customer.in_(list(by_id)))
            for contract in contracts.order_by(Contract.customer, Contract.id).dicts().iterator():
                customer = by_id[contract["customer"]]
                values = {**customer, **contract, "customer_number": customer["number"]}
                rows.writerow([escape(_cell(values[name])) for name in HEADER])
                written += 1
    finally:
        text.flush()
        text.detach()
    return written


# Cells


def _cell(value: Value) -> str:
    """A value as the file says it."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


def escape(cell: str) -> str:
    """A cell as files have it: an apostrophe stands before what a spreadsheet would run."""
    return "'" + cell if _RISKY.match(cell) else cell


def _unescape(cell: str) -> str:
    return cell[1:] if _ESCAPED.match(cell) else cell


def _digest(value: Value) -> str:
    # 48 bits: two values of one record's column that are taken for the same by chance would be a wonder.
    return blake2b(_cell(value).encode(), digest_size=6).hexdigest()


def _digests(values: Mapping[str, Value]) -> str:
    return " ".join(f"{name}={_digest(value)}" for name, value in values.items())


def _bad(message: Text) -> Refusal:
    return Refusal("import_value", message)


def _one_of(value: str, allowed: Mapping[str, object]) -> str | Refusal:
    name = typed.normalise(value).lower()
    if name in allowed:
        return name
    return _bad(_("「%(value)s」は使えません。使える値: %(allowed)s", value=_short(value), allowed=", ".join(allowed)))


def _short(value: str) -> str:
    """A value for a message: its beginning, on one line."""
    shown = "".join(c if c.isprintable() else "?" for c in value[:41])
    return shown[:40] + "…" if len(shown) > 40 else shown


def _users(value: str) -> int | Refusal:
    digits = typed.normalise(value)
    if re.fullmatch("[0-9]{1,9}", digits) and 1 <= int(digits) <= _MOST_USERS:
        return int(digits)
    message = _("「%(value)s」は1以上%(most)s以下の整数ではありません。", value=_short(value), most=_MOST_USERS)
    return _bad(message)


def _day(value: str) -> date | Refusal:
    match = _DATE.fullmatch(typed.normalise(value))
    if match:
        try:
            return date(*(int(part) for part in match.groups() if part is not None))
        except ValueError:
            return _bad(_("「%(value)s」という日付はありません。", value=_short(value)))
    return _bad(_("「%(value)s」は日付として読めません。例: 2024-04-01", value=_short(value)))


def _postcode(value: str) -> str | Refusal:
    found = typed.postcode(value, "")
    if isinstance(found, str):
        return found
    return _bad(_("「%(value)s」は郵便番号として読めません。例: 100-0001", value=_short(value)))


def _phone(value: str) -> str | Refusal:
    number = typed.dashed(value)
    if len(number) <= Customer.contractor_phone.max_length and _PHONE.fullmatch(number):
        return number
    return _bad(_("「%(value)s」は電話番号として読めません。例: 03-1234-5678", value=_short(value)))


def _options(value: str) -> str | Refusal:
    names = typed.normalise(value).lower().split()
    for name in names:
        if not _OPTION.fullmatch(name):
            message = _("「%(value)s」はオプション名として読めません。空白で区切ってください。", value=_short(name))
            return _bad(message)
    joined = " ".join(dict.fromkeys(names))
    if len(joined) > _LONGEST_OPTIONS:
        return _bad(_("%(most)s文字以内でご入力ください。", most=_LONGEST_OPTIONS))
    return joined


def _line(name: str) -> Callable[[str], str | Refusal]:
    most: int = getattr(Customer, name).max_length
    return lambda value: typed.single_line(value, name, most)


def _parsers(pattern: str, catalogue: Catalogue) -> dict[str, Callable[[str], Any]]:
    """How each column is read: a function from the stripped cell, never empty, to its value or a Refusal."""
    return {
        "customer_number": lambda value: typed.customer_number(value, pattern),
        "company": _line("company"),
        "channel": lambda value: _one_of(value, CHANNELS),
        "contractor_name": _line("contractor_name"),
        "contractor_email": typed.email,
        "product": lambda value: _one_of(value, catalogue.products),
        "subdomain": lambda value: typed.subdomain(value, catalogue),
        "term": lambda value: _one_of(value, catalogue.terms),
        "payment_method": lambda value: _one_of(value, catalogue.payment_methods),
        "users": _users,
        "started_on": _day,
        "contractor_person": _line("contractor_person"),
        "contractor_phone": _phone,
        "contractor_postcode": _postcode,
        "contractor_address": _line("contractor_address"),
        "billing_name": _line("billing_name"),
        "billing_postcode": _postcode,
        "billing_address": _line("billing_address"),
        "billing_mode": lambda value: _one_of(value, BILLING_MODES),
        "options": _options,
        "ended_on": _day,
    }


# Reading: nothing in this part looks at the database


@dataclass(slots=True)
class _FileCustomer:
    """A customer as the file says it: the line where it stands first; `values` by `_Table.customer_columns`.

    A value that could not be read is its Refusal.
    """

    line: int
    values: tuple[Any, ...]


@dataclass(slots=True)
class _FileContract:
    """A contract as the file says it; `values` by `_Table.contract_columns`."""

    line: int
    number: str
    values: tuple[Any, ...]


@dataclass(slots=True)
class _Table:
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


class _Reader:
    """Reads a file into a `_Table`."""

    def __init__(self, encoding: str, pattern: str, catalogue: Catalogue, tell: Progress) -> None:
        self.encoding = encoding
        self.catalogue = catalogue
        self.parsers = _parsers(pattern, catalogue)
        self.tell = tell
        self.table = _Table()

    def read(self, file: BinaryIO) -> _Table:
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
                if count % _PROGRESS_STEP == 0:
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
                    name=_short(name),
                    columns=",".join(HEADER),
                )
                self.table.add(line, _short(name), message)
            elif name in columns[:position]:
                self.table.add(line, name, _("同じ列が2つあります。"))
        for name in REQUIRED:
            if name not in columns:
                self.table.add(line, name, _("必要な列がありません。"))
        self.table.customer_columns = tuple(name for name in _CUSTOMER_COLUMNS if name in columns)
        self.table.contract_columns = tuple(name for name in _CONTRACT_COLUMNS if name in columns)
        return columns

    def _row(self, line: int, cells: Mapping[str, str]) -> None:
        values = {name: self._value(line, name, cell) for name, cell in cells.items()}
        number, product, subdomain = (values[name] for name in _KEYS)
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
        cell = _unescape(cell).strip()
        if not cell:
            if name not in REQUIRED:
                return _DEFAULTS.get(name, "")
            value = _bad(_("値がありません。"))
        else:
            value = self.parsers[name](cell)
            if value == "" and name in REQUIRED:  # nothing but invisible characters
                value = _bad(_("値がありません。"))
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
                    value=_short(_cell(before)),
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
            message = _("文字コード「%(encoding)s」はありません。例: utf-8, cp932", encoding=_short(self.encoding))
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


# Comparing and writing


class _Steps:
    """Counts what is done and tells it now and then."""

    def __init__(self, tell: Progress, total: int) -> None:
        self.tell = tell
        self.total = total
        self.done = 0
        self._told = 0
        tell(0, total)

    def add(self, count: int) -> None:
        """`count` more are done."""
        self.done += count
        if self.done - self._told >= _PROGRESS_STEP:
            self._told = self.done
            self.tell(self.done, self.total)

    def finish(self) -> None:
        """All is done: what was the same already needed no writing."""
        self.tell(self.total, self.total)


@dataclass(slots=True)
class _Plan:
    """What there is to write; `ids` are those of the customers that there are already, by number."""

    ids: dict[str, int] = field(default_factory=dict)
    new_customers: list[dict[str, Any]] = field(default_factory=list)
    changed_customers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    new_contracts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    changed_contracts: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def report(self) -> ImportReport:
        """What it comes to."""
        return ImportReport(**self.counts)


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), _STEP):
        yield items[start : start + _STEP]


def _rows_of(query: Any) -> Iterator[dict[str, Any]]:
    """The rows of a query, locked until commit where the database can lock rows; SQLite has locked the whole file."""
    if database.obj.for_update:
        query = query.for_update()
    return iter(query.dicts().iterator())


def _compare(table: _Table, overwrite: bool, steps: _Steps) -> _Plan:
    """What would change, with the problems that only the records can tell added to the table's."""
    plan = _Plan()
    for numbers in _batches(list(table.customers)):
        found = _rows_of(Customer.select().where(Customer.number.in_(numbers)).order_by(Customer.id))
        records = {record["number"]: record for record in found}
        for number in numbers:
            said, record = table.customers[number], records.get(number)
            values = dict(zip(table.customer_columns, said.values, strict=True))
            if record is None:
                plan.new_customers.append({"number": number, **_complete(_CUSTOMER_COLUMNS, values)})
                plan.counts["customers_new"] += 1
                continue
            plan.ids[number] = record["id"]
            changes = _changes(table, said.line, record, values, overwrite)
            if changes:
                plan.changed_customers.append((record["id"], changes))
            plan.counts["customers_changed" if _shows(changes) else "customers_same"] += 1
        steps.add(len(numbers))
    for keys in _batches(list(table.contracts)):
        contracts = _contracts(keys)
        for key in keys:
            contract, record = table.contracts[key], contracts.get(key)
            values = dict(zip(table.contract_columns, contract.values, strict=True))
            if record is None:
                product, subdomain = key
                row = {"product": product, "subdomain": subdomain, **_complete(_CONTRACT_COLUMNS, values)}
                plan.new_contracts.append((contract.number, row))
                plan.counts["contracts_new"] += 1
            elif record["number"] != contract.number:
                message = _(
                    "このサブドメインは別のお客様（%(number)s）の契約として登録されています。", number=record["number"]
                )
                table.add(contract.line, "subdomain", message)
            else:
                changes = _changes(table, contract.line, record, values, overwrite)
                if changes:
                    plan.changed_contracts.append((record["id"], changes))
                plan.counts["contracts_changed" if _shows(changes) else "contracts_same"] += 1
        steps.add(len(keys))
    return plan


def _contracts(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The registered contracts among `keys`, each with its customer's `number`."""
    subdomains: dict[str, list[str]] = {}
    for product, subdomain in keys:
        subdomains.setdefault(product, []).append(subdomain)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for product, names in subdomains.items():
        query = (
            Contract.select(Contract, Customer.number.alias("number"))
            .join(Customer)
            .where((Contract.product == product) & Contract.subdomain.in_(names))
            .order_by(Contract.id)
        )
        found.update(((product, record["subdomain"]), record) for record in _rows_of(query))
    return found


def _complete(columns: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """A new record: what the file says, and the default where it says nothing."""
    row = {name: values.get(name, _DEFAULTS.get(name, "")) for name in columns}
    return {**row, "imported": _digests(row)}


def _changes(
    table: _Table, line: int, record: Mapping[str, Any], values: Mapping[str, Any], overwrite: bool
) -> dict[str, Any]:
    """The columns in which `record` has to change; what was changed on the site, and may not, is a problem."""
    last = dict(entry.split("=", 1) for entry in record["imported"].split() if "=" in entry)
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Refusal):
            continue
        now = record[name]
        if value != now:
            if not overwrite and last.get(name) != _digest(now):
                message = _(
                    "サイトで登録・変更された値「%(now)s」を「%(value)s」で上書きします。"
                    "上書きしてよい場合は --overwrite を指定してください。",
                    now=_short(_cell(now)),
                    value=_short(_cell(value)),
                )
                table.add(line, name, message)
            changes[name] = value
        last[name] = _digest(value)
    imported = " ".join(f"{name}={digest}" for name, digest in last.items())
    if imported != record["imported"]:
        changes["imported"] = imported
    return changes


def _shows(changes: Mapping[str, Any]) -> bool:
    """Whether anybody but the next import can see the changes."""
    return any(name != "imported" for name in changes)


def _write(plan: _Plan, steps: _Steps) -> None:
    ids = dict(plan.ids)
    for customers in _batches(plan.new_customers):
        Customer.insert_many(customers).execute()
        numbers = [customer["number"] for customer in customers]
        made: Any = Customer.select(Customer.number, Customer.id).where(Customer.number.in_(numbers))
        ids.update((number, id) for number, id in made.tuples())
        steps.add(len(customers))
    for customer, changes in plan.changed_customers:
        Customer.update(changes).where(Customer.id == customer).execute()
        steps.add(1)
    for contracts in _batches(plan.new_contracts):
        Contract.insert_many([{"customer": ids[number], **row} for number, row in contracts]).execute()
        steps.add(len(contracts))
    for contract, changes in plan.changed_contracts:
        Contract.update(changes).where(Contract.id == contract).execute()
        steps.add(1)
    steps.finish()
