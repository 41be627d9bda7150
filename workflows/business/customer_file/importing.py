"""Bringing the records in line with a file: what it says, what there is, and writing the difference, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Any, BinaryIO, Literal

import peewee as pw

from engine.errors import TransitionConflict
from engine.store.base import database, transaction
from engine.store.many_rows import insert_rows
from workflows.business.catalogue import DEFAULT_CATALOGUE, Catalogue
from workflows.business.customer_file.cells import DEFAULTS, digests
from workflows.business.customer_file.columns import CONTRACT_COLUMNS, CUSTOMER_COLUMNS
from workflows.business.customer_file.comparing import Comparison
from workflows.business.customer_file.problems import ImportRefused
from workflows.business.customer_file.reading import PROGRESS_STEP, Progress, Reader
from workflows.business.customer_file.renaming import Rename, Renames
from workflows.business.customer_file.spool import STEP, Entry, Kind, Spool, State, Value
from workflows.business.records import Contract, Customer, CustomerAlias, QuietCustomer
from workflows.organisation import CUSTOMER_NUMBER_PATTERN

_PAGE = 1000  # contracts of the site at once
_ALONE = 4_106_773_205  # the advisory lock of an import: any number, but always this one


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How many customers and contracts were new, changed, or already as the file says. `customers_merged` have a number
    of before: they were merged into other customers, whose details the file does not change."""

    customers_new: int = 0
    customers_changed: int = 0
    customers_same: int = 0
    contracts_new: int = 0
    contracts_changed: int = 0
    contracts_same: int = 0
    customers_merged: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What an import changes: a customer, or one of its contracts, that is new or changed, or that the file leaves out;
    or a customer who was "merged" into another one, whose number is the field `number` after.

    `line` is where the file has it, 0 where it does not. `product` and `subdomain` are "" for a customer. `fields` are
    the columns that change, each with its value before and after.
    """

    kind: Literal["customer", "contract"]
    state: Literal["new", "changed", "missing", "merged"]
    number: str
    product: str = ""
    subdomain: str = ""
    line: int = 0
    fields: tuple[tuple[str, Value, Value], ...] = ()


def import_customers(
    file: BinaryIO | Path,
    *,
    encoding: str = "utf-8-sig",
    overwrite: bool = False,
    renames: Sequence[Rename] = (),
    dry_run: bool = False,
    pattern: str = CUSTOMER_NUMBER_PATTERN,
    catalogue: Catalogue = DEFAULT_CATALOGUE,
    progress: Progress | None = None,
    on_change: Callable[[Change], None] | None = None,
) -> ImportReport:
    """Bring the records in line with `file`, in one transaction; columns that the file leaves out stay as they are.

    New customers are quiet: nothing is mailed to them until they are invited, released (`releasing`), or have an
    account. Records that the file does not name stay too. `encoding` is any of Python's text encodings; a byte order
    mark counts more. `overwrite` lets the file win over changes made on the site, and `renames` say which contracts
    have another subdomain by now. With `dry_run` nothing is written. `progress` hears how many steps are done, of how
    many once that is known; `on_change` hears what was or would be changed, and at the end which contracts the file
    leaves out. Memory does not grow with the file.

    Raises ImportRefused with the problems of the file, TransitionConflict when somebody else wrote the same customer
    meanwhile, OSError when the file cannot be read, NoRoom when the temporary file cannot be written.
    """
    tell = progress or (lambda done, total: None)
    with Spool() as spool:
        with file.open("rb") if isinstance(file, Path) else nullcontext(file) as opened:
            Reader(encoding, pattern, catalogue, tell, spool).read(opened)
        rows = spool.count("customer") + spool.count("contract")
        steps = _Steps(tell, rows if dry_run else 2 * rows)
        comparison = Comparison(spool, overwrite, Renames(renames), not dry_run, steps.add)
        try:
            with nullcontext() if dry_run else transaction():
                if not dry_run:
                    _alone()
                _compare(comparison)
                if not dry_run:
                    _write(spool, steps)
        except pw.IntegrityError as error:
            raise TransitionConflict from error
        steps.finish()
        if on_change:
            for change in _changes(spool):
                on_change(change)
        return _report(spool)


def _alone() -> None:
    """Until the transaction ends no other import compares: it would not see what is new here, and write it again."""
    if database.obj.for_update:  # on SQLite a writer is alone
        database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_ALONE,))


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


def _compare(comparison: Comparison) -> None:
    comparison.run()
    problems, count = comparison.spool.problems()
    if problems:
        raise ImportRefused(problems, count)


def _report(spool: Spool) -> ImportReport:
    def count(kind: Kind, *states: State) -> int:
        return sum(spool.count(kind, state) for state in states)

    return ImportReport(
        customers_new=count("customer", "new"),
        customers_changed=count("customer", "changed"),
        customers_same=count("customer", "known", "same"),
        contracts_new=count("contract", "new"),
        contracts_changed=count("contract", "changed"),
        contracts_same=count("contract", "known", "same"),
        customers_merged=count("customer", "merged"),
    )


def _changes(spool: Spool) -> Iterator[Change]:
    """What is new or changed, in the order of the file, and then what it leaves out."""
    told = [_told(spool, kind, state) for kind in ("customer", "contract") for state in ("new", "changed", "merged")]
    yield from merge(*told, key=lambda change: change.line)
    renamed, last = spool.renamed(), 0
    while page := list(_page(last)):
        for contract, number, product, subdomain in page:
            last = contract
            if contract not in renamed and not spool.names(product, subdomain):
                yield Change("contract", "missing", number, product, subdomain)


def _told(spool: Spool, kind: Kind, state: Literal["new", "changed", "merged"]) -> Iterator[Change]:
    for entries in spool.batches(kind, state):
        for entry in entries:
            fields = tuple(change for change in entry.changes if change[0] != "imported")
            yield Change(kind, state, entry.number, entry.product, entry.subdomain, entry.line, fields)


def _page(last: int) -> Any:
    query: Any = Contract.select(Contract.id, Customer.number, Contract.product, Contract.subdomain).join(Customer)
    return query.where(Contract.id > last).order_by(Contract.id).limit(_PAGE).tuples().iterator()


def _new(columns: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """A new record: what the file says, and the default where it says nothing."""
    row = {name: values.get(name, DEFAULTS.get(name, "")) for name in columns}
    return {**row, "imported": digests(row)}


def _write(spool: Spool, steps: _Steps) -> None:
    for customers in spool.batches("customer", "new"):
        rows = [
            {"number": entry.number, **_new(CUSTOMER_COLUMNS, _values(spool, "customer", entry))} for entry in customers
        ]
        insert_rows(Customer, rows)
        new = Customer.select(Customer.id).where(Customer.number.in_([entry.number for entry in customers]))
        QuietCustomer.insert_from(new, [QuietCustomer.customer]).execute()
        steps.add(len(rows))
    _update(spool, "customer", Customer, steps)
    for contracts in spool.batches("contract", "new"):
        ids = _ids({entry.number for entry in contracts})
        rows = [
            {
                "customer": ids[entry.number],
                "product": entry.product,
                "subdomain": entry.subdomain,
                **_new(CONTRACT_COLUMNS, _values(spool, "contract", entry)),
            }
            for entry in contracts
        ]
        insert_rows(Contract, rows)
        steps.add(len(rows))
    _update(spool, "contract", Contract, steps)
    if spool.count("customer", "new") + spool.count("contract", "new") > STEP and database.obj.for_update:
        # PostgreSQL may have counted the tables while our rows were not visible yet; as long as it takes them for empty
        # it reads them from end to end for every statement (tried: ten times slower).
        database.execute_sql("ANALYZE customer, contract")


def _update(spool: Spool, kind: Kind, model: Any, steps: _Steps) -> None:
    for state in ("changed", "known"):
        for entries in spool.batches(kind, state):
            for entry in entries:
                changes = {name: value for name, _before, value in entry.changes}
                model.update(changes).where(model.id == entry.record).execute()
            steps.add(len(entries))


def _values(spool: Spool, kind: Kind, entry: Entry) -> dict[str, Any]:
    return {name: said.value for name, said in zip(spool.columns[kind], entry.said, strict=True)}


def _ids(numbers: set[str]) -> dict[str, int]:
    customers: Any = Customer.select(Customer.number, Customer.id).where(Customer.number.in_(list(numbers)))
    merged: Any = CustomerAlias.select(CustomerAlias.number, CustomerAlias.customer)
    return dict(customers.tuples()) | dict(merged.where(CustomerAlias.number.in_(list(numbers))).tuples())
