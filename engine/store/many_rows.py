"""Many new rows of one table as one statement.

Peewee's `insert_many` builds a node of its own for each value, which costs more than the database does. Here the text
of a statement is made once for each table, set of columns and number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import peewee as pw

from engine.store.base import database


def insert_rows(model: type[pw.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same fields, in the open transaction.

    Other fields take the defaults of `model`, as with `insert_many`; a value may be a record where the field refers to
    one. The database limits how many values a statement takes: SQLite's least is 32,766. Raises what peewee raises, and
    ValueError where a row names other fields than the first.
    """
    if not rows:
        return
    named = {model._meta.combined[name]: name for name in rows[0]}
    given = {field: default for field, default in model._meta.defaults.items() if field not in named}
    fields = (*named, *given)
    columns = tuple(field.column_name for field in fields)
    values = [value for row in rows for value in _values(row, named, given)]
    db = database.obj
    db.execute_sql(_text(model._meta.table_name, columns, len(rows), db.param), values)


def _values(row: Mapping[str, Any], named: Mapping[pw.Field, str], given: Mapping[pw.Field, Any]) -> Iterator[Any]:
    if len(row) != len(named) or not all(name in row for name in named.values()):
        raise ValueError(f"expected the fields {', '.join(named.values())}, got {', '.join(row)}")
    for field, name in named.items():
        yield field.db_value(row[name])
    for field, default in given.items():
        yield field.db_value(default() if callable(default) else default)


@lru_cache(maxsize=256)
def _text(table: str, columns: tuple[str, ...], rows: int, param: str) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    one = f"({', '.join([param] * len(columns))})"
    return f'INSERT INTO "{table}" ({names}) VALUES {", ".join([one] * rows)}'
