"""The timetable of a state: which timer comes next, as of when it fires, and which timers there are after a step.

These functions write nothing. `due_timers` fires what they say, and a look walks along them without firing: so both
count to the same end.

A timer is **due** from its due time on, and late where it fires after it. The earliest fires first; of several that are
due at one microsecond, the one that was written first. It fires *as of* its due time, however late, and what follows is
counted from there (I3).

Where the event leads back into the state, the timer has a next time, and so a grid: for `after` its due time and every
such interval after it, for `at` what the rule answers from one time to the next. An occurrence is **missed** when the
next one came before it fired. `Timer.missed` says what becomes of several. A time at which the state was already left
is no occurrence: so the grid ends where another timer of the state is due that may lead out of it.

An `at` rule is asked for its next times before the transition's writes. A rule that answers by what those writes change
has no grid that could be walked ahead, and fires for each of its times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from engine.definition import ALL_TIMERS, Attempt, Timer, Transition, Workflow
from engine.errors import TimerStandsStill
from engine.runtime import answers
from engine.store.base import Due

AT_ONE_MOMENT = 100  # timers that may fire one after another as of one microsecond: more go round in a circle
MOST_WALKED = 1_000_000  # times of an `at` rule that may have gone by: two years of minutes

AttemptAt = Callable[[str, datetime], Attempt]
"""The attempt of a timer's event, as of a time."""
Taken = Callable[[Attempt], Transition | None]
"""The transition that an attempt takes; None where it is refused."""


class Leads(Enum):
    """Where a timer's event leads: back into the state whatever guards say, out of it, or either."""

    BACK = "back"
    OUT = "out"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What happens next: `timer` fires as of `at`, for `count` of its times; or it skips them all, and moves to
    `moves_to`."""

    timer: Due
    at: datetime
    count: int = 1
    moves_to: datetime | None = None


class _End(NamedTuple):
    """Where a grid ends. A time equal to `at` is still on the grid where `included`: its timer comes before the one
    that ends the grid."""

    at: datetime
    included: bool

    def reaches(self, moment: datetime) -> bool:
        return moment < self.at or (self.included and moment == self.at)


@lru_cache(maxsize=4096)
def leads(workflow: Workflow, state: str, event: str) -> Leads:
    """Where an event leads from a state, by its definition alone."""
    back = {transition.target == state for transition in workflow.outgoing.get((state, event), ())}
    if back == {True}:
        return Leads.BACK
    return Leads.EITHER if True in back else Leads.OUT


@lru_cache(maxsize=4096)
def _restarted(workflow: Workflow, state: str, event: str) -> frozenset[str]:
    """The timers that an event may restart where it leads back into the state."""
    ways = workflow.outgoing.get((state, event), ())
    names = frozenset(name for way in ways if way.target == state for name in way.restarts)
    return frozenset(workflow.timers[state]) if names & {*ALL_TIMERS} else names


def holds_up_nobody(workflow: Workflow, state: str, event: str) -> bool:
    """Whether the other timers of a state fire at the same times, whether or not the timer of `event` fires."""
    return leads(workflow, state, event) is Leads.BACK and not _restarted(workflow, state, event) - {event}


def order_of(workflow: Workflow, state: str, event: str) -> int:
    """The position of a timer among those of its state, counted from 0 in the order of writing."""
    written = workflow.timers.get(state, {})
    return list(written).index(event) if event in written else len(written)


def earliest(workflow: Workflow, state: str, timers: Sequence[Due]) -> Due | None:
    """The earliest of `timers`, whether or not it is due; None where there is none."""
    if len(timers) < 2:  # as nearly always
        return timers[0] if timers else None
    return min(timers, key=lambda timer: (timer.due_at, order_of(workflow, state, timer.event), timer.event))


def is_due(timers: Sequence[Due], now: datetime) -> bool:
    """Whether any of `timers` is due at `now`."""
    for timer in timers:  # noqa: SIM110  (on the way of every event and look, where a generator costs more than it asks)
        if timer.due_at <= now:
            return True
    return False


def next_occurrence(
    workflow: Workflow,
    state: str,
    timers: Sequence[Due],
    now: datetime,
    attempt_at: AttemptAt,
    taken: Taken,
    *,
    looking: bool = False,
) -> Occurrence | None:
    """The occurrence that is due at `now` and comes first; None where nothing is due.

    With `looking`, for read-only callers, the firings of an "each" timer that always leads back count as one.
    """
    first = earliest(workflow, state, timers)
    if first is None or first.due_at > now:
        return None
    if leads(workflow, state, first.event) is Leads.OUT:  # as nearly always: no other time of it can have gone by
        return Occurrence(first, first.due_at)
    grid = _Grid(workflow, state, timers, now, attempt_at, taken, looking)
    written = grid.of(first)
    if written is None or not _is_missed(written, first.due_at, _End(now, included=True), attempt_at):
        return Occurrence(first, first.due_at)
    return grid.first(first)


def after_return(
    workflow: Workflow,
    way: Transition,
    attempt: Attempt,
    timers: Sequence[Due],
    fired: bool,
    keeps: bool,
    sealed: Callable[[], Mapping[str, datetime] | None],
) -> tuple[dict[str, datetime], list[str]]:
    """The due times of a state into which `way` has led back, in the order of writing, and which of them are unchanged.

    `fired` says that a timer fired the event; that timer begins anew. `keeps` is `Definitions.keeps_timers`. A timer
    that has no row is looked up in the `sealed` due times: one that was lost is put back; one that was cancelled stays
    so, unless it is restarted. Where history does not say (`sealed` answers None), it begins anew.

    Raises TimerStandsStill where the timer that fired would fire again without time going by.
    """
    standing = {timer.event: timer.due_at for timer in timers}
    anew = way.restarts == ALL_TIMERS or not keeps
    wanted: dict[str, datetime] = {}
    kept: list[str] = []
    for event, timer in workflow.timers[way.target].items():
        own = fired and event == attempt.event
        if own or anew or event in way.restarts:
            wanted[event] = due = answers.due(timer, attempt)
            if own and due <= attempt.at:
                raise TimerStandsStill(
                    f"{told(workflow, way.target, event)} leads back into its state, and its next time "
                    f"({due:%Y-%m-%d %H:%M:%S.%f} UTC) is not after the one at which it fired"
                )
        elif event in standing:
            wanted[event] = standing[event]
            kept.append(event)
        else:
            said = sealed()
            if said is None:
                wanted[event] = answers.due(timer, attempt)
            elif event in said:
                wanted[event] = said[event]
    return wanted, kept


def put_off_by(due: datetime, begun: datetime, now: datetime) -> datetime:
    """The new due time of a standing timer that was halted from `begun` to `now`; one that was due by `begun` does not
    move."""
    return due + max(now - begun, timedelta(0)) if due > begun else due


def told(workflow: Workflow, state: str, event: str) -> str:
    """A timer as a message to operators names it: with its state, its definition, and the line where it was written."""
    timer = workflow.timers.get(state, {}).get(event)
    where = f" ({timer.where})" if timer is not None else ""
    return f'timer "{event}" of state "{state}" of workflow "{workflow.name}" version {workflow.version}{where}'


@dataclass(slots=True)
class Circle:
    """Detects timers that go round in a circle: they lead to each other as of one moment, without time going by.

    `began` is how many timers had fired before that moment; `event` is the first timer of the moment, and `state` its
    state.
    """

    at: datetime | None = None
    state: str = ""
    event: str = ""
    began: int = 0
    fired: int = 0

    def begins(self, state: str, occurrence: Occurrence) -> bool:
        """Count one occurrence. Returns whether it is the first as of its moment."""
        begins = occurrence.at != self.at
        if begins:
            self.at, self.state, self.event, self.began = occurrence.at, state, occurrence.timer.event, self.fired
        self.fired += 1
        return begins

    @property
    def closes(self) -> bool:
        """Whether more than AT_ONE_MOMENT occurrences were counted as of one moment."""
        return self.fired - self.began > AT_ONE_MOMENT

    def error(self, workflow: Workflow) -> TimerStandsStill:
        """The error that names the circle."""
        return TimerStandsStill(
            f"{told(workflow, self.state, self.event)} and the timers after it lead round in a circle without time "
            f"going by: {AT_ONE_MOMENT} of them were due at {self.at:%Y-%m-%d %H:%M:%S.%f} UTC"
        )


# -- several occurrences -----------------------------------------------------------------------------------------------


class _Grid(NamedTuple):
    """The grids of a state's timers: the times that have gone by."""

    workflow: Workflow
    state: str
    timers: Sequence[Due]
    now: datetime
    attempt_at: AttemptAt
    taken: Taken
    looking: bool

    def of(self, due: Due) -> Timer | None:
        """The timer, where several of its missed times may count as one occurrence; None where each time fires."""
        written = self.workflow.timers[self.state].get(due.event)
        kind = leads(self.workflow, self.state, due.event)
        if written is None or kind is Leads.OUT:
            return None
        return None if written.missed == "each" and not (self.looking and kind is Leads.BACK) else written

    def first(self, earliest: Due) -> Occurrence:
        """The first occurrence, where `earliest` has missed a time: any of the timers may fire as of a later time."""
        found: list[tuple[datetime, int, Occurrence]] = []
        for due in self.timers:
            if due.due_at > self.now:
                continue
            try:
                occurrence = self._occurrence(due)
            except Exception:
                if due is earliest:
                    raise
                occurrence = Occurrence(due, due.due_at)  # its fault shows when it fires
            found.append((occurrence.at, order_of(self.workflow, self.state, due.event), occurrence))
        return min(found, key=lambda one: one[:2])[2]

    def _occurrence(self, due: Due) -> Occurrence:
        alone = Occurrence(due, due.due_at)
        written, end = self.of(due), self._end(due)
        if written is None or not _is_missed(written, due.due_at, end, self.attempt_at):
            return alone
        if leads(self.workflow, self.state, due.event) is Leads.EITHER:
            transition = self.taken(self.attempt_at(due.event, due.due_at))
            if transition is None or transition.target != self.state:
                return alone
        latest, count, following = self._walk(written, due.due_at, end)
        if written.missed != "skip":
            return Occurrence(due, latest, count)
        if following <= latest:
            raise TimerStandsStill(
                f"{told(self.workflow, self.state, due.event)} has no time after {latest:%Y-%m-%d %H:%M:%S.%f} UTC"
            )
        return Occurrence(due, due.due_at, count, moves_to=following)

    def _end(self, due: Due) -> _End:
        """Until when a timer's times are occurrences: now, or the due time of another timer that may lead out of the
        state or restart this one."""
        own = order_of(self.workflow, self.state, due.event)
        end = _End(self.now, included=True)
        for other in self.timers:
            if other is due or other.due_at > end.at:
                continue
            if leads(self.workflow, self.state, other.event) is Leads.BACK and due.event not in _restarted(
                self.workflow, self.state, other.event
            ):
                continue
            if other.due_at < end.at or end.included:
                end = _End(other.due_at, included=own < order_of(self.workflow, self.state, other.event))
        return end

    def _walk(self, timer: Timer, begin: datetime, end: _End) -> tuple[datetime, int, datetime]:
        """The latest time on the grid, from `begin`, that `end` reaches; how many times those are; and the time after
        it."""
        if timer.at is None:
            step = timer.after or timedelta(0)
            steps = (end.at - begin) // step
            if not end.reaches(begin + steps * step):
                steps -= 1
            latest = begin + steps * step
            return latest, steps + 1, latest + step
        latest, count = begin, 1
        while count <= MOST_WALKED:
            following = _following(timer, latest, self.attempt_at)
            if following <= latest or not end.reaches(following):
                return latest, count, following
            latest, count = following, count + 1
        raise TimerStandsStill(
            f"{told(self.workflow, self.state, timer.event)} has missed more than {MOST_WALKED} times since "
            f"{begin:%Y-%m-%d %H:%M:%S.%f} UTC: they are too close together"
        )


def _is_missed(timer: Timer, due: datetime, end: _End, attempt_at: AttemptAt) -> bool:
    """Whether the time after `due` has come too."""
    following = _following(timer, due, attempt_at)
    return following > due and end.reaches(due) and end.reaches(following)


def _following(timer: Timer, moment: datetime, attempt_at: AttemptAt) -> datetime:
    if timer.at is None:
        return moment + (timer.after or timedelta(0))
    return answers.due(timer, attempt_at(timer.event, moment))
