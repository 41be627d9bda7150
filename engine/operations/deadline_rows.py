"""Deadlines that the rows of instances do not hold yet: a chore works them out, some in each commit.

These rows were written before there was such a column, by a process of the version before, or under a definition that
called other timers deadlines. Lists work them out by themselves until then, and are right at any time.
"""

from __future__ import annotations

from engine.operations.awaited import Pinned
from engine.operations.deadline_sql import UNKNOWN, deadline_events, deadline_in_state, unknown_places
from engine.runtime.engine import Engine
from engine.store.base import NEVER, Unit

AT_ONCE = 500  # rows of one commit: nobody who steps one of them waits longer than that takes
MOST = 10_000  # rows of one round of the chore
_THERE = f"FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ? AND {UNKNOWN}"


def bring_in(engine: Engine, most: int = MOST) -> int:
    """Work out the deadlines of rows that do not hold theirs: at most `most` (number of rows), some in each commit.

    Returns how many it did. Rows that a step has locked are left to that step.
    """
    events = deadline_events(tuple(engine.workflows.values()))
    done = 0
    with engine.store.reading() as unit:
        places = unknown_places(unit, events)
    for place in places:
        while done < most:
            some = min(AT_ONCE, most - done)
            with engine.store.begin() as unit:
                count = _some(unit, place, events[place], some)
                engine.store.commit(unit)
            done += count
            if count < some:
                break
    return done


def _some(unit: Unit, place: Pinned, events: tuple[str, ...], most: int) -> int:
    """Work out the deadlines of some rows of a state. They are locked first: what is read after that is theirs."""
    lock = f"{unit.lock_suffix} SKIP LOCKED" if unit.lock_suffix else ""
    numbers = [number for (number,) in unit.rows(f"SELECT i.id {_THERE} ORDER BY i.id LIMIT ?{lock}", (*place, most))]
    if not numbers:
        return 0
    deadline, values = deadline_in_state(unit, events)
    marks = ", ".join("?" * len(numbers))
    return unit.changed(
        f"UPDATE instance AS i SET deadline_at = COALESCE({deadline}, '{NEVER}'), deadline_seq = seq "
        f"WHERE i.id IN ({marks})",
        [*values, *numbers],
    )
