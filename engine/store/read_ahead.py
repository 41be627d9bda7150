"""Rows that are read before a rule asks for them: what guards declare (`engine.rules.reads`), of a whole batch at once
or together with the lock of an instance.

What is known here is what the rule's own read would answer: the rows were read under the same locks, in the same
transaction. It holds until something may have changed it. A write to a table makes its rows unknown. So do, for all
tables, a lock that may be waited for, a deletion, which may take rows of other tables along, and a query of peewee's.
What is unknown is read where it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.store.statements import Row, plans, whole

Named = frozenset[tuple[str, Any]]
"""What names a row: columns with their values."""

UNKNOWN: Any = object()

_IS_THERE = None  # in the place of a model: whether there is a row


class ReadAhead:
    """The rows that one transaction has read ahead, by their model (or some columns of it) and the values that name
    them; and those that it has locked."""

    __slots__ = ("_held", "_tables")

    def __init__(self) -> None:
        self._tables: dict[Any, dict[tuple[Any, Named], Any]] = {}
        self._held: set[tuple[Any, Named]] = set()

    def put(self, model: Any, named: Named, row: Row | None) -> Any:
        """Keep what was read; None where there is no such row. Returns the row as rules see it."""
        table = self._tables.setdefault(whole(model), {})
        found = table[model, named] = plans.row(model, row) if row is not None else None
        table[_IS_THERE, named] = found is not None
        return found

    def get(self, model: Any, equal: Mapping[str, Any]) -> Any:
        """The row, None where there is none, or UNKNOWN."""
        table = self._tables.get(whole(model))
        return table.get((model, frozenset(equal.items())), UNKNOWN) if table is not None else UNKNOWN

    def exists(self, model: Any, equal: Mapping[str, Any]) -> Any:
        """Whether there is a row, or UNKNOWN."""
        table = self._tables.get(model)
        return table.get((_IS_THERE, frozenset(equal.items())), UNKNOWN) if table is not None else UNKNOWN

    def hold(self, model: Any, named: Named) -> None:
        """Keep that the rows are there and were locked."""
        self._held.add((model, named))

    def holds(self, model: Any, equal: Mapping[str, Any]) -> bool:
        """Whether the rows are locked until the transaction ends."""
        return (model, frozenset(equal.items())) in self._held

    def forget(self, model: Any) -> None:
        """Forget the rows of a table that is written to."""
        self._tables.pop(model, None)
