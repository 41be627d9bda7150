"""Batched writes: what many transitions write alike is one statement on PostgreSQL.

A transition's statements are constant texts of three shapes (INSERT of one row, UPDATE and DELETE by equality).
Statements of many instances that have one text become one statement over `unnest`ed arrays, which costs the server a
fifth.

Only the order changes in which statements of different instances reach the database, and only where that cannot be
observed: the statements of one instance keep their order; each of the engine's own rows belongs to one instance; of a
table of records at most one text is gathered at a time, and each row once. A statement that does not fit closes the
batch, which is sent before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Statement = tuple[str, Sequence[Any]]
TypesOf = Callable[[str], dict[str, str]]
"""The column types of a table, by column."""

OF_ONE_INSTANCE = frozenset({"instance", "history", "timer", "outbox"})

_INSERT = re.compile(r'INSERT INTO "?(\w+)"? \(([^()]*)\) VALUES \(([^()]*)\)')
_UPDATE = re.compile(r'UPDATE "?(\w+)"? SET (.+?) WHERE (.+)')
_DELETE = re.compile(r'DELETE FROM "?(\w+)"? WHERE (.+)')
_VALUE = re.compile(r"'[^']*'|[^,\s]+")
_SET = re.compile(r"\"?(\w+)\"? = ('[^']*'|[^,]+)(?:, |$)")
_EQUAL = re.compile(r'"?(\w+)"? = \?')
_PLAIN = re.compile(r"\w+ (?:IN \([^()?]*\)|= (?:'[^']*'|\d+))")
_AMONG = re.compile(r'"?(\w+)"? IN \(\?(?:, \?)*\)')


@dataclass(frozen=True, slots=True)
class Shape:
    """One text, parsed. `columns` are the columns whose values it binds, in order; `keys` are the places among them
    that identify its row, none for an INSERT. `template` has `{from_}` in the place of the arrays and `v.p0`, … for the
    values."""

    table: str
    columns: tuple[str, ...]
    keys: tuple[int, ...]
    template: str

    def sql(self, types: dict[str, str]) -> str:
        """The statement for many rows; `types` are the column types of its table."""
        arrays = ", ".join(f"?::{types[column]}[]" for column in self.columns)
        names = ", ".join(f"p{index}" for index in range(len(self.columns)))
        return self.template.format(from_=f"unnest({arrays}) AS v({names})")


@lru_cache(maxsize=4096)
def shape_of(sql: str) -> Shape | None:
    """The shape of a text, so that it can be executed for many rows at once; None where it has none of the three
    shapes."""
    if "{" in sql:
        return None
    for pattern, read in ((_INSERT, _insert), (_UPDATE, _update), (_DELETE, _delete)):
        match = pattern.fullmatch(sql)
        if match is not None:
            shape = read(*match.groups())
            return shape if shape is not None and len(shape.columns) == sql.count("?") else None
    return None


def _insert(table: str, columns: str, values: str) -> Shape | None:
    names = [column.strip().strip('"') for column in columns.split(",")]
    literals = _VALUE.findall(values)
    if len(names) != len(literals):
        return None
    bound = [name for name, value in zip(names, literals, strict=True) if value == "?"]
    indexes = iter(range(len(bound)))
    selected = ", ".join(f"v.p{next(indexes)}" if value == "?" else value for value in literals)
    listed = ", ".join(f'"{name}"' for name in names)
    return Shape(table, tuple(bound), (), f'INSERT INTO "{table}" ({listed}) SELECT {selected} FROM {{from_}}')


def _update(table: str, changes: str, where: str) -> Shape | None:
    parts = _SET.findall(changes)
    if ", ".join(f"{name} = {value}" for name, value in parts) != changes.replace('"', ""):
        return None
    bound = [name for name, value in parts if value == "?"]
    if any("?" in value and value != "?" for _, value in parts):
        return None
    indexes = iter(range(len(bound)))
    change = ", ".join(
        f'"{name}" = v.p{next(indexes)}' if value == "?" else f'"{name}" = {value}' for name, value in parts
    )
    found = _where(where, len(bound))
    if found is None:
        return None
    condition, columns, keys = found
    return Shape(
        table, (*bound, *columns), keys, f'UPDATE "{table}" AS o SET {change} FROM {{from_}} WHERE {condition}'
    )


def _delete(table: str, where: str) -> Shape | None:
    found = _where(where, 0)
    if found is None:
        return None
    condition, columns, keys = found
    return Shape(table, columns, keys, f'DELETE FROM "{table}" AS o USING {{from_}} WHERE {condition}')


def _where(where: str, first: int) -> tuple[str, tuple[str, ...], tuple[int, ...]] | None:
    """The condition with the arrays' columns for its marks, the columns that it compares, and the places that identify
    rows. None where it is no equality."""
    conditions: list[str] = []
    columns: list[str] = []
    keys: list[int] = []
    for comparison in where.split(" AND "):
        if equal := _EQUAL.fullmatch(comparison):
            keys.append(first + len(columns))
            conditions.append(f'o."{equal[1]}" = v.p{first + len(columns)}')
            columns.append(equal[1])
        elif among := _AMONG.fullmatch(comparison):
            count = comparison.count("?")
            keys += range(first + len(columns), first + len(columns) + count)
            marks = ", ".join(f"v.p{first + len(columns) + n}" for n in range(count))
            conditions.append(f'o."{among[1]}" IN ({marks})')
            columns += [among[1]] * count
        elif _PLAIN.fullmatch(comparison):
            conditions.append(f"o.{comparison}")
        else:
            return None
    return (" AND ".join(conditions), tuple(columns), tuple(keys)) if keys else None


@dataclass(slots=True)
class _Gathered:
    shape: Shape
    order: int
    rows: list[Sequence[Any]] = field(default_factory=list)
    keys: set[tuple[Any, ...]] = field(default_factory=set)


@dataclass(slots=True)
class Sets:
    """Gathers statements, each with the number of its owner, and returns them as batches."""

    types_of: TypesOf
    _groups: dict[str, _Gathered] = field(default_factory=dict)
    _last: dict[int, int] = field(default_factory=dict)
    _text: dict[str, str] = field(default_factory=dict)

    def of(self, statements: Sequence[tuple[int, str, Sequence[Any]]]) -> Iterator[Statement]:
        """The same writes as fewer statements, in an order whose effect is the same."""
        for owner, sql, params in statements:
            shape = shape_of(sql)
            if shape is None:
                yield from self._close()
                yield sql, params
                continue
            group = self._groups.get(sql)
            key = tuple([params[index] for index in shape.keys])
            if self._would_tell(owner, sql, shape, group, key):
                yield from self._close()
                group = None
            if group is None:
                group = self._groups[sql] = _Gathered(shape, len(self._groups))
            group.rows.append(params)
            if key:
                group.keys.add(key)
            self._last[owner] = group.order
            self._text[shape.table] = sql
        yield from self._close()

    def _would_tell(self, owner: int, sql: str, shape: Shape, group: _Gathered | None, key: tuple[Any, ...]) -> bool:
        if shape.table not in OF_ONE_INSTANCE and self._text.get(shape.table, sql) != sql:
            return True
        return group is not None and (self._last.get(owner, 0) > group.order or (bool(key) and key in group.keys))

    def _close(self) -> Iterator[Statement]:
        for sql, group in self._groups.items():
            if len(group.rows) == 1:
                yield sql, group.rows[0]
            else:
                columns = [list(column) for column in zip(*group.rows, strict=True)]
                yield group.shape.sql(self.types_of(group.shape.table)), columns
        self._groups, self._last, self._text = {}, {}, {}
