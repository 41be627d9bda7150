"""SQL for the shapes in which guards and writes use records, built once per model and set of columns.

peewee's query builder costs more than the database does; these texts are constant, so drivers prepare them once.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import peewee as pw

from engine.attempt import Only

Row = tuple[Any, ...]


class Plan(NamedTuple):
    """A statement, the conversions of its values by their places, and the defaults that are bound after the given
    values."""

    sql: str
    convert: tuple[tuple[int, Callable[[Any], Any]], ...]
    defaults: tuple[Any, ...] = ()


class RecordPlans:
    """The plans of all models. Each raises TypeError for a column that the model does not have."""

    def __init__(self) -> None:
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._shapes: dict[Any, tuple[Any, tuple[tuple[int, Callable[[Any], Any]], ...]]] = {}

    @staticmethod
    def _fields(model: Any, names: Sequence[str]) -> list[pw.Field]:
        known = model._meta.combined
        unknown = [name for name in names if name not in known]
        if unknown:
            raise TypeError(f"{model.__name__} has no column {unknown[0]!r}; it has {', '.join(sorted(known))}")
        return [known[name] for name in names]

    def _read(self, model: Any) -> tuple[Any, list[pw.Field]]:
        """The model, and those of its fields that are read."""
        if isinstance(model, Only):
            return model.model, self._fields(model.model, model.columns)
        return model, model._meta.sorted_fields

    def columns(self, model: Any, names: Sequence[str]) -> list[str]:
        """The columns of a table that a model's names mean."""
        return [field.column_name for field in self._fields(whole(model), names)]

    def attribute(self, model: Any, name: str) -> str:
        """The attribute that a row has for one of its model's names. Raises TypeError where it is not read."""
        (column,) = self.columns(model, [name])
        if all(field.column_name != column for field in self._read(model)[1]):
            raise TypeError(f"{name!r} is not among the columns that are read of {whole(model).__name__}")
        return column

    @staticmethod
    def _converters(fields: Sequence[pw.Field], method: str) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
        return tuple(
            (index, getattr(field, method))
            for index, field in enumerate(fields)
            if isinstance(field, pw.DateTimeField | pw.DateField | pw.BooleanField)
        )

    def insert(self, model: Any, names: tuple[str, ...]) -> Plan:
        """The INSERT of the named columns and of every other column that has a default."""
        plan = self._plans.get((model, "insert", names))
        if plan is None:
            named = self._fields(model, names)
            known = {field.name for field in named}
            left = [(field, value) for field, value in model._meta.defaults.items() if field.name not in known]
            fields = [*named, *(field for field, _ in left)]
            columns = ", ".join(f'"{field.column_name}"' for field in fields)
            marks = ", ".join("?" * len(fields))
            plan = Plan(
                f'INSERT INTO "{model._meta.table_name}" ({columns}) VALUES ({marks})',
                self._converters(fields, "db_value"),
                tuple(value for _, value in left),
            )
            self._plans[model, "insert", names] = plan
        return plan

    def update(self, model: Any, names: tuple[str, ...], where: tuple[str, ...]) -> Plan:
        """The UPDATE of the columns `names` in the rows where the columns `where` equal the bound values."""
        plan = self._plans.get((model, "update", names, where))
        if plan is None:
            fields, keys = self._fields(model, names), self._fields(model, where)
            changes = ", ".join(f'"{field.column_name}" = ?' for field in fields)
            plan = Plan(
                f'UPDATE "{model._meta.table_name}" SET {changes}{self._where(keys)}',
                self._converters([*fields, *keys], "db_value"),
            )
            self._plans[model, "update", names, where] = plan
        return plan

    def delete(self, model: Any, where: tuple[str, ...]) -> Plan:
        """The DELETE of the rows where the columns `where` equal the bound values."""
        plan = self._plans.get((model, "delete", where))
        if plan is None:
            keys = self._fields(model, where)
            plan = Plan(
                f'DELETE FROM "{model._meta.table_name}"{self._where(keys)}', self._converters(keys, "db_value")
            )
            self._plans[model, "delete", where] = plan
        return plan

    def select(self, model: Any, where: tuple[str, ...]) -> Plan:
        """The SELECT of one row where the columns `where` equal the bound values; `model` may be an `Only`."""
        plan = self._plans.get((model, "select", where))
        if plan is None:
            table, fields = self._read(model)
            keys = self._fields(table, where)
            columns = ", ".join(f'"{field.column_name}"' for field in fields)
            plan = Plan(
                f'SELECT {columns} FROM "{table._meta.table_name}"{self._where(keys)} LIMIT 1',
                self._converters(keys, "db_value"),
            )
            self._plans[model, "select", where] = plan
        return plan

    def touch(self, model: Any, where: tuple[str, ...]) -> Plan:
        """The SELECT of no column from the rows where the columns `where` equal the bound values: to count or to lock
        them."""
        plan = self._plans.get((model, "touch", where))
        if plan is None:
            keys = self._fields(model, where)
            table = model._meta.table_name
            plan = Plan(f'SELECT 1 FROM "{table}"{self._where(keys)}', self._converters(keys, "db_value"))
            self._plans[model, "touch", where] = plan
        return plan

    def row(self, model: Any, values: Row) -> Any:
        """A row as a light, read-only object whose attributes are the model's columns."""
        shape = self._shapes.get(model)
        if shape is None:
            table, fields = self._read(model)
            columns = [field.column_name for field in fields]
            shape = namedtuple(table.__name__, columns), self._converters(fields, "python_value")
            self._shapes[model] = shape
        make, converters = shape
        if converters:
            changed = list(values)
            for index, convert in converters:
                changed[index] = convert(changed[index])
            return make(*changed)
        return make(*values)

    @staticmethod
    def _where(keys: Sequence[pw.Field]) -> str:
        if not keys:
            raise TypeError("records are named by at least one column")
        return " WHERE " + " AND ".join(f'"{field.column_name}" = ?' for field in keys)


def whole(model: Any) -> Any:
    """The model itself, also of some columns of it (`only`)."""
    return model.model if isinstance(model, Only) else model


plans = RecordPlans()


def bind(values: list[Any], plan: Plan) -> list[Any]:
    for index, convert in plan.convert:
        values[index] = convert(values[index])
    return values
