"""The one way in which an instance is changed: open, apply due timers, act, commit, tell.

Opening locks the instance and reads its timers, then the clock. Due timers are applied first (I3), then comes the act
(I1). Where the act is refused, the transaction is rolled back, what the timers did is done again alone, and nothing
else is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from engine.definition import Instance
from engine.errors import CatchingUp, EventNotPossible, Forbidden, Refused, StaleForm, TimerBroken
from engine.outcomes import Committed
from engine.runtime import conflicts, timetable
from engine.runtime.catching_up import CatchUp
from engine.runtime.commits import Commits
from engine.runtime.definitions import Definitions
from engine.runtime.due_timers import MOST_PIECES, DueTimers
from engine.runtime.extending import MustLeaveOut
from engine.runtime.held import Held
from engine.store.base import Opened, Statement, Unit, Violation
from engine.store.with_lock import Riding

T = TypeVar("T")


class Act(Generic[T]):
    """An act on one instance, in the instance's transaction.

    `before` may answer before anything is applied: then nothing is written. `also` is a statement that is read with
    the lock, as are the rows that `riding` asks for (`Store.open`). `applies` says whether due timers are applied at
    all. An act that `insists` is done even where a timer cannot fire, or where there is no end to what is due.
    """

    __slots__ = ("also", "applies", "before", "do", "fired", "insists", "number", "riding", "source")

    def __init__(self, number: int, do: Callable[[Held], T]) -> None:
        self.number = number
        self.do = do
        self.before: Callable[[Held], T | None] | None = None
        self.also: Statement | None = None
        self.riding: Riding | None = None
        self.applies: Callable[[Instance], bool] | None = None
        self.insists = False
        self.fired = False  # whether due timers were, in the transaction that is open or was rolled back last
        self.source = ""  # the state in which it found the instance


class Transactions:
    """Opens instances and acts on them, each act in one transaction."""

    def __init__(self, commits: Commits, definitions: Definitions, due_timers: DueTimers, catch_up: CatchUp) -> None:
        self.commits = commits
        self.store = commits.store
        self.definitions = definitions
        self.due_timers = due_timers
        self.catch_up = catch_up

    def run(self, act: Act[T], committed: Committed) -> T:
        """Do an act and commit; returns its answer. Raises what the act raises, TimerBroken where a due timer cannot
        fire, CatchingUp where more is due than fits into MOST_PIECES commits, and the meaning of a violated index
        (`conflicts.meaning`)."""

        def work(unit: Unit) -> tuple[T] | None:
            return self._work(act, unit, committed, applies)

        applies, pieces = True, 0
        while applies or act.insists:
            done = None
            try:
                done = self.commits.run(work, committed)
            except TimerBroken:
                if self.catch_up.of(act.number, counts=False).broken is not None:
                    if not act.insists:
                        raise
                    applies = False
            except (Refused, Forbidden, EventNotPossible, StaleForm):
                if act.fired:
                    self._keep_fired(act)
                raise
            except Violation as violation:
                if act.fired:
                    try:
                        self._keep_fired(act)
                    except TimerBroken:
                        if not act.insists:
                            raise
                        applies = False
                        continue
                raise self._meaning(act, violation, committed) from violation
            if done is not None:
                return done[0]
            pieces += 1
            applies = applies and pieces < MOST_PIECES
        raise CatchingUp

    def _work(self, act: Act[T], unit: Unit, committed: Committed, applies: bool) -> tuple[T] | None:
        """Do the act in an open transaction; returns its answer in a tuple. None where more is due than fits into one
        commit: that piece is committed first."""
        act.fired = False
        held = self.lock(unit, act.number, committed, act.also, act.riding)
        if act.before is not None and (answer := act.before(held)):
            unit.unchanged = True
            return (answer,)
        if held.timers and applies and (act.applies is None or act.applies(held.instance)):
            act.fired = self.due_timers.apply(held) > 0
            if act.fired and timetable.is_due(held.timers, held.now):
                return None
        act.source = held.instance.state
        return (act.do(held),)

    def _keep_fired(self, act: Act[T]) -> None:
        """Fire the due timers once more, alone, after the transaction that fired them was rolled back. Raises
        TimerBroken where one cannot fire: a database that answers writes only with the COMMIT reports that late."""
        broken = self.catch_up.of(act.number, counts=False).broken
        if broken is not None:
            raise broken

    def _meaning(self, act: Act[T], violation: Violation, committed: Committed) -> Exception:
        instance, _, _ = self.read(act.number)
        return conflicts.meaning(violation, self.definitions.of(instance), committed.way, instance, act.source)

    def lock(
        self,
        unit: Unit,
        number: int,
        committed: Committed,
        also: Statement | None = None,
        riding: Riding | None = None,
    ) -> Held:
        """Lock and read an instance, at the beginning of a transaction. Raises UnknownInstance, Busy."""
        committed.begin_again()
        opened = self.store.open(unit, number, also=also, riding=riding)
        assert opened is not None  # None only where locked rows are skipped
        instance, timers, now = opened
        committed.instance = instance
        return Held(unit, instance, timers, now, committed)

    def read(self, number: int) -> Opened:
        """An instance as it is stored, its timers, and the time. Raises UnknownInstance."""
        with self.store.reading() as unit:
            return self.store.read(unit, number)

    @contextmanager
    def rehearsal(
        self,
        number: int,
        most: int,
        applies: Callable[[Instance], bool] = lambda instance: True,
        without: Collection[tuple[int, str]] = (),
    ) -> Iterator[Held]:
        """Hold an instance, with at most `most` of its due timers applied, in a transaction that is always rolled
        back. `without` is that of `Committed`."""
        left_out = set(without)
        while True:
            with self.store.begin() as unit:
                held = self.lock(unit, number, Committed(without=left_out))
                try:
                    if most and applies(held.instance):
                        self.due_timers.apply(held, most)
                except MustLeaveOut as failed:
                    left_out.add((failed.extended.known, failed.running.name))
                    continue
                yield held
                return

    @contextmanager
    def of_operator(self, number: int, *, flushes: bool = True) -> Iterator[Held]:
        """Hold an instance for an operator's act; it is committed and told where the block ends without an error.
        `flushes` is that of `Store.begin`.

        Due timers were applied before (I3), and are kept whatever becomes of the act. An instance with a timer whose
        rule is known to be broken has none applied here: that timer's own retries do, and an operator must be able to
        mend it. In the same way a pause stays possible where there is no end to what is due.
        """
        endless = False
        for pieces in range(MOST_PIECES):
            with self.store.begin(flushes=flushes) as unit:
                held = self.lock(unit, number, Committed())
                instance, timers = held.instance, held.timers
                sound = self.definitions.has(instance) and not any(timer.failures for timer in timers)
                applies = sound and not instance.paused and not endless and pieces < MOST_PIECES - 1
                acts = not applies or not timetable.is_due(timers, held.now)
                if acts:
                    yield held
                    self.store.commit(unit)
            if acts:
                self.commits.watchers.tell(held.committed)
                return
            try:
                self.catch_up.of(number, counts=False)
            except CatchingUp:
                endless = True
