"""The census: how many instances are in which state, since when, and what they wait for. Read-only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.definition import Instance
from engine.runtime.deadlines import passed
from engine.runtime.engine import Engine
from engine.store.base import COLUMNS, Unit, instance_of, time_in

COUNTED = 10_000  # instances of one state that are counted; a page must not cost more with a million of them

# Since when: the last entry that led into another state. A reminder, or what an operator noted, begins nothing anew.
_SINCE = "(SELECT MAX(h.at) FROM history h WHERE h.instance_id = i.id AND h.source <> h.target)"


@dataclass(frozen=True, slots=True)
class Population:
    """The instances of one state, and since when they are in it: the `oldest` and the `median`.

    Both are None for a final state, and where no history tells. With `more` there are more than `count`, and both are
    of the first that began.
    """

    version: int
    state: str
    count: int
    oldest: datetime | None = None
    median: datetime | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of one instance. `since` is None where its history is gone.

    `due` is the first due time that its state had set, even where that has passed and only led to a reminder; None
    where none was set. `deadline` is the first of those by which a person should act (see `Timer.deadline`).
    """

    instance_id: int
    workflow: str
    version: int
    about: str
    state: str
    seq: int
    since: datetime | None
    due: datetime | None
    deadline: datetime | None = None


def standing(engine: Engine, instances: Collection[int]) -> dict[int, Standing]:
    """The states of these instances, by instance number. Unknown numbers are left out."""
    wanted = sorted(set(instances))
    if not wanted:
        return {}
    marks = ", ".join("?" * len(wanted))
    return {found.instance_id: found for found in _standing(engine, f"i.id IN ({marks})", wanted)}


def instances(unit: Unit, numbers: Collection[int]) -> dict[int, Instance]:
    """These instances as their rows have them, by number, in one query. Unknown numbers are left out. Due timers are
    not applied."""
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    rows = unit.rows(f"SELECT {COLUMNS} FROM instance i WHERE i.id IN ({', '.join('?' * len(wanted))})", wanted)
    return {row[0]: instance_of(row) for row in rows}


def standing_about(
    engine: Engine, abouts: Collection[str], workflows: Collection[str] = (), limit: int = 500
) -> list[Standing]:
    """The instances that are about one of `abouts`, the newest first, at most `limit`; of `workflows` alone, where any
    are named. Read-only."""
    if not abouts:
        return []
    condition = f"i.subject IN ({', '.join('?' * len(abouts))})"
    if workflows:
        # So written, SQLite looks by the subject, and not through all instances of these workflows.
        condition += f" AND i.workflow || '' IN ({', '.join('?' * len(workflows))})"
    return _standing(engine, f"{condition} ORDER BY i.id DESC LIMIT ?", [*abouts, *workflows, limit])


def numbers_about(engine: Engine, abouts: Collection[str], limit: int) -> list[int]:
    """The numbers of the instances that are about one of `abouts`, the newest first, at most `limit`. Read-only."""
    if not abouts:
        return []
    with engine.store.reading() as unit:
        if unit.is_postgres:
            rows = unit.rows(_ABOUT_ON_POSTGRES, (list(abouts), limit, limit))
        else:
            rows = unit.rows(_ABOUT_ON_SQLITE.format(", ".join("?" * len(abouts))), (*abouts, limit))
    return [number for (number,) in rows]


_ABOUT_ON_SQLITE = "SELECT i.id FROM instance i WHERE i.subject IN ({}) ORDER BY i.id DESC LIMIT ?"
# By the index of each subject, which is read no further than to the limit.
_ABOUT_ON_POSTGRES = (
    "SELECT i.id FROM unnest(CAST(? AS text[])) s (subject) CROSS JOIN LATERAL "
    "(SELECT n.id FROM instance n WHERE n.subject = s.subject ORDER BY n.id DESC LIMIT ?) i ORDER BY i.id DESC LIMIT ?"
)


def _standing(engine: Engine, condition: str, params: Sequence[Any]) -> list[Standing]:
    with engine.store.reading() as unit:
        rows = unit.rows(
            f"SELECT i.id, i.workflow, i.version, i.subject, i.state, i.seq, {_SINCE} FROM instance i "
            f"WHERE {condition}",
            params,
        )
        times = _set_times(unit, [row[0] for row in rows])
    found = []
    for number, workflow, version, about, state, seq, since in rows:
        persons = _deadlines(engine, workflow, version, state)
        due = _first(*(time for _event, time in times[number]))
        deadline = _first(*(time for event, time in times[number] if event in persons))
        found.append(Standing(number, workflow, version, about, state, seq, _first(since), due, deadline))
    return found


def _deadlines(engine: Engine, workflow: str, version: int, state: str) -> frozenset[str]:
    """The events of the timers of a state that are deadlines of people; none where its definition is not loaded."""
    definition = engine.workflows.get((workflow, version))
    return frozenset(definition.deadlines.get(state, ())) if definition is not None else frozenset()


def _set_times(unit: Unit, numbers: Sequence[int]) -> Mapping[int, Sequence[tuple[str, str]]]:
    """The due times that the present states of instances have set, with the events of their timers.

    A timer that left the state as it was, whether it fired or was skipped, has another time now: its first one is what
    was due.
    """
    found = {number: list(times) for number, times in passed(unit, numbers).items()}
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        for number, event, due in unit.rows(_TIMERS.format(marks), tuple(some)):
            found[number].append((event, due))
    return found


_AT_ONCE = 500
_TIMERS = "SELECT instance_id, event, due_at FROM timer WHERE instance_id IN ({})"


def _first(*times: Any) -> datetime | None:
    return min((found for time in times if (found := time_in(time)) is not None), default=None)


def occupied(unit: Unit) -> list[tuple[str, int, str]]:
    """The (workflow, version, state) of every state in which there is an instance, in order.

    The index is searched from one state to the next, so the cost grows with the states and not with the instances.
    """
    return [(workflow, version, state) for workflow, version, state in unit.rows(_OCCUPIED)]


# The first instance of a state leads to that of the next one: of another state, else of another version, else of
# another workflow. Of the short `(workflow, version, state) > (?, ?, ?)` SQLite steps through every instance that
# stands at the place itself.
_FIRST = "(SELECT n.id FROM instance n {} ORDER BY n.workflow, n.version, n.state LIMIT 1)"
_OCCUPIED = (
    f"WITH RECURSIVE place (id) AS (SELECT {_FIRST.format('')} UNION ALL SELECT COALESCE("
    + ", ".join(
        _FIRST.format(f"WHERE {beyond}")
        for beyond in (
            "n.workflow = i.workflow AND n.version = i.version AND n.state > i.state",
            "n.workflow = i.workflow AND n.version > i.version",
            "n.workflow > i.workflow",
        )
    )
    + ") FROM place p JOIN instance i ON i.id = p.id) "
    "SELECT i.workflow, i.version, i.state FROM place p JOIN instance i ON i.id = p.id ORDER BY 1, 2, 3"
)
_HERE = "FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ? ORDER BY i.id LIMIT ?"
_COUNT = f"SELECT COUNT(*) FROM (SELECT 1 {_HERE}) o"
_AGES = f"SELECT {_SINCE} {_HERE}"


def census(engine: Engine, workflow: str, most: int = COUNTED) -> list[Population]:
    """The populations of a workflow's states, newest version first, in the order of its states.

    States without instances have a count of 0. Ages are given for states that are not final. Each count stops at
    `most`.
    """
    return censuses(engine, [workflow], most)[workflow]


def censuses(engine: Engine, workflows: Collection[str], most: int = COUNTED) -> dict[str, list[Population]]:
    """The census of each of these workflows, all as of one moment."""
    with engine.store.snapshot() as unit:
        there = set(occupied(unit))
        return {
            name: [
                _population(engine, unit, pinned, most) if pinned in there else Population(pinned[1], pinned[2], 0)
                for pinned in _pinned_states_of(engine, name, there)
            ]
            for name in workflows
        }


def _population(engine: Engine, unit: Unit, pinned: tuple[str, int, str], most: int) -> Population:
    workflow, version, state = pinned
    definition = engine.workflows.get((workflow, version))
    if definition is not None and state in definition.by_name and definition.by_name[state].final:
        count = unit.rows(_COUNT, (*pinned, most + 1))[0][0]
        return Population(version, state, min(count, most), more=count > most)
    rows = unit.rows(_AGES, (*pinned, most + 1))
    # Of some the history may be gone, or be spoilt.
    ages = sorted(since for row in rows[:most] if (since := time_in(row[0])) is not None)
    oldest, median = (ages[0], ages[(len(ages) - 1) // 2]) if ages else (None, None)
    return Population(version, state, len(rows[:most]), oldest, median, more=len(rows) > most)


def _pinned_states_of(engine: Engine, name: str, there: Collection[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Every state of the loaded definitions, then the states in the tables that no definition has."""
    versions = sorted((version for found, version in engine.workflows if found == name), reverse=True)
    known = [(name, v, state.name) for v in versions for state in engine.workflows[name, v].states]
    return [*known, *sorted({pinned for pinned in there if pinned[0] == name} - set(known))]
