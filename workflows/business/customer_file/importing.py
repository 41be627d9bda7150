"""Bringing the records in line with a file: comparing what it says with what there is, and writing the difference.

An import is all or nothing, and it knows three versions of every value: what the file says, what the record says, and
what the last import said. The last is kept as a digest a column in `imported`. Where record and last import differ,
somebody changed the value on the site since, and the file may overwrite it only when the operator says so. Whoever
erases what is personal must empty `imported` as well: the digest of a phone number is as good as the number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import peewee as pw

from engine.definition import Refusal
from engine.errors import TransitionConflict
from engine.store.base import database, transaction
from engine.text import _
from workflows.business.catalogue import DEFAULT_CATALOGUE, Catalogue
from workflows.business.customer_file.cells import (
    CONTRACT_COLUMNS,
    CUSTOMER_COLUMNS,
    DEFAULTS,
    HEADER,
    digest,
    digests,
    short,
    text_of,
)
from workflows.business.customer_file.reading import PROGRESS_STEP, FileTable, ImportRefused, Progress, Reader
from workflows.business.records import Contract, Customer
from workflows.organisation import CUSTOMER_NUMBER_PATTERN

_T = TypeVar("_T")

_STEP = 500  # rows a statement: below SQLite's 32766 and PostgreSQL's 65535 bound values


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
        table = Reader(encoding, pattern, catalogue, tell).read(opened)
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
        if self.done - self._told >= PROGRESS_STEP:
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


def _compare(table: FileTable, overwrite: bool, steps: _Steps) -> _Plan:
    """What would change, with the problems that only the records can tell added to the table's."""
    plan = _Plan()
    for numbers in _batches(list(table.customers)):
        customers = _rows_of(Customer.select().where(Customer.number.in_(numbers)).order_by(Customer.id))
        records = {record["number"]: record for record in customers}
        for number in numbers:
            said, record = table.customers[number], records.get(number)
            values = dict(zip(table.customer_columns, said.values, strict=True))
            if record is None:
                plan.new_customers.append({"number": number, **_complete(CUSTOMER_COLUMNS, values)})
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
                row = {"product": product, "subdomain": subdomain, **_complete(CONTRACT_COLUMNS, values)}
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
    contracts: dict[tuple[str, str], dict[str, Any]] = {}
    for product, names in subdomains.items():
        query = (
            Contract.select(Contract, Customer.number.alias("number"))
            .join(Customer)
            .where((Contract.product == product) & Contract.subdomain.in_(names))
            .order_by(Contract.id)
        )
        contracts.update(((product, record["subdomain"]), record) for record in _rows_of(query))
    return contracts


def _complete(columns: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """A new record: what the file says, and the default where it says nothing."""
    row = {name: values.get(name, DEFAULTS.get(name, "")) for name in columns}
    return {**row, "imported": digests(row)}


def _changes(
    table: FileTable, line: int, record: Mapping[str, Any], values: Mapping[str, Any], overwrite: bool
) -> dict[str, Any]:
    """The columns in which `record` has to change; what was changed on the site, and may not, is a problem."""
    last = dict(entry.split("=", 1) for entry in record["imported"].split() if "=" in entry)
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Refusal):
            continue
        now = record[name]
        if value != now:
            if not overwrite and last.get(name) != digest(now):
                message = _(
                    "サイトで登録・変更された値「%(now)s」を「%(value)s」で上書きします。"
                    "上書きしてよい場合は --overwrite を指定してください。",
                    now=short(text_of(now)),
                    value=short(text_of(value)),
                )
                table.add(line, name, message)
            changes[name] = value
        last[name] = digest(value)
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
