"""Prepared queries: peewee builds them once. For what every page asks, where building costs more than the database
does.

    @prepared
    def running(customer: int, today: date) -> ModelSelect:
        return Contract.select().where(Contract.customer == customer, Contract.ended_on >= today)

    running(7, date(2026, 4, 1))   # a list of Contract

Positional arguments are the query's values: the function is called with a stand-in for each, once for each kind of
database, and must treat them as values only (never as None, in a list, or in an `if`). Keyword arguments shape the
query and must be hashable: each combination of them has a query of its own. Values that an INSERT or UPDATE writes are
not converted by their column: they may be texts, numbers and aware times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import update_wrapper
from typing import Any, NamedTuple

import peewee as pw

from engine.store.base import database, to_db


class _Value(NamedTuple):
    """A parameter whose value is yet to come: the number of its argument, and its column's conversion."""

    position: int
    convert: Callable[[Any], Any] | None


class _Argument(pw.Node):
    """A stand-in for an argument while the query is built."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __sql__(self, ctx: Any) -> Any:
        return ctx.value(_Value(self._index, ctx.state.converter), False)


@dataclass(slots=True)
class _Made:
    """A query as its database takes it. `read` turns a row into what peewee builds of it: which column goes where is
    known from the first answer, and the same ever after."""

    query: Any
    sql: str
    params: list[Any]
    read: Callable[[Any], Any] | None = None

    def rows(self, cursor: Any) -> list[Any]:
        """What an answer holds. The cursor is closed."""
        if self.read is None:
            self.read = self._reader(cursor)
        found = list(map(self.read, cursor.fetchall()))
        cursor.close()
        return found

    def _reader(self, cursor: Any) -> Callable[[Any], Any]:
        wrapper = self.query._get_cursor_wrapper(cursor)
        wrapper.initialize()
        wrapper.cursor = None
        reader: Callable[[Any], Any] = wrapper.process_row
        return reader


class Prepared:
    """A query that is built once and run with arguments; see `prepared`. Thread-safe."""

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build
        self._made: dict[Any, _Made] = {}
        update_wrapper(self, build)

    def __call__(self, *values: Any, **shape: Any) -> list[Any]:
        """Run a SELECT. Returns its rows, as peewee builds them. Raises what peewee raises."""
        made, cursor = self._run(values, shape)
        return made.rows(cursor)

    def first(self, *values: Any, **shape: Any) -> Any | None:
        """Run a SELECT, which should have a limit. Returns its first row, or None."""
        found = self(*values, **shape)
        return found[0] if found else None

    def write(self, *values: Any, **shape: Any) -> int:
        """Run an INSERT, UPDATE or DELETE, inside a transaction. Returns how many rows it wrote. Raises what peewee
        raises."""
        _made, cursor = self._run(values, shape)
        return int(cursor.rowcount)

    def _run(self, values: tuple[Any, ...], shape: dict[str, Any]) -> tuple[_Made, Any]:
        db = database.obj
        key = (type(db), len(values), *shape.items())
        made = self._made.get(key)
        if made is None:
            query = self._build(*(_Argument(index) for index in range(len(values))), **shape)
            sql, params = db.get_sql_context().sql(query).query()
            made = self._made[key] = _Made(query, sql, params)
        bound = [_bound(param, values) if isinstance(param, _Value) else param for param in made.params]
        return made, db.execute_sql(made.sql, bound)


def _bound(param: _Value, values: tuple[Any, ...]) -> Any:
    value = values[param.position]
    if param.convert is not None:
        return param.convert(value)
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"expected an aware time, got the naive {value!r}")
    return to_db(value)


def prepared(build: Callable[..., Any]) -> Prepared:
    """Turn a function that builds a query into one that runs it. See the top of this file."""
    return Prepared(build)
