"""What happens while a state waits for a person: remind them, go to somebody else, give up.

A wait is declared at its state and means ordinary parts: each act is a timer of the state and the transition that it
fires, and nothing else knows of waits. Diagram, README, digest, history and `check` show what runs.

    State(
        "in_review",
        _("審査中"),
        wait=Wait(
            remind=Remind(BusinessDays(2), Mail("review_reminder", to="staff")),
            escalate=Escalate(BusinessDays(5), Mail("review_escalated", to="manager")),
            give_up=GiveUp(BusinessDays(20), to="lapsed"),
        ),
    )

A reminder comes back, each time as long after the one before, and delays no other timer of the state. So does an
escalation without `to`. An escalation with `to` ends the wait: in that state, which is declared like any other, others
may act, and that state's wait is its own.

Delays are counted from when the state was entered: a `timedelta`, business time (`BusinessDays`, `BusinessHours`), or
any other rule that answers a time, such as one that reads within how many days the company wants to act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.attempt import written
from engine.business_time import BusinessCalendar
from engine.definition import SYSTEM, Attempt, Effect, Location, Timer, Transition, Write

Delay = timedelta | Callable[[Attempt], datetime]


def _calendar(attempt: Attempt) -> BusinessCalendar:
    """The site's calendar, `Attempt.services.calendar`; that of a Japanese company in an engine without a site."""
    if attempt.services is None:
        return BusinessCalendar()
    calendar: BusinessCalendar = attempt.services.calendar
    return calendar


@dataclass(frozen=True, slots=True)
class BusinessDays:
    """Closing time of the `days`-th working day after the one on which the state was entered. A time after closing or
    on a day off counts as the next working day (`BusinessCalendar.after_working_days`)."""

    days: int

    def __call__(self, attempt: Attempt) -> datetime:
        # A reminder comes at closing time, and the next one is counted from that day and not from the next.
        return _calendar(attempt).after_working_days(attempt.at - timedelta(microseconds=1), self.days)


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """When the company has been open for `hours` hours since the state was entered
    (`BusinessCalendar.after_opening_hours`)."""

    hours: float

    def __call__(self, attempt: Attempt) -> datetime:
        return _calendar(attempt).after_opening_hours(attempt.at, timedelta(hours=self.hours))


@dataclass(frozen=True, slots=True)
class Remind:
    """A reminder: `after` the state was entered, and again as long after each time, the system writes `effects`.

    Those are mails as a rule. `event` is what history shows. `writes` belong to the same commit.
    """

    after: Delay
    effects: Effect | tuple[Effect, ...]
    event: str = field(default="remind", kw_only=True)
    writes: tuple[Write, ...] = field(default=(), kw_only=True)
    where: Location = written()


@dataclass(frozen=True, slots=True)
class Escalate:
    """An escalation: `after` the state was entered the system writes `effects`, such as a mail to somebody else.

    With `to` it leads into that state, in which others may act; without, it comes back like a reminder.
    """

    after: Delay
    effects: Effect | tuple[Effect, ...] = ()
    to: str = field(default="", kw_only=True)
    event: str = field(default="escalate", kw_only=True)
    writes: tuple[Write, ...] = field(default=(), kw_only=True)
    where: Location = written()


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The end of a wait: `after` the state was entered the system leads the instance into the state `to`."""

    after: Delay
    effects: Effect | tuple[Effect, ...] = ()
    to: str = field(kw_only=True)
    event: str = field(default="give_up", kw_only=True)
    writes: tuple[Write, ...] = field(default=(), kw_only=True)
    where: Location = written()


@dataclass(frozen=True, slots=True)
class Wait:
    """What happens while a state waits for a person; `forever` is the reason why nothing does, where that is meant."""

    remind: Remind | None = None
    escalate: Escalate | None = None
    give_up: GiveUp | None = None
    forever: str = ""
    where: Location = written()

    def acts(self) -> Iterator[Remind | Escalate | GiveUp]:
        """The declared acts, in that order."""
        for act in (self.remind, self.escalate, self.give_up):
            if isinstance(act, Remind | Escalate | GiveUp):
                yield act

    def parts(self, state: str) -> Iterator[tuple[Timer, Transition]]:
        """The timer and the transition of each act in `state`."""
        for act in self.acts():
            target = state if isinstance(act, Remind) else act.to or state
            effects = (act.effects,) if isinstance(act.effects, Effect) else act.effects
            if isinstance(act.after, timedelta):
                timer = Timer(act.event, act.after, where=act.where)
            else:
                timer = Timer(act.event, at=act.after, where=act.where)
            yield (
                timer,
                Transition(act.event, (state,), target, SYSTEM, effects=effects, writes=act.writes, where=act.where),
            )
