"""Due timers, fired many in one commit, and those of one instance, fired in as many commits as it takes.

A timer that is due is an event like any other: the same guards, writes, history and effects. What is shared is the
transaction, because a commit costs more than a transition: a batch of instances is locked (those that another worker
holds are left to it), each settles what is due, and one COMMIT keeps all. On SQLite a batch is short, so that whoever
writes meanwhile waits for milliseconds; on PostgreSQL its writes travel as sets (`engine.store.batches`).

A broken rule costs its own timer and no other. Where anything in a batch fails, nothing of it is kept, and it is done
again with a savepoint around each instance: what fails is rolled back to it, its timer is written down with the reason
and put off, and the COMMIT keeps that with the others. Instances of which a timer is known to be broken have their
savepoint from the first. Of one instance, what fired before the broken timer is kept; those behind it wait for it,
except where it only leads back into its state, because then they fire whether or not it does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.definition import Instance
from engine.errors import Busy, CatchingUp, DatabaseAway, TimerBroken
from engine.outcomes import Committed
from engine.runtime import timetable
from engine.runtime.due_timers import MOST_PIECES, PASSING
from engine.runtime.observer import DUE
from engine.store.base import NEVER, Due, Unit, storable, to_db

if TYPE_CHECKING:
    from engine.runtime.engine import Engine

_PUT_OFF = "UPDATE timer SET wake_at = ? WHERE instance_id = ?"
LONGEST_WAIT = timedelta(hours=1)  # from one try of a timer whose rule is broken to the next

log = logging.getLogger("tetsuzuki.engine")


def fire_due(engine: Engine, now: datetime | None, limit: int, stopped: Callable[[], bool] = lambda: False) -> int:
    """Fire what is due at `now` (the database's time unless given) of at most `limit` instances; how many moved.

    It ends there, or where fewer are due than it asked for, however many of those before could not fire; or where
    `stopped` says so, which is asked between batches.
    """
    moment = now or engine.store.now()
    moved = 0
    while moved < limit and not stopped():
        most = min(engine.store.at_once, limit - moved)
        batch = _Batch(engine, now, moment, most)
        try:
            batch.fire()
        except (Busy, DatabaseAway):
            log.warning("due timers: the database is busy or away; they stay due")
            break
        moved += batch.moved
        if batch.timers < most or not batch.moved + batch.put_off:
            break
    return moved


@dataclass(slots=True)
class _Batch:
    """Some instances of which timers are due. `timers` are those, as many as there were or were wanted."""

    engine: Engine
    now: datetime | None
    moment: datetime
    most: int
    timers: int = 0
    moved: int = 0
    put_off: int = 0
    numbers: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)  # what must be done alone

    def fire(self) -> None:
        """Fire them together, as far as they can be. Raises Busy, DatabaseAway."""
        for apart in (False, True):
            try:
                self._together(apart=apart)
                break
            except (Busy, DatabaseAway):
                raise
            except Exception as error:
                if not self.numbers:
                    raise
                log.info("due timers of %d instances are fired apart: %s", len(self.numbers), type(error).__name__)
        else:
            self.moved = self.put_off = 0
            self.left = list(self.numbers)
        for number in self.left:
            self._alone(number)

    def _together(self, *, apart: bool) -> None:
        engine, committed = self.engine, Committed()

        def settle(unit: Unit) -> None:
            committed.begin_again()
            self.moved = self.put_off = 0
            self.numbers, self.left = [], []
            opened, time = engine.store.open_due(unit, self.moment, self.most)
            self.numbers.extend(found.id for found, _ in opened)
            self.timers = sum(timer.due_at <= self.moment for _, timers in opened for timer in timers)
            for found, timers in opened:
                unit.owner = found.id
                if found.paused:
                    unit.write(_PUT_OFF, (NEVER, found.id))
                    self.put_off += 1
                elif apart or any(timer.failures for timer in timers):
                    self._apart(unit, found, timers, self.now or time, committed)
                else:
                    self.moved += engine.settle(unit, found, timers, self.now or time, committed) > 0
            unit.unchanged = not self.moved + self.put_off

        if engine.observer is None:
            engine.store.run(settle, many=True)
        else:
            with engine.observer.watching(DUE, committed, DUE):
                engine.store.run(settle, many=True)
        engine.tell(committed)

    def _apart(self, unit: Unit, found: Instance, timers: list[Due], now: datetime, committed: Committed) -> None:
        """Settle one instance behind a savepoint; what cannot be told apart so is left to be done alone."""
        without = set[str]()
        while True:
            own, trial = Committed(), found.copy()
            unit.begin_part()
            try:
                fired = self.engine.settle(unit, trial, list(timers), now, own, without=without)
                unit.end_part()
            except PASSING:
                raise
            except TimerBroken as broken:
                unit.undo_part()
                if broken.kept:
                    self.left.append(found.id)
                    return
                self.put_off += 1
                if not _write_down(self.engine, unit, found, timers, broken, self.moment):
                    return
                without.add(broken.event)
            except Exception:
                unit.undo_part()
                self.left.append(found.id)
                return
            else:
                self.moved += fired > 0
                committed.add(own)
                return

    def _alone(self, number: int) -> None:
        try:
            caught = catch_up(self.engine, number, self.now)
        except (*PASSING, CatchingUp) as error:
            log.warning("timers of instance %s stay due: %s", number, error)
            return
        self.moved += caught.moved
        self.put_off += caught.broken is not None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What became of one instance's due timers: whether any fired, and which is due and cannot."""

    moved: bool
    broken: TimerBroken | None = None


def catch_up(engine: Engine, number: int, now: datetime | None, *, counts: bool = True) -> CaughtUp:
    """Fire one instance's due timers in commits of their own, until nothing is due that can fire.

    A timer that cannot is written down, with its reason, and put off. With `counts` unset, which is for who came by for
    something else, only where that is news. Nothing is done where another worker holds the instance.

    Raises Busy, DatabaseAway, OutcomeUnknown; CatchingUp after MOST_PIECES commits.
    """
    moved, broken, without = False, None, set[str]()
    most = usual = 0
    for _ in range(MOST_PIECES):
        piece = _Piece(engine, number, now, most, without)
        try:
            piece.fire()
        except PASSING:
            raise
        except TimerBroken as error:
            if error.kept:
                most = error.kept
                continue
            broken = error
        except Exception as error:  # with the COMMIT: by fewer and fewer, to know whose fault it is
            if most != 1:
                most = usual = max(1, (most or engine.piece) // 8)
                continue
            broken = TimerBroken(number, piece.event, 0, f"{type(error).__name__}: {error}")
            broken.__cause__ = error
        else:
            moved = moved or piece.fired > 0
            if piece.state_left:
                without, broken = set(), None
            if piece.fired < (most or engine.piece):
                return CaughtUp(moved, broken)
            most = usual
            continue
        if not _put_off(engine, number, broken, now, counts=counts):
            return CaughtUp(moved, broken)
        without.add(broken.event)
    raise CatchingUp


@dataclass(slots=True)
class _Piece:
    """One commit of one instance's timers: how many `fired`, or which `event` was tried."""

    engine: Engine
    number: int
    now: datetime | None
    most: int
    without: Collection[str]
    fired: int = 0
    event: str = ""
    state_left: bool = False

    def fire(self) -> None:
        engine, committed = self.engine, Committed()

        def settle(unit: Unit) -> None:
            committed.begin_again()
            self.fired, self.event, self.state_left = 0, "", False
            opened = engine.store.open(unit, self.number, skip_locked=True)
            if opened is not None:
                found, timers, time = opened
                committed.about, state = found, found.state
                due = [timer for timer in timers if timer.event not in self.without]
                self.event = first_of(engine, found, due)
                self.fired = engine.settle(unit, found, timers, self.now or time, committed, self.most, self.without)
                self.state_left = found.state != state
            unit.unchanged = not self.fired

        if engine.observer is None:
            engine.store.run(settle)
        else:
            with engine.observer.watching(DUE, committed):
                engine.store.run(settle)
        engine.tell(committed)


def first_of(engine: Engine, found: Instance, timers: list[Due]) -> str:
    """The event of the timer that comes first; empty where there is none."""
    workflow = engine.workflows.get((found.workflow, found.version))
    if workflow is None:
        first = min(timers, key=lambda timer: (timer.due_at, timer.event), default=None)
    else:
        first = timetable.earliest(workflow, found.state, timers)
    return first.event if first is not None else ""


def _put_off(engine: Engine, number: int, broken: TimerBroken, now: datetime | None, *, counts: bool) -> bool:
    """As `_write_down`, in a commit of its own. Nothing is raised: other instances' timers must fire."""
    try:
        with engine.store.begin() as unit:
            opened = engine.store.open(unit, number, skip_locked=True)
            if opened is None:
                return False
            found, timers, time = opened
            if not counts and any(timer.failures for timer in timers if timer.event == broken.event):
                return _is_harmless(engine, found, broken.event)
            harmless = _write_down(engine, unit, found, timers, broken, now or time)
            engine.store.commit(unit)
            return harmless
    except Exception:
        log.exception("timer of instance %s: its failure could not be written down", number)
        return False


def _write_down(
    engine: Engine, unit: Unit, found: Instance, timers: list[Due], broken: TimerBroken, moment: datetime
) -> bool:
    """Write down why a timer did not fire and try again later, each time after a longer wait up to an hour.

    Whether the others of its state go on without it; those that are due and do not are put off as well.
    """
    event = broken.event
    harmless = _is_harmless(engine, found, event)
    failures = max((timer.failures for timer in timers if timer.event == event), default=0)
    # With its traceback once: thousands may be tried again and again.
    log.error("%s", broken, exc_info=None if failures else broken.__cause__)
    wake = to_db(moment + min(timedelta(minutes=2 ** min(failures, 6)), LONGEST_WAIT))
    for timer in timers:
        if timer.event == event or (timer.due_at <= moment and not harmless):
            unit.write(
                "UPDATE timer SET wake_at = ? WHERE instance_id = ? AND event = ?", (wake, found.id, timer.event)
            )
    unit.write(
        "UPDATE timer SET failures = ?, error = ? WHERE instance_id = ? AND event = ?",
        (failures + 1, storable(broken.why), found.id, event),
    )
    return harmless


def _is_harmless(engine: Engine, found: Instance, event: str) -> bool:
    workflow = engine.workflows.get((found.workflow, found.version))
    return workflow is not None and timetable.holds_up_nobody(workflow, found.state, event)
