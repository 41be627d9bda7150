"""Due timers of one instance: fired inside a transaction, or walked through read-only by a look (I3).

Both follow `timetable`, in the same order, and ask the same permissions and guards. Firing ends where nothing more is
due, after as many firings as one commit takes, or at a timer that cannot fire. That one raises TimerBroken, which says
how many fired before it, and the owner of the transaction fires those again and keeps them (`catching_up`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from engine.definition import SYSTEM_ACTOR, Attempt, Refusal, Transition
from engine.errors import (
    Busy,
    DatabaseAway,
    EngineError,
    EventNotPossible,
    OutcomeUnknown,
    TimerBroken,
    TransitionConflict,
)
from engine.outcomes import Explanation
from engine.runtime import answers, deciding, history, timetable
from engine.runtime.deadlines import OCCURRENCES, SINCE, SKIP_EVENT
from engine.runtime.definitions import Definitions
from engine.runtime.extending import MustLeaveOut
from engine.runtime.held import Held
from engine.runtime.history_rows import sealed_times
from engine.runtime.machine import NO_PERMISSION
from engine.runtime.recording import Recording, set_timer
from engine.runtime.step import Steps
from engine.runtime.timetable import Circle, Occurrence
from engine.store.base import Due, to_db
from engine.text import _

TIMER_BROKEN = Refusal("timer_broken", _("自動処理に問題が起きているため、現在は操作できません。"))

PIECE = 500  # firings of one instance in one commit: its other callers must not wait for all that was missed
MOST_PIECES = 200  # commits after which a caller with another purpose is told to try again

PASSING = (Busy, DatabaseAway, OutcomeUnknown, TransitionConflict, MustLeaveOut)
"""What is not a timer's fault, and passes."""


class DueTimers:
    """Fires due timers. `piece` is how many firings of one instance one commit takes."""

    def __init__(self, definitions: Definitions, steps: Steps, recording: Recording) -> None:
        self.piece = PIECE
        self._definitions = definitions
        self._steps = steps
        self._recording = recording

    def apply(self, held: Held, most: int = 0, without: Collection[str] = ()) -> int:
        """Fire the due timers, at most `most`. Returns how many fired: none while the instance is paused.

        With `most=0` the limit is `piece`, and timers that fire as of one moment stay in one commit: nothing may be
        kept of timers that go round in a circle. Timers of the present state that `without` names are left out. Raises
        TimerBroken.
        """
        instance, now = held.instance, held.now
        if instance.paused or not timetable.is_due(held.timers, now):
            return 0
        workflow = self._definitions.of(instance)
        circle = Circle()
        state = instance.state
        while not most or circle.fired < most:
            kept = circle.fired
            event = ""
            try:
                timers = held.timers
                due = (
                    timers if instance.state != state or not without else [t for t in timers if t.event not in without]
                )
                first = timetable.earliest(workflow, instance.state, due)
                if first is None or first.due_at > now:
                    break
                event = first.event
                occurrence = self._next(held, due)
                if occurrence is None or (not most and circle.fired >= self.piece and occurrence.at != circle.at):
                    break
                event = occurrence.timer.event
                circle.begins(instance.state, occurrence)
                if circle.closes:
                    event, kept = circle.event, circle.began
                    raise circle.error(workflow)
                if occurrence.moves_to is None:
                    self._steps.take(held, self._attempt(held, occurrence), occurrence.at)
                else:
                    self._skip(held, occurrence, occurrence.moves_to)
            except PASSING:
                raise
            except Exception as error:
                why = error.in_full if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"
                raise TimerBroken(instance.id, event, kept, why) from error
        held.fired += circle.fired
        return circle.fired

    def walk(self, held: Held, trail: list[tuple[str, datetime]] | None = None) -> str:
        """Walk through the due timers as `apply` would, read-only: only `held.instance.state` and `held.timers` change.

        Returns the event of a timer that is due and cannot fire; empty where there is none. A timer that failed when it
        was last tried counts as such until its next try. The states on the way go into `trail`, each with the time at
        which its timer was due.
        """
        trail = trail if trail is not None else []
        instance, timers = held.instance, held.timers
        workflow = self._definitions.of(instance)
        circle = Circle()
        before, known = (instance.state, list(timers)), len(trail)
        broken, without = "", set[str]()
        while True:
            event = ""
            try:
                due = [timer for timer in timers if timer.event not in without]
                first = timetable.earliest(workflow, instance.state, due)
                if first is None or first.due_at > held.now:
                    break
                event = first.event
                occurrence = self._next(held, due, looking=True)
                assert occurrence is not None
                event = occurrence.timer.event
                if occurrence.timer.failures:  # a write may be to blame, which is not tried here
                    raise EventNotPossible
                if circle.begins(instance.state, occurrence):
                    before, known = (instance.state, list(timers)), len(trail)
                if circle.closes:
                    (instance.state, timers[:]), trail[known:] = before, ()
                    return circle.event
                source = instance.state
                if self._walk_on(held, occurrence):
                    broken, without = "", set()
                if instance.state != source:
                    trail.append((instance.state, occurrence.timer.due_at))
            except PASSING:
                raise
            except Exception:
                if not timetable.holds_up_nobody(workflow, instance.state, event):
                    return event
                broken = broken or event
                without.add(event)
        return broken

    def _walk_on(self, held: Held, occurrence: Occurrence) -> bool:
        """Go on as if the timer had fired. Returns whether that led out of the state. Raises EventNotPossible where the
        timer would be refused."""
        if occurrence.moves_to is not None:
            _move(held.timers, occurrence.timer.event, occurrence.moves_to)
            return False
        attempt = self._attempt(held, occurrence)
        transition = self._taken(attempt)
        if transition is None:
            raise EventNotPossible
        state = held.instance.state
        held.timers[:] = self._after(held, attempt, transition)
        return held.instance.state != state

    def _after(self, held: Held, attempt: Attempt, transition: Transition) -> list[Due]:
        """Lead the instance along `transition`, in memory only. Returns the timers that it has afterwards."""
        instance, timers, unit = held.instance, held.timers, held.unit
        workflow = self._definitions.of(instance)
        resend = transition.resend
        runs_on = resend is not None and resend.link == "reuse"
        if transition.target == instance.state:
            keeps = runs_on if resend is not None else self._definitions.keeps_timers(unit, workflow)
            wanted, _kept = timetable.after_return(
                workflow, transition, attempt, timers, True, keeps, lambda: sealed_times(unit, instance.id)
            )
            return [Due(event, due) for event, due in wanted.items()]
        instance.state = transition.target
        before = {timer.event: timer.due_at for timer in timers} if runs_on else {}
        return [
            Due(timer.event, before.get(timer.event) or answers.due(timer, attempt))
            for timer in workflow.by_name[transition.target].timers
        ]

    def _next(self, held: Held, timers: Sequence[Due], *, looking: bool = False) -> Occurrence | None:
        instance, now, unit, services = held.instance, held.now, held.unit, self._definitions.services

        def attempt_at(event: str, at: datetime) -> Attempt:
            return Attempt(instance, event, SYSTEM_ACTOR, None, now, at, unit, services=services)

        return timetable.next_occurrence(
            self._definitions.of(instance), instance.state, timers, now, attempt_at, self._taken, looking=looking
        )

    def _attempt(self, held: Held, occurrence: Occurrence) -> Attempt:
        event, at = occurrence.timer.event, occurrence.at
        since = occurrence.timer.due_at if occurrence.count > 1 else None
        return Attempt(
            held.instance,
            event,
            SYSTEM_ACTOR,
            None,
            held.now,
            at,
            held.unit,
            services=self._definitions.services,
            occurrences=occurrence.count,
            since=since,
        )

    def _taken(self, attempt: Attempt) -> Transition | None:
        return deciding.decide(self._definitions.of(attempt.instance), attempt).transition

    def _skip(self, held: Held, occurrence: Occurrence, to: datetime) -> None:
        """Skip the times that a timer has missed: it moves on, and a sealed entry of history records that. Its
        first time stays the deadline of this state."""
        event = occurrence.timer.event
        _move(held.timers, event, to)
        said = {"timer": event, OCCURRENCES: occurrence.count, SINCE: to_db(occurrence.at)}
        times = history.timers_text({timer.event: to_db(timer.due_at) for timer in held.timers})
        self._recording.note(held, SKIP_EVENT, SYSTEM_ACTOR, said, times)
        set_timer(held, event, to)


def closed(explanation: Explanation) -> Explanation:
    """The explanation of a transition out of a state in which a timer is due and cannot fire: nobody can take it."""
    if NO_PERMISSION in explanation.reasons:
        return explanation
    return replace(explanation, reasons=(*explanation.reasons, TIMER_BROKEN))


def _move(timers: list[Due], event: str, to: datetime) -> None:
    timers[:] = [Due(event, to) if timer.event == event else timer for timer in timers]
