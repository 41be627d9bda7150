"""Lists of procedures by the states that they are in, with filters: how many there are, and the rows of one page.

A page of a list reads as many rows of each state as it shows, whatever the list's length: the index of `instance` by
workflow, version and state gives them in the order of their numbers. Only the order by deadline needs more than an
index, so it is that of the `LOOKED_AT` oldest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.operations.awaited import Pinned
from engine.operations.census import COUNTED
from engine.store import incident_rows
from engine.store.base import Unit
from workflows.business.records import Account, Contract

LOOKED_AT = 500  # the rows of a list that are put in the order of their deadlines, or chosen by them
UNASSIGNED = 0  # for `Wanted.assigned_to`: what nobody was assigned to


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list shows: the instances in any of `places`, and those in `stopped` with an open incident.

    With `all_but` it is the instances in any state, except those of these workflows; `places` and `stopped` do not
    count then. `workflow` and `kind` (of a change request), the id of a `customer` and that of the staff member
    `assigned_to` are filters; None and "" choose nothing.
    """

    places: tuple[Pinned, ...] = ()
    stopped: tuple[Pinned, ...] = ()
    all_but: tuple[str, ...] | None = None
    kind: str = ""
    customer: int | None = None
    assigned_to: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; with `more`, more than `number`."""

    number: int
    more: bool = False


def counted(unit: Unit, wanted: Wanted, most: int = COUNTED) -> Count:
    """How many instances a list has. It counts up to `most` of each state."""
    parts = _parts(unit, wanted)
    if not parts:
        return Count(0)
    united = " UNION ALL ".join(f"SELECT * FROM (SELECT 1 {sql} LIMIT ?) c{at}" for at, (sql, _) in enumerate(parts))
    params = [value for _sql, values in parts for value in (*values, most + 1)]
    number = unit.rows(f"SELECT COUNT(*) FROM ({united}) a", params)[0][0]
    return Count(min(number, most), number > most)


def numbers(unit: Unit, wanted: Wanted, first: int, most: int, *, newest_first: bool = False) -> list[int]:
    """The numbers of at most `most` instances of a list from the place `first` (from 0) on, the oldest first."""
    parts = _parts(unit, wanted)
    if not parts:
        return []
    order = f"ORDER BY {{}} {'DESC' if newest_first else 'ASC'} LIMIT ?"
    of_each = order.format("i.id")
    united = " UNION ALL ".join(
        f"SELECT * FROM (SELECT i.id AS number {sql} {of_each}) c{at}" for at, (sql, _) in enumerate(parts)
    )
    params = [value for _sql, values in parts for value in (*values, first + most)]
    sql = f"SELECT number FROM ({united}) a {order.format('number')} OFFSET ?"
    return [row[0] for row in unit.rows(sql, [*params, most, first])]


_Part = tuple[str, list[Any]]
"""A FROM clause with its conditions, and their parameters."""
_INCIDENT = f" AND {incident_rows.among('i.id')}"


def _parts(unit: Unit, wanted: Wanted) -> list[_Part]:
    """One part for each state, so that each is read in the order of its index."""
    filters, values = _filters(wanted)
    if wanted.customer is not None:
        own = _of_customer(unit, wanted.customer)
        marks = ", ".join("?" * len(own))  # each of them is then looked up in the index of the state
        filters += f" AND i.id IN (SELECT s.id FROM instance s WHERE s.subject IN ({marks}))"
        values = [*values, *own]
    if wanted.all_but is not None:
        marks = ", ".join("?" * len(wanted.all_but)) or "''"
        return [(f"FROM instance i WHERE i.workflow NOT IN ({marks}){filters}", [*wanted.all_but, *values])]
    return [
        (f"FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ?{more}{filters}", [*place, *values])
        for places, more in ((wanted.places, ""), (wanted.stopped, _INCIDENT))
        for place in places
    ]


def _filters(wanted: Wanted) -> _Part:
    sql, values = "", list[Any]()
    if wanted.kind:
        sql += " AND EXISTS (SELECT 1 FROM change_request r WHERE r.instance = i.id AND r.kind = ?)"
        values.append(wanted.kind)
    if wanted.assigned_to == UNASSIGNED:
        sql += " AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.instance = i.id)"
    elif wanted.assigned_to is not None:
        sql += " AND EXISTS (SELECT 1 FROM assignment a WHERE a.instance = i.id AND a.member_id = ?)"
        values.append(wanted.assigned_to)
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
