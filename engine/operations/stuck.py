"""The search for stuck instances (I6): those that wait for no timer, person, effect or incident and have not ended.

The search asks the tables, for many instances at once, and the definitions (`exits`). It cannot ask guards, nor whether
anybody has a permission: a person counts where the definition lets one act, and a guard that will never agree is not
found. It finds that

- nothing will move the instance, or what people can do there leads round in circles;
- a mailed link would let somebody act, and the present link neither was mailed nor will be;
- a timer is lost: history says when it is due, and its row is missing. It is found where a person could act, too.

Each finding names its cure, which is an act of an operator: see `cures`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.definition import Workflow
from engine.operations.census import occupied
from engine.runtime.engine import Engine
from engine.runtime.exits import Exits, carriers, exits
from engine.store import outbox_rows
from engine.store.base import Unit

Cure = Literal["load", "move", "timers", "link"]
"""What helps: that the definition is loaded (a deployment), `Engine.migrate` into a state that goes on,
`cures.restore_timers`, `cures.mail_link`."""

AT_A_GLANCE = 10_000  # instances of one state that a page looks at; it must not cost more with a million of them
_STEP = 10_000  # instances that are asked about in one statement


@dataclass(frozen=True, slots=True)
class Stuck:
    """An instance that waits for nothing that could come. `what` is the timer's event, or the mail, that `cure` is
    about."""

    instance_id: int
    workflow: str
    version: int
    state: str
    why: str
    cure: Cure = "move"
    what: str = ""


def stuck(engine: Engine, limit: int = 100, *, most: int | None = None, workflow: str = "") -> list[Stuck]:
    """The stuck instances, at most `limit` of each state, of one `workflow` where it is named; empty where I6 holds.
    Read-only.

    With `most`, only so many instances of each state are looked at, those that began first.
    """
    found: list[Stuck] = []
    with engine.store.reading() as unit:
        for pinned in occupied(unit):
            if not workflow or pinned[0] == workflow:
                found += _PinnedState(engine, unit, pinned, limit, most).stuck()
    return found


class _PinnedState:
    """A state of one version, with the instances in it."""

    def __init__(self, engine: Engine, unit: Unit, pinned: tuple[str, int, str], limit: int, most: int | None) -> None:
        self.engine = engine
        self.unit = unit
        self.pinned = pinned
        self.limit = limit
        self.most = most

    def stuck(self) -> list[Stuck]:
        name, version, state = self.pinned
        workflow = self.engine.workflows.get((name, version))
        if workflow is None:
            if self.engine.definitions.is_known_end(*self.pinned):
                return []
            return self._all("no definition of its version is loaded", "load")
        if state not in workflow.by_name:
            return self._all("its definition lacks the state", "move")
        if workflow.by_name[state].final:
            return []
        ways = exits(workflow, state)
        if not ways.ends:
            return self._all("whatever is done here leads round: no way from here reaches an end", "move")
        return self._some(workflow, ways)

    def _all(self, why: str, cure: Cure) -> list[Stuck]:
        rows = self.unit.rows(
            "SELECT i.id FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ? ORDER BY i.id LIMIT ?",
            (*self.pinned, self.limit),
        )
        return [Stuck(row[0], *self.pinned, why, cure) for row in rows]

    def _some(self, workflow: Workflow, ways: Exits) -> list[Stuck]:
        """The instances that lack what the definition promises."""
        timers = [timer.event for timer in workflow.by_name[self.pinned[2]].timers]
        found: dict[int, Stuck] = {}
        for after, last in self._steps():
            for event in timers:
                for number in self._without_timer(event, after, last):
                    why = f"its timer {event!r} is lost: history says when it is due, and it is not there"
                    found.setdefault(number, Stuck(number, *self.pinned, why, "timers", event))
            if not ways.persons:
                for number in self._without_anything(workflow, ways, after, last):
                    found.setdefault(number, self._unmoved(workflow, ways, number))
            if len(found) >= self.limit:
                break
        return [found[number] for number in sorted(found)][: self.limit]

    def _steps(self) -> Iterator[tuple[int, int]]:
        """Ranges of instance numbers, from above the first up to the second, that hold instances of this state."""
        after, left = 0, self.most
        while left is None or left > 0:
            count = _STEP if left is None else min(_STEP, left)
            rows = self.unit.rows(_LAST_OF_STEP, (*self.pinned, after, count))
            if rows[0][0] is None:
                return
            yield after, rows[0][0]
            after = rows[0][0]
            left = left - count if left is not None else None

    def _without_timer(self, event: str, after: int, last: int) -> list[int]:
        """The instances whose history says that the timer is set, and that lack it. Where due times were not sealed
        yet, the definition says so."""
        said = f'%"{_escaped(event)}":"%'
        rows = self.unit.rows(_WITHOUT_TIMER, (*self.pinned, after, last, event, after, last, said, self.limit))
        return [row[0] for row in rows]

    def _without_anything(self, workflow: Workflow, ways: Exits, after: int, last: int) -> list[int]:
        marks = ", ".join("?" * len(ways.timers)) or "''"
        condition = (
            f"NOT EXISTS (SELECT 1 FROM timer t WHERE {_T_OF_STEP} AND (t.event IN ({marks}) OR t.failures > 0)) "
            f"AND NOT {outbox_rows.open_effect_of('i.id', f'{_O_OF_STEP} AND o.position >= 0')}"
        )
        params: list[object] = [*self.pinned, after, last, after, last, *ways.timers, after, last]
        links = self._carriers(workflow, ways)
        if links:
            condition += f" AND NOT {outbox_rows.mailed_of('i.id', links, _O_OF_STEP)}"
            params += [after, last, *links]
        rows = self.unit.rows(f"SELECT i.id {_IN_STEP} AND {condition} ORDER BY i.id LIMIT ?", (*params, self.limit))
        return [row[0] for row in rows]

    def _carriers(self, workflow: Workflow, ways: Exits) -> list[str]:
        """The mails that carry the links with which somebody could act, in any version of the workflow."""
        versions = [other for (name, _), other in self.engine.workflows.items() if name == workflow.name]
        return list(dict.fromkeys(name for other in versions for role in ways.roles for name in carriers(other, role)))

    def _unmoved(self, workflow: Workflow, ways: Exits, number: int) -> Stuck:
        if not ways.roles:
            return Stuck(number, *self.pinned, "no timer, no effect, no incident, and no person could move it", "move")
        why = "no timer, no effect, no incident, and the link with which somebody could act was not mailed"
        mails = mails_of_links(workflow, self.pinned[2])
        return Stuck(number, *self.pinned, why, "link" if mails else "move", mails[0] if len(mails) == 1 else "")


def mails_of_links(workflow: Workflow, state: str) -> list[str]:
    """The mails that would carry the links with which somebody could leave a state, and that keep their point there."""
    roles, events = exits(workflow, state).roles, workflow.events[state]
    return list(
        dict.fromkeys(
            effect.name
            for effect in workflow.all_effects()
            if effect.link in roles and (effect.done is None or effect.done in events)
        )
    )


def _escaped(text: str) -> str:
    """A text for LIKE, with `!` as the escape character."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


_IN_STEP = "FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ? AND i.id > ? AND i.id <= ?"
# The range once more, for PostgreSQL: else it reads the whole table for each step.
_T_OF_STEP = "t.instance_id = i.id AND t.instance_id > ? AND t.instance_id <= ?"
_O_OF_STEP = " AND o.instance_id > ? AND o.instance_id <= ?"
_LAST_OF_STEP = (
    "SELECT MAX(s.id) FROM (SELECT i.id FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ? "
    "AND i.id > ? ORDER BY i.id LIMIT ?) s"
)
_WITHOUT_TIMER = (
    # First those without it, which are few: PostgreSQL would read the history of each.
    f"WITH lost AS MATERIALIZED (SELECT i.id {_IN_STEP} "
    f"AND NOT EXISTS (SELECT 1 FROM timer t WHERE t.event = ? AND {_T_OF_STEP})) "
    # The due times that stand are those of the last entry that says any; NULL says nothing.
    "SELECT l.id FROM lost l WHERE ((SELECT h.timers FROM history h WHERE h.instance_id = l.id "
    "AND (h.timers IS NULL OR h.timers <> '') ORDER BY h.seq DESC LIMIT 1) LIKE ? ESCAPE '!') IS NOT FALSE "
    "ORDER BY l.id LIMIT ?"
)
