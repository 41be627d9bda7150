"""Lists of procedures by the states that they are in, with filters: how many there are, and the rows of one page.

A page begins after a row, or ends before one, and not at a place: so it skips nothing and shows nothing twice while
others decide. In the order of their numbers a page reads as many rows of each state as it shows, whatever the list's
length: the index of `instance` by workflow, version and state gives them so, one more those that incidents stopped, and
another one gives them in the order of the deadlines that they hold. Where rows do not hold theirs yet, it is worked out
for each of these (`engine.operations.deadline_sql`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from engine.operations.awaited import Pinned
from engine.operations.census import COUNTED
from engine.operations.deadline_sql import (
    DATED,
    UNDATED,
    UNKNOWN,
    Events,
    Expression,
    deadline_in_state,
    in_places,
    unknown_places,
)
from engine.store import incident_rows
from engine.store.base import Unit, from_db, to_db
from web.shown.counts import Count
from workflows.business.records import Account, Contract

GLANCED = 1_000  # how many are counted where a list is only named
UNASSIGNED = 0  # for `Wanted.assigned_to`: what nobody was assigned to
Order = Literal["due", "oldest", "newest"]


class Key(NamedTuple):
    """What a row is put in order by. `deadline` is None where it has none, and where the order does not ask for it."""

    number: int
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list shows: the instances in any of `places`, and those in `stopped` with an open incident.

    With `all_but` it is the instances in any state, except those of these workflows; `places` and `stopped` do not
    count then. `kind` (of a change request), the id of a `customer` and that of the staff member
    `assigned_to` are filters; None and "" choose nothing. `until` leaves those whose deadline is not later, and
    `undated` those without one. `deadlines` says which timers are deadlines.
    """

    places: tuple[Pinned, ...] = ()
    stopped: tuple[Pinned, ...] = ()
    all_but: tuple[str, ...] | None = None
    kind: str = ""
    customer: int | None = None
    assigned_to: int | None = None
    until: datetime | None = None
    undated: bool = False
    deadlines: Events = field(default_factory=dict)


def counted(unit: Unit, wanted: Wanted, most: int = COUNTED) -> Count:
    """How many instances a list has. It counts up to `most` of each state."""
    return _count(unit, wanted, [_Slice(_all_of(wanted))], most)


def counted_before(unit: Unit, wanted: Wanted, order: Order, key: Key, most: int = COUNTED) -> Count:
    """How many instances stand before the row of `key` in a list. It counts up to `most` of each state."""
    return _count(unit, wanted, _slices(wanted, order, key, backwards=True), most)


def keys(
    unit: Unit, wanted: Wanted, order: Order, most: int, beside: Key | None = None, *, backwards: bool = False
) -> list[Key]:
    """At most `most` rows of a list, as they stand in it: the first ones; with `beside` those after it, or the last
    ones before it (`backwards`). Whether `beside` is still in the list does not matter."""
    found: list[Key] = []
    for one in _slices(wanted, order, beside, backwards=backwards):
        found += _rows(unit, wanted, one, most - len(found)) if len(found) < most else ()
    return found[::-1] if backwards else found


def key_of(unit: Unit, wanted: Wanted, order: Order, number: int) -> Key | None:
    """The key of an instance in a list; None where it is not in it."""
    for one in _slices(wanted, order, None, backwards=False):
        one = _Slice(one.which, one.by_due, number=number)
        for found in _rows(unit, wanted, one, 1):
            return found
    return None


# -- slices: what is read with one statement ---------------------------------------------------------------------------

_Which = Literal["all", "dated", "undated"]


@dataclass(frozen=True, slots=True)
class _Slice:
    """The rows of a list with a deadline, without one, or all; beside a row, in an order; or one alone."""

    which: _Which
    by_due: bool = False
    down: bool = False
    beside: Key | None = None
    number: int | None = None


def _all_of(wanted: Wanted) -> _Which:
    return "undated" if wanted.undated else "dated" if wanted.until is not None else "all"


def _slices(wanted: Wanted, order: Order, beside: Key | None, *, backwards: bool) -> list[_Slice]:
    """In which slices the rows beside a key are found, one after the other: what has no deadline comes last."""
    if order != "due":
        return [_Slice(_all_of(wanted), down=backwards != (order == "newest"), beside=beside)]
    before = beside if beside is not None and beside.deadline is not None else None
    dated = _Slice("dated", True, backwards, before)
    undated = _Slice("undated", False, backwards, beside if before is None else None)
    there = [] if wanted.undated else [dated]
    there += [] if wanted.until is not None else [undated]
    if beside is not None:  # it is in one of them, and the other is wholly on one of its sides
        passed = undated if backwards and before is not None else dated if not backwards and before is None else None
        there = [one for one in there if one is not passed]
    return there[::-1] if backwards else there


def _rows(unit: Unit, wanted: Wanted, one: _Slice, most: int) -> list[Key]:
    parts = [_narrowed(part, wanted, one) for part in _parts(unit, wanted, one.which)]
    if not parts:
        return []
    way = "DESC" if one.down else "ASC"
    order = f"ORDER BY {f'due {way}, ' if one.by_due else ''}number {way} LIMIT ?"
    united = " UNION ALL ".join(f"SELECT * FROM ({sql} {order}) c{at}" for at, (sql, _) in enumerate(parts))
    params = [value for _sql, values in parts for value in (*values, most)]
    rows = unit.rows(f"SELECT number, due FROM ({united}) a {order}", [*params, most])
    return [Key(number, from_db(due) if due is not None else None) for number, due in rows]


def _count(unit: Unit, wanted: Wanted, slices: Sequence[_Slice], most: int) -> Count:
    parts = [_narrowed(part, wanted, one) for one in slices for part in _parts(unit, wanted, one.which)]
    if not parts:
        return Count(0)
    united = " UNION ALL ".join(f"SELECT COUNT(*) FROM ({sql} LIMIT ?) c{at}" for at, (sql, _) in enumerate(parts))
    params = [value for _sql, values in parts for value in (*values, most + 1)]
    number = sum(count for (count,) in unit.rows(united, params))
    return Count(min(number, most), number > most)


@dataclass(frozen=True, slots=True)
class _Part:
    """A FROM clause with its conditions and their parameters; and the deadline of `i`, where that counts: `_HELD` in
    its row, or as it is worked out."""

    sql: str
    values: list[Any]
    deadline: Expression | None = None


_NO_DEADLINE: Expression = ("CAST(NULL AS timestamp)", [])
_HELD: Expression = ("i.deadline_at", [])
_STOPPED = f" AND {incident_rows.STOPPED}"


def _narrowed(part: _Part, wanted: Wanted, one: _Slice) -> Expression:
    """The statement of a part of a slice, without its order."""
    sql, values, beside = part.sql, list(part.values), one.beside
    if one.number is not None:
        sql, values = f"{sql} AND i.id = ?", [*values, one.number]
    if beside is not None and not one.by_due:  # on the index, before any deadline is worked out
        sql, values = f"{sql} AND i.id {'<' if one.down else '>'} ?", [*values, beside.number]
    if part.deadline is None:
        return f"SELECT i.id AS number, {_NO_DEADLINE[0]} AS due {sql}", values
    if part.deadline is _HELD:
        return _held(sql, values, wanted, one)
    deadline, params = part.deadline
    sql, values = f"SELECT number, due FROM (SELECT i.id AS number, {deadline} AS due {sql}) p", [*params, *values]
    sql += " WHERE due IS NULL" if one.which == "undated" else " WHERE due IS NOT NULL"
    if wanted.until is not None:
        sql, values = f"{sql} AND due <= ?", [*values, to_db(wanted.until)]
    if one.by_due and beside is not None and beside.deadline is not None:
        sql = f"{sql} AND (due, number) {'<' if one.down else '>'} (?, ?)"
        values += [to_db(beside.deadline), beside.number]
    return sql, values


def _held(sql: str, values: list[Any], wanted: Wanted, one: _Slice) -> Expression:
    """The statement of a part of rows that hold their deadlines, as the index has them."""
    if one.which == "undated":
        return f"SELECT i.id AS number, {_NO_DEADLINE[0]} AS due {sql} AND {UNDATED}", values
    sql = f"SELECT i.id AS number, i.deadline_at AS due {sql} AND {DATED}"
    if wanted.until is not None:
        sql, values = f"{sql} AND i.deadline_at <= ?", [*values, to_db(wanted.until)]
    if one.by_due and one.beside is not None and one.beside.deadline is not None:
        sql = f"{sql} AND (i.deadline_at, i.id) {'<' if one.down else '>'} (?, ?)"
        values = [*values, to_db(one.beside.deadline), one.beside.number]
    return sql, values


def _parts(unit: Unit, wanted: Wanted, which: _Which) -> list[_Part]:
    """One part for each state, so that each is read in the order of its index; and one for those of its rows that do
    not hold their deadlines."""
    filters, values = _filters_of_all(unit, wanted)
    stopped = wanted.stopped if wanted.stopped and incident_rows.are_there(unit) else ()  # mostly there is none
    places = [(place, more) for some, more in ((wanted.places, ""), (stopped, _STOPPED)) for place in some]
    if wanted.all_but is not None:
        marks = ", ".join("?" * len(wanted.all_but)) or "''"
        sql, values_of_all = f"FROM instance i WHERE i.workflow NOT IN ({marks}){filters}", [*wanted.all_but, *values]
        if which == "all":
            return [_Part(sql, values_of_all)]
        places = [(place, "") for place in wanted.deadlines if place[0] not in wanted.all_but]
    parts = []
    if wanted.all_but is not None and which == "undated":
        elsewhere, pinned = in_places(wanted.deadlines)
        parts.append(_Part(f"{sql} AND NOT {elsewhere}", [*values_of_all, *pinned]))
    dated = [place for place, _more in places if place in wanted.deadlines] if which != "all" else []
    unknown = unknown_places(unit, dated)  # hardly ever any: without them the statement is far shorter
    for place, more in places:
        events = wanted.deadlines.get(place, ())
        sql = f"FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ?{more}"
        if events and which != "all":
            parts.append(_Part(sql + filters, [*place, *values], _HELD))
            if place in unknown:
                sql = f"{sql} AND {UNKNOWN}{filters}"
                parts.append(_Part(sql, [*place, *values], deadline_in_state(unit, events)))
        elif which != "dated":
            parts.append(_Part(sql + filters, [*place, *values]))
    return parts


def _filters_of_all(unit: Unit, wanted: Wanted) -> Expression:
    """The conditions on the instance `i`, whichever state it is in."""
    filters, values = _filters(wanted)
    if wanted.customer is not None:
        own = _of_customer(unit, wanted.customer)
        marks = ", ".join("?" * len(own))  # each of them is then looked up in the index of the state
        filters += f" AND i.id IN (SELECT s.id FROM instance s WHERE s.subject IN ({marks}))"
        values = [*values, *own]
    return filters, values


_KIND = "(SELECT r.kind FROM change_request r WHERE r.instance = i.id)"
_HANDLER = "(SELECT a.member_id FROM assignment a WHERE a.instance = i.id)"


def _filters(wanted: Wanted) -> Expression:
    """Conditions that are asked of one row after the other, up to the limit: PostgreSQL makes of each EXISTS a join,
    and reads the whole of the other table for it."""
    sql, values = "", list[Any]()
    if wanted.kind:
        sql, values = f"{sql} AND {_KIND} = ?", [*values, wanted.kind]
    if wanted.assigned_to == UNASSIGNED:
        sql += f" AND {_HANDLER} IS NULL"
    elif wanted.assigned_to is not None:
        sql, values = f"{sql} AND {_HANDLER} = ?", [*values, wanted.assigned_to]
    return sql, values


def _of_customer(unit: Unit, customer: int) -> Sequence[str]:
    """What the procedures of a customer are about."""
    formerly = unit.rows("SELECT former FROM customer_alias WHERE customer_id = ? ORDER BY former", (customer,))
    own = [f"customer:{number}" for number in (customer, *(former for (former,) in formerly))]
    for record, kind in ((Contract, "contract"), (Account, "account")):
        table = record._meta.table_name
        rows = unit.rows(f"SELECT id FROM {table} WHERE customer_id = ? ORDER BY id", (customer,))
        own += [f"{kind}:{number}" for (number,) in rows]
    return own
