"""Comparing what the file says with what there is: the state of each customer and contract, and what would change.

Three versions of every value are known: what the file says, what the record says, and what the last import said. The
last is kept as a digest a column in `imported`. Where record and last import differ, somebody changed the value on the
site since, and the file may overwrite it only when the operator says so. A cell that says, letter by letter, what the
record says changes nothing, whatever rule for such cells has come since. Whoever erases what is personal must empty
`imported` as well: the digest of a phone number is as good as the number.

A number of before, of a customer who was merged into another one, stands for that one: its contracts are compared with
theirs, and what the file says about the customer is left alone, because the details of the one who stayed hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.definition import Refusal
from engine.store.base import database
from engine.text import _
from workflows.business.customer_aliases import numbers_of_today
from workflows.business.customer_file.cells import DEFAULTS, digest
from workflows.business.customer_file.problems import Problem, short
from workflows.business.customer_file.renaming import Rename, Renames, perhaps_renamed
from workflows.business.customer_file.spool import Entry, Key, Kind, Spool, State, Value, text_of
from workflows.business.records import Contract, Customer, RemovedCustomer
from workflows.business.request_number import request_number

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison goes by: `locks` holds the records until commit, `advance` hears how many more are done."""

    spool: Spool
    overwrite: bool
    renames: Renames
    locks: bool
    advance: Callable[[int], None]

    def run(self) -> None:
        """Decide what becomes of each customer and contract of the file, and note what only records show as wrong."""
        for customers in self.spool.batches("customer"):
            self._customers(customers)
            self.advance(len(customers))
        for contracts in self.spool.batches("contract"):
            self._contracts(contracts)
            self.advance(len(contracts))
        for rename in self.renames.unmet:
            message = _("%(rename)s: %(new)s の契約がファイルにありません。", rename=rename.text, new=rename.new)
            self.spool.add_problem(Problem(0, "--rename", message))

    def _customers(self, entries: Sequence[Entry]) -> None:
        numbers = [entry.number for entry in entries]
        records = self._numbered(numbers)
        of_before = numbers_of_today([number for number in numbers if number not in records])
        today = {**records, **(self._numbered(list(of_before.values())) if of_before else {})}
        for entry in entries:
            record = today.get(of_before.get(entry.number, entry.number))
            if record is not None and record["removed_on"] is not None:
                self._refuse_removed(entry, record)
            elif entry.number in of_before:
                self.spool.keep(
                    "customer", "merged", entry._replace(changes=(("number", entry.number, of_before[entry.number]),))
                )
            else:
                self._decide("customer", entry, record)

    def _numbered(self, numbers: Sequence[str]) -> dict[str, Record]:
        query = Customer.select().where(Customer.number.in_(numbers)).order_by(Customer.id)
        return {record["number"]: record for record in self._rows(query)}

    def _refuse_removed(self, entry: Entry, record: Record) -> None:
        """Who was removed comes back by no file: their people were told that they are forgotten."""
        removed = RemovedCustomer.get(RemovedCustomer.customer == record["id"])
        message = _(
            "このお客様は、%(day)sに削除されています（お客様の削除、受付番号 %(act)s）。"
            "行をファイルから除いてください。",
            day=record["removed_on"].isoformat(),
            act=request_number(removed.instance),
        )
        self.spool.add_problem(Problem(entry.line, "customer_number", message, entry.number))

    def _contracts(self, entries: Sequence[Entry]) -> None:
        records = self._by_key([(entry.product, entry.subdomain) for entry in entries])
        before = self._by_key(self.renames.old_keys(entries))
        new = [entry for entry in entries if (entry.product, entry.subdomain) not in records]
        today = numbers_of_today({entry.number for entry in entries})
        left_out = self._left_out(new, today)
        for entry in entries:
            number = today.get(entry.number, entry.number)
            record = records.get((entry.product, entry.subdomain))
            rename = self.renames.of(entry)
            if rename:
                record = self._renamed(entry, rename, before.get((entry.product, rename.old)), record)
            elif record is None and (others := left_out.get((number, entry.product))):
                self._refuse_new(entry, others)
            if record is not None and record["number"] != number:
                message = _(
                    "このサブドメインは別のお客様（%(number)s）の契約として登録されています。", number=record["number"]
                )
                self.spool.add_problem(Problem(entry.line, "subdomain", message, entry.subdomain))
            else:
                self._decide("contract", entry, record)

    def _renamed(self, entry: Entry, rename: Rename, old: Record | None, new: Record | None) -> Record | None:
        """The record of a contract that is said to have had another name; once it has been renamed, the one it has."""
        message = None
        if old is not None and new is not None:
            message = _("%(rename)s: どちらの契約もサイトにあります。", rename=rename.text)
        elif old is None and new is None:
            message = _("%(rename)s: %(old)s の契約がサイトにありません。", rename=rename.text, old=rename.old)
        elif self.spool.names(entry.product, rename.old):
            message = _("%(rename)s: %(old)s の行もファイルにあります。", rename=rename.text, old=rename.old)
        if message:
            self.spool.add_problem(Problem(entry.line, "subdomain", message, entry.subdomain))
        return new if new is not None else old

    def _refuse_new(self, entry: Entry, others: Sequence[Record]) -> None:
        started = entry.said[self.spool.columns["contract"].index("started_on")].value
        left_out = [
            record["subdomain"]
            for record in others
            if record["ended_on"] is None or not isinstance(started, date) or record["ended_on"] >= started
        ]
        if left_out:
            problem = Problem(entry.line, "subdomain", perhaps_renamed(entry, left_out), entry.subdomain)
            self.spool.add_problem(problem)

    def _decide(self, kind: Kind, entry: Entry, record: Record | None) -> None:
        if record is None:
            self.spool.keep(kind, "new", entry)
            return
        changes = self._changes(kind, entry, record)
        shows = any(name != "imported" for name, *_values in changes)
        state: State = "changed" if shows else "known" if changes else "same"
        self.spool.keep(kind, state, entry._replace(record=record["id"], changes=tuple(changes)))

    def _changes(self, kind: Kind, entry: Entry, record: Record) -> list[tuple[str, Value, Value]]:
        """The columns in which the record has to change; what was changed on the site, and may not, is a problem."""
        last = dict(said.split("=", 1) for said in record["imported"].split() if "=" in said)
        changes: list[tuple[str, Value, Value]] = []
        if kind == "contract" and record["subdomain"] != entry.subdomain:
            changes.append(("subdomain", record["subdomain"], entry.subdomain))
        for name, said in zip(self.spool.columns[kind], entry.said, strict=True):
            now, value = record[name], said.value
            if said.text == text_of(now):
                if isinstance(value, Refusal):
                    self.spool.excuse(entry.owner, name, said.text)
                value = now
            elif isinstance(value, Refusal):
                continue
            if value != now:
                younger = bool(last) and name not in last and now == DEFAULTS.get(name)  # than the last import
                if not (self.overwrite or younger or last.get(name) == digest(now)):
                    self._refuse_change(entry, name, now, value)
                changes.append((name, now, value))
            last[name] = digest(value)
        imported = " ".join(f"{name}={digest}" for name, digest in last.items())
        if imported != record["imported"]:
            changes.append(("imported", record["imported"], imported))
        return changes

    def _refuse_change(self, entry: Entry, name: str, now: Value, value: Value) -> None:
        message = _(
            "サイトで登録・変更された値「%(now)s」を「%(value)s」で上書きします。"
            "上書きしてよい場合は --overwrite を指定してください。",
            now=short(text_of(now)),
            value=short(text_of(value)),
        )
        self.spool.add_problem(Problem(entry.line, name, message))

    def _by_key(self, keys: Sequence[Key]) -> dict[Key, Record]:
        """The registered contracts among `keys`, each with its customer's `number`."""
        subdomains: dict[str, list[str]] = {}
        for product, subdomain in keys:
            subdomains.setdefault(product, []).append(subdomain)
        contracts: dict[Key, Record] = {}
        for product, names in subdomains.items():
            where = (Contract.product == product) & Contract.subdomain.in_(names)
            contracts.update(((product, record["subdomain"]), record) for record in self._rows(_with_numbers(where)))
        return contracts

    def _left_out(self, new: Sequence[Entry], today: Mapping[str, str]) -> dict[tuple[str, str], list[Record]]:
        """The registered contracts that the file leaves out, by customer number and product, of these customers.
        `today` has the numbers of those who were merged into another one."""
        numbers = list({today.get(entry.number, entry.number) for entry in new})
        left_out: dict[tuple[str, str], list[Record]] = {}
        for record in self._rows(_with_numbers(Customer.number.in_(numbers))) if numbers else ():
            if not self.spool.names(record["product"], record["subdomain"]):
                left_out.setdefault((record["number"], record["product"]), []).append(record)
        return left_out

    def _rows(self, query: Any) -> Iterator[Record]:
        """The rows of a query; locked where the database can lock rows. SQLite has locked the whole file."""
        if self.locks and database.obj.for_update:
            query = query.for_update()
        return iter(query.dicts().iterator())


def _with_numbers(where: Any) -> Any:
    query = Contract.select(Contract, Customer.number.alias("number")).join(Customer)
    return query.where(where).order_by(Contract.id)
