"""Due timers of one instance: fired inside a transaction, or walked through by who only looks (I3).

Both go by `timetable`, in the same order, and ask permissions and guards through the engine. Firing ends where nothing
is due any more, after as many firings as the caller takes into one commit, or at a timer that cannot fire: then it
raises TimerBroken, which says how many could before it, and whoever opened the transaction keeps those (`run_due`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from engine.definition import SYSTEM_ACTOR, Attempt, Instance, Refusal, Transition
from engine.errors import (
    Busy,
    DatabaseAway,
    EngineError,
    EventNotPossible,
    OutcomeUnknown,
    TimerBroken,
    TransitionConflict,
)
from engine.outcomes import Committed, Explanation
from engine.runtime import answers, deciding, history, timetable
from engine.runtime.history_rows import sealed_times
from engine.runtime.machine import NO_PERMISSION
from engine.runtime.timetable import Circle, Occurrence
from engine.store.base import Due, Unit, to_db
from engine.text import _

TIMER_BROKEN = Refusal("timer_broken", _("自動処理に問題が起きているため、現在は操作できません。"))

if TYPE_CHECKING:
    from engine.runtime.engine import Engine

PIECE = 500  # firings of one instance in one commit: whoever waits for it must not wait for all that was missed
MOST_PIECES = 200  # commits after which somebody who wants something else is told to try again
SKIP_EVENT = "timer.skip"  # its entry says which times of a timer were left out
OCCURRENCES, SINCE = "occurrences", "since"  # under which an entry says how many times it stands for, and the first

PASSING = (Busy, DatabaseAway, OutcomeUnknown, TransitionConflict)
"""What is not a timer's fault, and passes."""


def settle(
    engine: Engine,
    unit: Unit,
    found: Instance,
    timers: list[Due],
    now: datetime,
    committed: Committed,
    most: int,
    without: Collection[str],
) -> int:
    """Fire what is due, at most `most`; how many fired. `found` and `timers` are brought up to date in place.

    With 0 it is a piece, and what fires as of one moment is kept together: of timers that go round in a circle nothing
    must be kept. Timers of the present state that `without` names are left out. Raises TimerBroken.
    """
    workflow = engine.workflow(found)
    circle = Circle()
    state = found.state
    while not most or circle.fired < most:
        kept = circle.fired
        event = ""
        try:
            due = timers if found.state != state or not without else [t for t in timers if t.event not in without]
            first = timetable.earliest(workflow, found.state, due)
            event = first.event if first is not None else ""
            occurrence = _next(engine, unit, found, due, now)
            if occurrence is None or (not most and circle.fired >= engine.piece and occurrence.at != circle.at):
                break
            event = occurrence.timer.event
            circle.begins(found.state, occurrence)
            if circle.closes:
                event, kept = circle.event, circle.began
                raise circle.error(workflow)
            if occurrence.moves_to is None:
                attempt = _attempt(engine, unit, found, now, occurrence)
                engine._apply(unit, attempt, timers, occurrence.at, committed)
            else:
                _skip(engine, unit, found, timers, now, occurrence, occurrence.moves_to, committed)
        except PASSING:
            raise
        except Exception as error:
            why = error.in_full if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"
            raise TimerBroken(found.id, event, kept, why) from error
    return circle.fired


def walk(engine: Engine, unit: Unit, found: Instance, timers: list[Due], now: datetime) -> str:
    """Walk through what is due as `settle` would, and write nothing; only `found.state` and `timers` change.

    The event of a timer that is due and cannot fire, or nothing. One that could not when it was last tried counts as
    such until it is tried again.
    """
    workflow = engine.workflow(found)
    circle = Circle()
    before = found.state, list(timers)
    broken, without = "", set[str]()
    while True:
        event = ""
        try:
            due = [timer for timer in timers if timer.event not in without]
            first = timetable.earliest(workflow, found.state, due)
            if first is None or first.due_at > now:
                break
            event = first.event
            occurrence = _next(engine, unit, found, due, now, looking=True)
            assert occurrence is not None
            event = occurrence.timer.event
            if occurrence.timer.failures:  # a write may be to blame, which is not tried here
                raise EventNotPossible
            if circle.begins(found.state, occurrence):
                before = found.state, list(timers)
            if circle.closes:
                found.state, timers[:] = before
                return circle.event
            if occurrence.moves_to is not None:
                _move(timers, event, occurrence.moves_to)
                continue
            attempt = _attempt(engine, unit, found, now, occurrence)
            transition = _taken(engine, attempt)
            if transition is None:
                raise EventNotPossible
            state = found.state
            timers[:] = _after(engine, unit, attempt, transition, timers)
            if found.state != state:
                broken, without = "", set()
        except PASSING:
            raise
        except Exception:
            if not timetable.holds_up_nobody(workflow, found.state, event):
                return event
            broken = broken or event
            without.add(event)
    return broken


def closed(explanation: Explanation) -> Explanation:
    """A way out of a state in which a timer is due and cannot fire: nobody can take it."""
    if NO_PERMISSION in explanation.reasons:
        return explanation
    return replace(explanation, reasons=(*explanation.reasons, TIMER_BROKEN))


def _after(engine: Engine, unit: Unit, attempt: Attempt, transition: Transition, timers: Sequence[Due]) -> list[Due]:
    """Lead the instance of `attempt` on; the timers that it has then."""
    found = attempt.instance
    workflow = engine.workflow(found)
    resend = transition.resend
    runs_on = resend is not None and resend.link == "reuse"
    if transition.target == found.state:
        keeps = runs_on if resend is not None else engine.keeps_timers(unit, workflow)
        wanted, _kept = timetable.after_return(
            workflow, transition, attempt, timers, True, keeps, lambda: sealed_times(unit, found.id)
        )
        return [Due(event, due) for event, due in wanted.items()]
    found.state = transition.target
    before = {timer.event: timer.due_at for timer in timers} if runs_on else {}
    return [
        Due(timer.event, before.get(timer.event) or answers.due(timer, attempt))
        for timer in workflow.by_name[transition.target].timers
    ]


def _next(
    engine: Engine, unit: Unit, found: Instance, timers: Sequence[Due], now: datetime, *, looking: bool = False
) -> Occurrence | None:
    def attempt_at(event: str, at: datetime) -> Attempt:
        return Attempt(found, event, SYSTEM_ACTOR, None, now, at, unit, site=engine.site)

    return timetable.next_occurrence(
        engine.workflow(found), found.state, timers, now, attempt_at, lambda one: _taken(engine, one), looking=looking
    )


def _attempt(engine: Engine, unit: Unit, found: Instance, now: datetime, occurrence: Occurrence) -> Attempt:
    event, at = occurrence.timer.event, occurrence.at
    since = occurrence.timer.due_at if occurrence.count > 1 else None
    return Attempt(
        found, event, SYSTEM_ACTOR, None, now, at, unit, site=engine.site, occurrences=occurrence.count, since=since
    )


def _taken(engine: Engine, attempt: Attempt) -> Transition | None:
    return deciding.decide(engine.workflow(attempt.instance), attempt).transition


def _move(timers: list[Due], event: str, to: datetime) -> None:
    timers[:] = [Due(event, to) if timer.event == event else timer for timer in timers]


def _skip(
    engine: Engine,
    unit: Unit,
    found: Instance,
    timers: list[Due],
    now: datetime,
    occurrence: Occurrence,
    to: datetime,
    committed: Committed,
) -> None:
    """Leave out what a timer has missed: it moves on, and an entry says so under its seal."""
    event = occurrence.timer.event
    _move(timers, event, to)
    said = {"timer": event, OCCURRENCES: occurrence.count, SINCE: to_db(occurrence.at)}
    times = history.timers_text({timer.event: to_db(timer.due_at) for timer in timers})
    state = found.state
    engine._enter(unit, found, SKIP_EVENT, state, state, str(SYSTEM_ACTOR), now, None, history.canonical(said), times)
    unit.write(
        "UPDATE timer SET due_at = ?, wake_at = ?, failures = 0, error = '' WHERE instance_id = ? AND event = ?",
        (to_db(to), to_db(to), found.id, event),
    )
    if committed.next_due is None or to < committed.next_due:
        committed.next_due = to
