"""Catching up: fires the due timers of one instance, in as many commits as it takes, and records one that cannot fire.

Timers that fired before a broken one are kept. Timers behind it wait for it, unless the broken one only leads back into
its state: the others then fire whether or not it does.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.definition import Instance
from engine.errors import CatchingUp, TimerBroken
from engine.outcomes import Committed
from engine.runtime import timetable
from engine.runtime.commits import Commits
from engine.runtime.definitions import Definitions
from engine.runtime.due_timers import MOST_PIECES, PASSING, DueTimers
from engine.runtime.held import Held
from engine.runtime.observer import DUE
from engine.store.base import Due, Unit, storable, to_db

LONGEST_WAIT = timedelta(hours=1)  # from one try of a timer whose rule is broken to the next

log = logging.getLogger("tetsuzuki.engine")


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What became of one instance's due timers: whether any fired (`moved`), and which one is due and cannot fire
    (`broken`)."""

    moved: bool
    broken: TimerBroken | None = None


class CatchUp:
    """Fires the due timers of single instances. An instance that another worker has locked is left to that worker."""

    def __init__(self, commits: Commits, definitions: Definitions, due_timers: DueTimers) -> None:
        self._commits = commits
        self._definitions = definitions
        self._due_timers = due_timers

    def of(self, number: int, now: datetime | None = None, *, counts: bool = True) -> CaughtUp:
        """Fire the instance's timers until none that can fire is due at `now` (default: the database's time).

        A timer that cannot fire is recorded with its reason and retried later. With `counts=False`, for a caller that
        came for another purpose, only the first failure is recorded: a further one is no new try. Raises Busy,
        DatabaseAway, OutcomeUnknown, and CatchingUp after MOST_PIECES commits.
        """
        moved, broken, without = False, None, set[str]()
        most = usual = 0
        for _ in range(MOST_PIECES):
            piece = _Piece(number, now, most, without)
            try:
                self._fire(piece)
            except PASSING:
                raise
            except TimerBroken as error:
                if error.kept:
                    most = error.kept
                    continue
                broken = error
            except Exception as error:  # with the COMMIT: by fewer and fewer, to know whose fault it is
                if most != 1:
                    most = usual = max(1, (most or self._due_timers.piece) // 8)
                    continue
                broken = TimerBroken(number, piece.event, 0, f"{type(error).__name__}: {error}")
                broken.__cause__ = error
            else:
                moved = moved or piece.fired > 0
                if piece.state_left:
                    without, broken = set(), None
                if piece.fired < (most or self._due_timers.piece):
                    return CaughtUp(moved, broken)
                most = usual
                continue
            if not self._put_off(number, broken, now, counts=counts):
                return CaughtUp(moved, broken)
            without.add(broken.event)
        raise CatchingUp

    def _fire(self, piece: _Piece) -> None:
        """Fire one commit's share of the timers."""
        commits, committed = self._commits, Committed()

        def fire(unit: Unit) -> None:
            committed.begin_again()
            piece.fired, piece.event, piece.state_left = 0, "", False
            opened = commits.store.open(unit, piece.number, skip_locked=True)
            if opened is not None:
                instance, timers, time = opened
                committed.instance, state = instance, instance.state
                due = [timer for timer in timers if timer.event not in piece.without]
                piece.event = self.first_of(instance, due)
                held = Held(unit, instance, timers, piece.now or time, committed)
                piece.fired = self._due_timers.apply(held, piece.most, piece.without)
                piece.state_left = instance.state != state
            unit.unchanged = not piece.fired

        commits.watchers.watched(DUE, committed, "", commits.run, fire, committed)

    def first_of(self, instance: Instance, timers: list[Due]) -> str:
        """The event of the earliest of `timers`; empty where there is none."""
        if self._definitions.has(instance):
            first = timetable.earliest(self._definitions.of(instance), instance.state, timers)
        else:
            first = min(timers, key=lambda timer: (timer.due_at, timer.event), default=None)
        return first.event if first is not None else ""

    def _put_off(self, number: int, broken: TimerBroken, now: datetime | None, *, counts: bool) -> bool:
        """Do `write_down` in a commit of its own. Failures are logged and not raised, because the timers of other
        instances must still fire."""
        store = self._commits.store
        try:
            with store.begin() as unit:
                opened = store.open(unit, number, skip_locked=True)
                if opened is None:
                    return False
                instance, timers, time = opened
                if not counts and any(timer.failures for timer in timers if timer.event == broken.event):
                    return self._is_harmless(instance, broken.event)
                harmless = self.write_down(unit, instance, timers, broken, now or time)
                store.commit(unit)
                return harmless
        except Exception:
            log.exception("timer of instance %s: its failure could not be written down", number)
            return False

    def write_down(
        self, unit: Unit, instance: Instance, timers: list[Due], broken: TimerBroken, moment: datetime
    ) -> bool:
        """Record why a timer did not fire, and back off: it is retried after 1, 2, 4 … minutes, at most after an hour.

        Returns whether the other timers of its state fire without it. If not, those that are due are put off as well.
        """
        event = broken.event
        harmless = self._is_harmless(instance, event)
        failures = max((timer.failures for timer in timers if timer.event == event), default=0)
        # With its traceback once: thousands may be tried again and again.
        log.error("%s", broken, exc_info=None if failures else broken.__cause__)
        wake = to_db(moment + min(timedelta(minutes=2 ** min(failures, 6)), LONGEST_WAIT))
        for timer in timers:
            if timer.event == event or (timer.due_at <= moment and not harmless):
                unit.write(
                    "UPDATE timer SET wake_at = ? WHERE instance_id = ? AND event = ?", (wake, instance.id, timer.event)
                )
        unit.write(
            "UPDATE timer SET failures = ?, error = ? WHERE instance_id = ? AND event = ?",
            (failures + 1, storable(broken.why), instance.id, event),
        )
        return harmless

    def _is_harmless(self, instance: Instance, event: str) -> bool:
        return self._definitions.has(instance) and timetable.holds_up_nobody(
            self._definitions.of(instance), instance.state, event
        )


@dataclass(slots=True)
class _Piece:
    """One commit of one instance's timers: how many `fired`, or the `event` of the one that was tried."""

    number: int
    now: datetime | None
    most: int
    without: Collection[str]
    fired: int = 0
    event: str = ""
    state_left: bool = False
