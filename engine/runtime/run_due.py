"""Batches of due timers: those of many instances are fired in one commit.

A due timer is an event like any other: the same guards, writes, history and effects. Only the transaction is shared,
because a commit costs more than a transition. A batch of instances is locked (skipping those that another worker has
locked), the due timers of each are fired, and one COMMIT keeps all. On SQLite a batch is short, so that other writers
wait for milliseconds; on PostgreSQL its writes travel as sets (`engine.store.batches`).

A broken rule costs its own timer and no other. Where anything in a batch fails, the batch is rolled back and done again
with a savepoint around each instance: a failing instance is rolled back to its savepoint, its timer is recorded with
the reason and put off, and the COMMIT keeps that with the others. Instances with a timer that is known to be broken
have their savepoint from the first. Where a plugin's definition is away, its instances are looked at again later:
nothing of them is broken. A failure that no savepoint can isolate is found by firing the instances one by one
(`catching_up`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from engine.definition import Instance
from engine.errors import Busy, CatchingUp, DatabaseAway, TimerBroken
from engine.outcomes import Committed
from engine.runtime import deciding, timetable
from engine.runtime.catching_up import CatchUp
from engine.runtime.commits import Commits
from engine.runtime.definitions import Definitions
from engine.runtime.due_timers import PASSING, DueTimers
from engine.runtime.held import Held
from engine.runtime.observer import DUE
from engine.store.base import NEVER, Due, Unit, Wanted, to_db

_PUT_OFF = "UPDATE timer SET wake_at = ? WHERE instance_id = ?"
_AWAITED_AGAIN = timedelta(minutes=5)  # until an instance is looked at again that waits for a plugin's definition

log = logging.getLogger("tetsuzuki.engine")


class RunDue:
    """Fires the due timers of whatever instances have any."""

    def __init__(self, commits: Commits, definitions: Definitions, due_timers: DueTimers, catch_up: CatchUp) -> None:
        self._commits = commits
        self._definitions = definitions
        self._due_timers = due_timers
        self._catch_up = catch_up

    def run(self, now: datetime | None, limit: int, stopped: Callable[[], bool]) -> int:
        """Fire what is due at `now` (default: the database's time) of at most `limit` instances.

        A run ends at `limit`, where fewer timers are due than a batch takes, where a batch comes to nothing, where the
        database is busy or away, or where `stopped` says so, which is asked between batches. Returns how many instances
        moved.
        """
        store = self._commits.store
        moment = now or store.now()
        moved = 0
        while moved < limit and not stopped():
            batch = _Batch(now, moment, min(store.at_once, limit - moved))
            try:
                self._fire(batch)
            except (Busy, DatabaseAway):
                log.warning("due timers: the database is busy or away; they stay due")
                break
            moved += batch.moved
            if batch.timers < batch.most or not batch.moved + batch.put_off:
                break
        return moved

    def _fire(self, batch: _Batch) -> None:
        """Fire a batch: together, else with savepoints, else one by one. Raises Busy, DatabaseAway."""
        for apart in (False, True):
            try:
                self._together(batch, apart=apart)
                break
            except (Busy, DatabaseAway):
                raise
            except Exception as error:
                if not batch.numbers:
                    raise
                log.info("due timers of %d instances are fired apart: %s", len(batch.numbers), type(error).__name__)
        else:
            batch.moved = batch.put_off = 0
            batch.left = list(batch.numbers)
        for number in batch.left:
            self._alone(batch, number)

    def _together(self, batch: _Batch, *, apart: bool) -> None:
        commits, committed = self._commits, Committed()

        def fire(unit: Unit) -> None:
            committed.begin_again()
            batch.begin_again()
            opened, time = commits.store.open_due(unit, batch.moment, batch.most)
            batch.numbers.extend(instance.id for instance, _ in opened)
            batch.timers = sum(timer.due_at <= batch.moment for _, timers in opened for timer in timers)
            if not apart:
                unit.read_ahead(self._declared(opened))
            for instance, timers in opened:
                unit.owner = instance.id
                held = Held(unit, instance, timers, batch.now or time, committed)
                if instance.paused:
                    unit.write(_PUT_OFF, (NEVER, instance.id))
                    batch.put_off += 1
                elif self._definitions.awaits(instance):
                    unit.write(_PUT_OFF, (to_db(held.now + _AWAITED_AGAIN), instance.id))
                    batch.put_off += 1
                elif apart or any(timer.failures for timer in timers):
                    self._apart(batch, held)
                else:
                    batch.moved += self._due_timers.apply(held) > 0
            unit.unchanged = not batch.moved + batch.put_off

        commits.watchers.watched(DUE, committed, DUE, partial(commits.run, many=True), fire, committed)

    def _declared(self, opened: Iterable[tuple[Instance, list[Due]]]) -> Iterator[Wanted]:
        """The rows that guards declare to read, of the timers that fire first."""
        loaded = self._definitions.loaded
        for instance, timers in opened:
            workflow = loaded.get((instance.workflow, instance.version))
            first = timetable.earliest(workflow, instance.state, timers) if workflow is not None else None
            if workflow is not None and first is not None:
                yield from deciding.reads_of(workflow, instance, first.event)

    def _apart(self, batch: _Batch, held: Held) -> None:
        """Fire the timers of one instance behind a savepoint; where that cannot isolate a failure, the instance is left
        for `_alone`."""
        unit, instance = held.unit, held.instance
        without = set[str]()
        while True:
            committed = Committed(without=held.committed.without)
            trial = Held(unit, instance.copy(), list(held.timers), held.now, committed)
            unit.begin_part()
            try:
                fired = self._due_timers.apply(trial, without=without)
                unit.end_part()
            except PASSING:
                raise
            except TimerBroken as broken:
                unit.undo_part()
                if broken.kept:
                    batch.left.append(instance.id)
                    return
                batch.put_off += 1
                if not self._catch_up.write_down(unit, instance, held.timers, broken, batch.moment):
                    return
                without.add(broken.event)
            except Exception:
                unit.undo_part()
                batch.left.append(instance.id)
                return
            else:
                batch.moved += fired > 0
                held.committed.add(trial.committed)
                return

    def _alone(self, batch: _Batch, number: int) -> None:
        try:
            caught = self._catch_up.of(number, batch.now)
        except (*PASSING, CatchingUp) as error:
            log.warning("timers of instance %s stay due: %s", number, error)
            return
        batch.moved += caught.moved
        batch.put_off += caught.broken is not None


@dataclass(slots=True)
class _Batch:
    """A batch of instances with due timers. `timers` counts the due timers that were found, at most `most`."""

    now: datetime | None
    moment: datetime
    most: int
    timers: int = 0
    moved: int = 0
    put_off: int = 0
    numbers: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)  # what must be done alone

    def begin_again(self) -> None:
        """Reset the batch, because its transaction begins: for the first time, or again after a rollback."""
        self.moved = self.put_off = 0
        self.numbers, self.left = [], []
