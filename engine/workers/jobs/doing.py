"""What jobs do: one fires the timers that are due, the other delivers the effects that are due."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event

from engine.errors import Busy, DatabaseAway, OutcomeUnknown
from engine.operations.bulk_acts import REST, carry_on
from engine.outbox.claims import MOST_AHEAD
from engine.outbox.dispatcher import Dispatcher
from engine.runtime.engine import Engine
from engine.workers.chores import AT_ONCE, NOTHING, give_back, words
from engine.workers.jobs.wanted import OUTBOX, TIMERS, Wanted

log = logging.getLogger("tetsuzuki.cluster")


class Work:
    """Does what is due until nothing is, or until `stopping` is set; what is left then is `wanted` of other workers."""

    def __init__(self, engine: Engine, dispatcher: Dispatcher, wanted: Wanted, stopping: Event) -> None:
        self._engine = engine
        self._dispatcher = dispatcher
        self._wanted = wanted
        self._stopping = stopping

    def fire_timers(self) -> None:
        """Fire the timers that are due, and carry bulk acts on between two looks at them. Never raises: errors are
        logged, and the sweep tries again."""
        with self._at_work("timers could not be fired"):
            before = None
            while True:
                fired = self._engine.run_due(limit=AT_ONCE, stopped=self._stopping.is_set)
                if fired == AT_ONCE:
                    self._wanted.ask(TIMERS)  # there is more, for any free worker
                if self._stopping.is_set():
                    return
                more = carry_on(self._engine, self._stopping.is_set)
                if more == NOTHING:
                    if self._stopping.is_set():
                        self._wanted.ask(TIMERS)
                        return
                    self._stopping.wait(REST)
                    continue
                if more is not None:
                    self._wanted.ask(TIMERS, self._engine.store.now() + more)
                due = self._engine.next_due()
                if not fired and (self._is_planned(TIMERS, due) or due == before):
                    return
                before = due

    def drain_outbox(self) -> None:
        """Deliver the effects that are due. Never raises: errors are logged, and the sweep tries again."""
        with self._at_work("the outbox could not be drained"):
            before, moved = None, False
            while True:
                claim = self._dispatcher.next_claim(MOST_AHEAD)
                if claim is not None:
                    if not moved:
                        self._wanted.ask(OUTBOX)  # there may be more, for any free worker while this one is delivered
                    moved = True
                    self._dispatcher.deliver(claim)
                    if self._stopping.is_set():
                        self._wanted.ask(OUTBOX)
                else:
                    due = self._dispatcher.next_due()
                    if due == before or self._is_planned(OUTBOX, due):
                        return
                    before = due
                if self._stopping.is_set():
                    self._dispatcher.give_back()
                    return

    def _is_planned(self, kind: str, due: datetime | None) -> bool:
        """Whether nothing is due now; a job is then wanted for the time at which something is.

        What is due twice in a row and cannot be taken is in the hands of another worker, which looks again afterwards.
        """
        if due is None:
            return True
        if due <= self._engine.store.now():
            return False
        self._wanted.ask(kind, due)
        return True

    @contextmanager
    def _at_work(self, failure: str) -> Iterator[None]:
        try:
            yield
        except (Busy, DatabaseAway, OutcomeUnknown) as error:
            log.warning("%s; the sweep tries again: %s", failure, words(error))
        except Exception:
            log.exception("%s; the sweep tries again", failure)
        finally:
            give_back(self._engine.db, log)
