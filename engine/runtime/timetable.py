"""Which timer of a state comes next, as of when it fires, and which timers a state has after a step. Pure arithmetic.

`due_timers` writes what this file says and `sight` walks along it without writing: so a look counts to the same end.

A timer is **due** from its due time on, and late where it fires after it. The earliest fires first; of those of one
microsecond, the one that was written first. It fires *as of* its due time, however late: what follows is counted from
there (I3).

Where the event leads back into the state, the timer has a next time, and so a grid: for `after` its due time and every
so long after it, for `at` what the rule answers from one time to the next. An occurrence is **missed** when the next
one came before it fired. What becomes of several is `Timer.missed`. A time at which the state was already left is no
occurrence: so the grid ends where another timer of the state is due that may lead out of it.

An `at` rule is asked for its next times before the transition's writes. One that answers by what those writes change
has no grid that could be walked ahead, and fires for each of its times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache

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
    """What happens next: `timer` fires as of `at`, for `count` of its times; or for none, and moves to `moves_to`."""

    timer: Due
    at: datetime
    count: int = 1
    moves_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class _End:
    """Where a grid ends. A time that is `at` itself is still on it where that timer comes before what ends it."""

    at: datetime
    included: bool

    def reaches(self, moment: datetime) -> bool:
        return moment < self.at or (self.included and moment == self.at)


@lru_cache(maxsize=4096)
def leads(workflow: Workflow, state: str, event: str) -> Leads:
    """Where an event leads to from a state, by its definition alone."""
    back = {transition.target == state for transition in workflow.outgoing.get((state, event), ())}
    if back == {True}:
        return Leads.BACK
    return Leads.EITHER if True in back else Leads.OUT


@lru_cache(maxsize=4096)
def _restarted(workflow: Workflow, state: str, event: str) -> frozenset[str]:
    """The timers that an event may begin anew where it leads back into a state."""
    ways = workflow.outgoing.get((state, event), ())
    names = frozenset(name for way in ways if way.target == state for name in way.restarts)
    return frozenset(workflow.timers[state]) if names & {*ALL_TIMERS} else names


def holds_up_nobody(workflow: Workflow, state: str, event: str) -> bool:
    """Whether the other timers of a state fire when they do, whether or not this one does."""
    return leads(workflow, state, event) is Leads.BACK and not _restarted(workflow, state, event) - {event}


def order_of(workflow: Workflow, state: str, event: str) -> int:
    """Which of the timers of its state a timer is, counted from 0 in the order in which they were written."""
    written = workflow.timers.get(state, {})
    return list(written).index(event) if event in written else len(written)


def earliest(workflow: Workflow, state: str, timers: Sequence[Due]) -> Due | None:
    """The timer that comes first, whether or not it is due; None where there is none."""
    if len(timers) < 2:  # as nearly always
        return timers[0] if timers else None
    return min(timers, key=lambda timer: (timer.due_at, order_of(workflow, state, timer.event), timer.event))


def is_due(timers: Sequence[Due], now: datetime) -> bool:
    """Whether any of them is."""
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
    """What is due at `now` and comes first; None where nothing is.

    `looking` is for who writes nothing: there the firings of "each" that lead back whatever guards say are one.
    """
    first = earliest(workflow, state, timers)
    if first is None or first.due_at > now:
        return None
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
    """The due times of a state into which `way` has led back, in order of writing, and which of them are as before.

    `fired` says that a timer fired the event, which then begins anew; `keeps` is `release.keeps_timers`. A timer that
    is not there is asked after in the `sealed` due times: it was lost, and is put back, or it was cancelled, and stays
    so unless it is restarted. Where history does not say, which it answers by None, it begins anew.

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
    """When a standing timer is due that was halted from `begun` to `now`; one that was due by then does not move."""
    return due + max(now - begun, timedelta(0)) if due > begun else due


def told(workflow: Workflow, state: str, event: str) -> str:
    """A timer as an operator finds it."""
    timer = workflow.timers.get(state, {}).get(event)
    where = f" ({timer.where})" if timer is not None else ""
    return f'timer "{event}" of state "{state}" of workflow "{workflow.name}" version {workflow.version}{where}'


@dataclass(slots=True)
class Circle:
    """What fires as of one moment: timers that lead on without time going by go round in a circle.

    `began` are those that had fired before; `event` is the first one of it, and `state` where it began.
    """

    at: datetime | None = None
    state: str = ""
    event: str = ""
    began: int = 0
    fired: int = 0

    def begins(self, state: str, occurrence: Occurrence) -> bool:
        """Count one more; whether it is the first as of its moment."""
        begins = occurrence.at != self.at
        if begins:
            self.at, self.state, self.event, self.began = occurrence.at, state, occurrence.timer.event, self.fired
        self.fired += 1
        return begins

    @property
    def closes(self) -> bool:
        """Whether that was one too many."""
        return self.fired - self.began > AT_ONE_MOMENT

    def error(self, workflow: Workflow) -> TimerStandsStill:
        """What is wrong then."""
        return TimerStandsStill(
            f"{told(workflow, self.state, self.event)} and the timers after it lead round in a circle without time "
            f"going by: {AT_ONE_MOMENT} of them were due at {self.at:%Y-%m-%d %H:%M:%S.%f} UTC"
        )


# -- several occurrences -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Grid:
    """The times of a state's timers that have gone by."""

    workflow: Workflow
    state: str
    timers: Sequence[Due]
    now: datetime
    attempt_at: AttemptAt
    taken: Taken
    looking: bool

    def of(self, due: Due) -> Timer | None:
        """The timer, where several of its times may be one; None where each of them fires."""
        written = self.workflow.timers[self.state].get(due.event)
        kind = leads(self.workflow, self.state, due.event)
        if written is None or kind is Leads.OUT:
            return None
        return None if written.missed == "each" and not (self.looking and kind is Leads.BACK) else written

    def first(self, earliest: Due) -> Occurrence:
        """What comes first, where `earliest` has missed a time: each may fire as of a later one."""
        found: list[tuple[datetime, int, Occurrence]] = []
        for due in self.timers:
            if due.due_at > self.now:
                continue
            try:
                occurrence = self._occurrence(due)
            except Exception:
                if due is earliest:
                    raise
                occurrence = Occurrence(due, due.due_at)  # what is wrong with it shows when it fires
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
        """Until when its times are occurrences: now, or the due time of another timer that may lead out of the state
        or begin this one anew."""
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
        """The latest time from `begin` on that `end` reaches, how many they are, and the one after it."""
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
