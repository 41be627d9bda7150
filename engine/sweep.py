"""Is anything stuck? (I6) Every instance that is not final waits for a timer, a person, an effect or an incident."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import SYSTEM
from engine.overview import occupied
from engine.runtime import Engine


@dataclass(frozen=True, slots=True)
class Stuck:
    """An instance that nothing will ever move."""

    instance: int
    workflow: str
    version: int
    state: str
    why: str


def stuck(engine: Engine, limit: int = 100) -> list[Stuck]:
    """The stuck instances, at most `limit` of each state; empty where I6 holds."""
    found: list[Stuck] = []
    with engine.store.reading() as unit:
        for name, version, state in occupied(unit):
            workflow = engine.workflows.get((name, version))
            if workflow is None or state not in workflow.by_name:
                why = "no definition of its version is loaded" if workflow is None else "its definition lacks the state"
                condition = ""
            elif workflow.by_name[state].final or any(
                transition.allow is not SYSTEM
                for event in workflow.events[state]
                for transition in workflow.outgoing[state, event]
            ):
                continue
            else:
                why = "no timer, no effect, no incident, and no person could move it"
                condition = (
                    "AND NOT EXISTS (SELECT 1 FROM timer t WHERE t.instance_id = i.id) AND NOT EXISTS (SELECT 1 FROM "
                    "outbox o WHERE o.instance_id = i.id AND o.state IN ('waiting', 'leased', 'incident'))"
                )
            rows = unit.rows(
                "SELECT i.id FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ? "
                f"{condition} ORDER BY i.id LIMIT ?",
                (name, version, state, limit),
            )
            found += [Stuck(row[0], name, version, state, why) for row in rows]
    return found
