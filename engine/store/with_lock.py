"""Rows that guards declare to read or to lock (`engine.rules.reads` and `locks`), as statements that are sent together
with the lock of the instance: they cost no round trip of their own.

They are answered once that lock is held, each by what was committed when it began: first the locks in the order of
their declaration, then the rows. A value that stands in another row is looked up by the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from engine.rules import Always, FromData, FromRow, Read, instance_number
from engine.store.read_ahead import Named, ReadAhead
from engine.store.statements import Row, plans, whole


class _Part(NamedTuple):
    """A declared read: what tells it apart, its statement, what is bound to its marks, and what names its row."""

    key: tuple[Any, ...]
    model: Any
    locks: bool
    sql: str
    bound: Callable[[int, Any], list[Any]]  # of the number of the instance and the event's data
    named: Callable[[int, Any, Mapping[int, Any]], Named]  # and of the rows before it, by the places of their parts


class ReadsWithLock:
    """What guards declare of an instance of which nothing is known but its number; of a new one, not even that
    (`has_number`). What only the instance could name is left out, and what cannot be read at all (BAD_READ)."""

    def __init__(self, guards: Iterable[Sequence[Read]], *, has_number: bool = True) -> None:
        self._has_number = has_number
        self._parts: list[_Part] = []
        for reads in guards:
            before: dict[Any, int] = {}
            for read in reads:
                try:
                    place = self._place(read, before)
                except (TypeError, _OfInstance):
                    continue
                if not read.locks:
                    before[whole(read.model)] = place
        self._in_order = sorted(enumerate(self._parts), key=lambda placed: not placed[1].locks)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def of(self, number: int, data: Any) -> Riding:
        """What is read for an event with these data. Data that lack a value leave out what it would name: the guard
        asks for it itself, or says what is missing."""
        return Riding(self._in_order, number, data)

    def _place(self, read: Read, before: Mapping[Any, int]) -> int:
        """The place of a read among the parts. Raises TypeError and _OfInstance."""
        part = self._part(read, before)
        for place, known in enumerate(self._parts):
            if known.key == part.key:
                return place
        self._parts.append(part)
        return len(self._parts) - 1

    def _part(self, read: Read, before: Mapping[Any, int]) -> _Part:
        plan = (plans.touch if read.locks else plans.select)(read.model, tuple(read.equal))
        convert, sql = dict(plan.convert), plan.sql.split("?")
        used: dict[str, Any] = {}  # what the expressions use
        named, bound, sources = list[str](), list[str](), list[int]()
        for index, value in enumerate(read.equal.values()):
            if isinstance(value, FromRow):
                if value.model not in before:
                    raise _OfInstance
                place = before[value.model]
                source, column = self._parts[place], plans.attribute(self._parts[place].model, value.column)
                sql[index] += f'(SELECT "{column}"{source.sql[source.sql.index(" FROM ") :]})'
                sources.append(place)
                named.append(f"rows[{place}].{column}")
                used[f"of_{place}"] = source.bound
                bound.append(f"*of_{place}(number, data)")
                continue
            sql[index] += "?"
            named.append(self._given(value, index, used))
            if index in convert:
                used[f"convert_{index}"] = convert[index]
            bound.append(f"convert_{index}({named[-1]})" if index in convert else named[-1])
        pairs = ", ".join(f"({name!r}, {text})" for name, text in zip(read.equal, named, strict=True))
        return _Part(
            (read.model, read.locks, *read.equal.items(), *sources),
            read.model,
            read.locks,
            "".join(sql),
            _function("number, data", f"[{', '.join(bound)}]", used),
            _function("number, data, rows", f"frozenset([{pairs}])", used),
        )

    def _given(self, value: Any, index: int, used: dict[str, Any]) -> str:
        """The expression of a value that stands in no row. Raises _OfInstance."""
        if isinstance(value, Always):
            used[f"always_{index}"] = value.value
            return f"always_{index}"
        if isinstance(value, FromData) and value.name.isidentifier():
            return f"data.{value.name}"
        if value is instance_number and self._has_number:
            return "number"
        raise _OfInstance


class _OfInstance(Exception):
    """Only the instance itself could tell the value."""


def _function(given: str, expression: str, used: Mapping[str, Any]) -> Callable[..., Any]:
    """An expression as a function. To work it out piece by piece would cost each step some hundred bytecodes."""
    made: Callable[..., Any] = eval(f"lambda {given}: {expression}", dict(used))  # noqa: S307  (names that are checked)
    return made


class Riding:
    """The statements of one transaction, and what their answers say."""

    __slots__ = ("_asked", "_data", "_number", "_parts")

    def __init__(self, parts: Sequence[tuple[int, _Part]], number: int, data: Any) -> None:
        self._parts, self._number, self._data = parts, number, data
        self._asked: list[tuple[int, _Part]] = []

    def statements(self, lock_suffix: str) -> list[tuple[str, Sequence[Any]]]:
        """The statements, in their order; locks end in `lock_suffix`."""
        number, data, asked = self._number, self._data, list[tuple[int, _Part]]()
        found: list[tuple[str, Sequence[Any]]] = []
        for placed in self._parts:
            _key, _model, locks, sql, bound, _named = placed[1]
            try:
                values = bound(number, data)
            except Exception:  # noqa: S112  (see `ReadsWithLock.of`)
                continue
            asked.append(placed)
            found.append((sql + lock_suffix if locks else sql, values))
        self._asked = asked
        return found

    def known(self, answers: Sequence[Sequence[Row]]) -> ReadAhead:
        """What is known by the answers to the statements. A row that is named by one that is not there is not."""
        number, data, ahead = self._number, self._data, ReadAhead()
        rows: dict[int, Any] = {}
        held: list[_Part] = []
        for (place, part), found in zip(self._asked, answers, strict=True):
            if part.locks:
                if found:
                    held.append(part)
                continue
            try:
                named = part.named(number, data, rows)
            except LookupError:
                continue
            row = ahead.put(part.model, named, found[0] if found else None)
            if row is not None:
                rows[place] = row
        for part in held:
            try:
                ahead.hold(part.model, part.named(number, data, rows))
            except LookupError:
                continue
        return ahead
