"""A file as it was read, and what it comes to: kept outside memory until all of it is known.

An import is all or nothing, so nothing can be written before the last row was read; and 100,000 rows are more than a
process should hold. They wait in a temporary database of SQLite's that has no name: the system takes it back with the
process, however that ends, and nobody else can open it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from engine.definition import Refusal
from engine.text import Text
from workflows.business.customer_file.columns import DATES, HEADER
from workflows.business.customer_file.problems import NoRoom, Problem

Value = str | int | date | None
Kind = Literal["customer", "contract"]
State = Literal["new", "changed", "known", "same", "merged"]
"""Known: only what the last import said is another. Merged: the customer is another one by now, whose details hold."""

Key = tuple[str, str]  # product and subdomain

MOST_PROBLEMS = 1000  # that are told; more are counted
STEP = 500  # records at once: below SQLite's 32766 and PostgreSQL's 65535 bound values a statement

_TABLES = """
CREATE TABLE customer (line INTEGER PRIMARY KEY, number TEXT UNIQUE, said TEXT, state TEXT, record INTEGER,
    changes TEXT);
CREATE TABLE contract (line INTEGER PRIMARY KEY, number TEXT, product TEXT, subdomain TEXT, said TEXT, state TEXT,
    record INTEGER, changes TEXT, UNIQUE (product, subdomain));
CREATE TABLE problem (line INTEGER, position INTEGER, name TEXT, message TEXT, found TEXT, owner TEXT, cell TEXT);
CREATE INDEX problem_of ON problem (owner, name);
"""
_UNREAD = Refusal("import_value", Text(""))


class Said(NamedTuple):
    """What a cell says: its value, or why there is none, and the text from which it was read."""

    value: Any  # Value | Refusal; a subdomain is a typed.Subdomain, until it has become a key
    text: str


class Entry(NamedTuple):
    """A customer or a contract of the file: the line where it stands first, and its cells by the file's columns.

    `product` and `subdomain` are "" for a customer. `record` is the one on the site, None where there is none.
    `changes` are the columns in which the record differs, each with the value that it has and the one that it gets.
    """

    line: int
    number: str
    said: tuple[Said, ...]
    product: str = ""
    subdomain: str = ""
    record: int | None = None
    changes: tuple[tuple[str, Value, Value], ...] = ()

    @property
    def owner(self) -> str:
        """Whom a problem of its cells belongs to."""
        return f"{self.product}\t{self.subdomain}" if self.product else self.number


class Spool:
    """The file's customers and contracts, its problems, and, once it was compared, the state of each; a context."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # no name: a temporary file, removed once it is open
        self._db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; {_TABLES}")
        self.columns: dict[Kind, tuple[str, ...]] = {"customer": (), "contract": ()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()

    def add_customer(self, entry: Entry) -> Entry | None:
        """Take a customer in; the one that was there before, where it says anything else."""
        said = _json(entry)
        query = "INSERT INTO customer (line, number, said) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        if self._run(query, (entry.line, entry.number, said)).rowcount:
            return None
        first = self._run("SELECT said FROM customer WHERE number = ?", (entry.number,)).fetchone()
        return None if first == (said,) else next(self._entries("customer", "number = ?", (entry.number,)))

    def add_contract(self, entry: Entry) -> Entry | None:
        """Take a contract in; the one that was there before under its name."""
        columns = "(line, number, product, subdomain, said)"
        query = f"INSERT INTO contract {columns} VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        key = (entry.product, entry.subdomain)
        if self._run(query, (entry.line, entry.number, *key, _json(entry))).rowcount:
            return None
        return next(self._entries("contract", "product = ? AND subdomain = ?", key))

    def add_problem(self, problem: Problem, owner: str = "", cell: str = "") -> None:
        """Note a problem; with its owner and the cell's text where a record that says the same would excuse it."""
        position = HEADER.index(problem.column) if problem.column in HEADER else -1
        message = json.dumps(problem.message, default=_parts, ensure_ascii=False)
        values = (problem.line, position, problem.column, message, problem.found, owner, cell)
        self._run("INSERT INTO problem VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def excuse(self, owner: str, name: str, cell: str) -> None:
        """Take back that the cell could not be read: the record says the same, and may be older than the rule."""
        self._run("DELETE FROM problem WHERE owner = ? AND name = ? AND cell = ?", (owner, name, cell))

    def problems(self) -> tuple[list[Problem], int]:
        """The first problems by line and column, at most 1000, and how many there are."""
        query = "SELECT line, name, message, found FROM problem ORDER BY line, position, rowid LIMIT ?"
        problems = [
            Problem(line, name, json.loads(message, object_hook=_text), shown)
            for line, name, message, shown in self._run(query, (MOST_PROBLEMS,))
        ]
        return problems, self._run("SELECT count(*) FROM problem").fetchone()[0]

    def count(self, kind: Kind, state: State | None = None) -> int:
        """How many customers or contracts the file has, of all states or of one."""
        query = f"SELECT count(*) FROM {kind} WHERE ? IN (state, '')"
        rows: int = self._run(query, (state or "",)).fetchone()[0]
        return rows

    def batches(self, kind: Kind, state: State | None = None) -> Iterator[list[Entry]]:
        """The file's customers or contracts in its order, some hundred at once."""
        where = "line > ? AND ? IN (state, '') ORDER BY line LIMIT ?"
        last = 0
        while entries := list(self._entries(kind, where, (last, state or "", STEP))):
            last = entries[-1].line
            yield entries

    def keep(self, kind: Kind, state: State, entry: Entry) -> None:
        """Keep what the entry comes to: its state, with the record and the changes that it has by now."""
        changes = [[name, *map(_plain, values)] for name, *values in entry.changes]
        values = (state, entry.record, json.dumps(changes, ensure_ascii=False) if changes else None, entry.line)
        self._run(f"UPDATE {kind} SET state = ?, record = ?, changes = ? WHERE line = ?", values)

    def names(self, product: str, subdomain: str) -> bool:
        """Whether the file has a contract of this name."""
        query = "SELECT 1 FROM contract WHERE product = ? AND subdomain = ?"
        return self._run(query, (product, subdomain)).fetchone() is not None

    def renamed(self) -> frozenset[int]:
        """The contracts of the site that the file has under another name."""
        query = "SELECT record FROM contract WHERE state = 'changed' AND changes LIKE '[[\"subdomain\",%'"
        return frozenset(record for (record,) in self._run(query))

    def _run(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(query, values)
        except sqlite3.Error as error:
            raise NoRoom(str(error)) from error

    def _entries(self, kind: Kind, where: str, values: Iterable[Any]) -> Iterator[Entry]:
        keys = "product, subdomain" if kind == "contract" else "'', ''"
        query = f"SELECT line, number, said, {keys}, record, changes FROM {kind} WHERE {where}"
        columns = self.columns[kind]
        for line, number, said, product, subdomain, record, changes in self._run(query, tuple(values)):
            yield Entry(
                line,
                number,
                tuple(map(_read, columns, json.loads(said))),
                product,
                subdomain,
                record,
                tuple((name, _value(name, now), _value(name, new)) for name, now, new in json.loads(changes))
                if changes
                else (),
            )


def text_of(value: Value) -> str:
    """A value as the file says it."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


def _plain(value: Value) -> str | int | None:
    return value.isoformat() if isinstance(value, date) else value


def _value(name: str, kept: Any) -> Value:
    return date.fromisoformat(kept) if kept is not None and name in DATES else kept


def _json(entry: Entry) -> str:
    return json.dumps([_kept(cell) for cell in entry.said], ensure_ascii=False)


def _kept(cell: Said) -> Any:
    """A cell in JSON: the value alone where its text is the value's own, the text alone where it could not be read."""
    if isinstance(cell.value, Refusal):
        return [cell.text]
    value = _plain(cell.value)
    return value if text_of(cell.value) == cell.text else [cell.text, value]


def _read(name: str, kept: Any) -> Said:
    if isinstance(kept, str) and name not in DATES:
        return Said(kept, kept)  # as most of them
    if not isinstance(kept, list):
        value = _value(name, kept)
        return Said(value, text_of(value))
    return Said(_UNREAD if len(kept) == 1 else _value(name, kept[1]), kept[0])


def _parts(text: Text) -> Any:
    return {"msgid": text.msgid, "params": text.params}


def _text(parts: dict[str, Any]) -> Any:
    return Text(parts["msgid"], tuple((name, value) for name, value in parts["params"]))
