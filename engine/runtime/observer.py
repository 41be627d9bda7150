"""Observability: how metrics and traces watch an engine and its dispatcher without being part of either.

Without an observer each of these hooks costs one comparison with None. With one, `watching` and `delivering` stand
around the work, and `committed` is called for each commit once it is durable. An observer must be quick and must never
raise: what it watches is already done.

The trace of a delivery began when its effect was put into the outbox, perhaps days before and in another process. So
while a tracer watches, the W3C `traceparent` of that moment is kept beside the effect, in the same commit. Without a
tracer nothing of it is written or read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from engine.definition import Effect, Instance
from engine.delivery import Outcome as Delivered
from engine.outcomes import Claim, Committed
from engine.store import outbox_rows
from engine.store.base import Store, Unit

log = logging.getLogger("tetsuzuki.engine")
T = TypeVar("T")

DUE = "due"  # what stands for the event where timers fire: which ones is not known before they do


@dataclass(slots=True)
class Tried:
    """One try to deliver an effect. `effect` is known once the try is prepared; `outcome` stays None where the effect
    lost its point, or is `paused`. `copy` is the outcome for the Cc of a mail, where it is another one."""

    claim: Claim
    effect: Effect | None = None
    outcome: Delivered | None = None
    paused: bool = False
    copy: Delivered | None = None


class Observer(Protocol):
    """The hooks that an engine and a dispatcher call, from many threads at once."""

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        """Stands around one transaction; it is left when the transaction is durable, or with the error that it raised.

        `committed.about` and `committed.steps` say more by then. `event` is the name that an actor sent, whether or not
        a definition has it.
        """

    def committed(self, committed: Committed) -> None:
        """A commit of at least one step is durable."""

    def effects_put(self, unit: Unit, instance: Instance) -> None:
        """The step `instance.seq` has put effects into the outbox, in this open transaction."""

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        """Stands around one try to deliver, from preparing it to recording its outcome."""


@dataclass(frozen=True, slots=True)
class Both:
    """Two observers as one; the first one stands around the second."""

    first: Observer
    second: Observer

    @contextmanager
    def watching(self, event: str, committed: Committed, workflow: str = "") -> Iterator[None]:
        """See `Observer.watching`."""
        with self.first.watching(event, committed, workflow), self.second.watching(event, committed, workflow):
            yield

    def committed(self, committed: Committed) -> None:
        """See `Observer.committed`."""
        self.first.committed(committed)
        self.second.committed(committed)

    def effects_put(self, unit: Unit, instance: Instance) -> None:
        """See `Observer.effects_put`."""
        self.first.effects_put(unit, instance)
        self.second.effects_put(unit, instance)

    @contextmanager
    def delivering(self, tried: Tried) -> Iterator[None]:
        """See `Observer.delivering`."""
        with self.first.delivering(tried), self.second.delivering(tried):
            yield


class Watchers:
    """The watchers of an engine: its `observer`, and `on_commit`, which is called after each commit that left
    something to do, in the thread that committed. Both must be quick; `on_commit` must not raise."""

    def __init__(self) -> None:
        self.observer: Observer | None = None
        self.on_commit: Callable[[Committed], None] | None = None

    def watched(self, event: str, committed: Committed, workflow: str, work: Callable[..., T], *args: object) -> T:
        """Run `work` inside the observer's `watching`, where there is an observer. Returns what `work` returns, raises
        what it raises."""
        if self.observer is None:
            return work(*args)
        with self.observer.watching(event, committed, workflow):
            return work(*args)

    def tell(self, committed: Committed) -> None:
        """Tell the observer of a commit, and call `on_commit` where the commit left something to do. Errors of
        `on_commit` are logged."""
        if self.observer is not None and committed.steps:
            self.observer.committed(committed)
        if self.on_commit is not None and (committed.effects or committed.next_due is not None):
            try:
                self.on_commit(committed)
            except Exception:  # it is committed all the same
                log.exception("nobody could be woken after a commit; the sweep will")


def keep_trace(unit: Unit, instance: Instance, traceparent: str) -> None:
    """Keep the `traceparent` of the present trace beside the effects of a step, in its transaction."""
    unit.write(
        "INSERT INTO trace (instance_id, seq, traceparent) VALUES (?, ?, ?)", (instance.id, instance.seq, traceparent)
    )


def trace_of(store: Store, claim: Claim) -> str:
    """The `traceparent` under which an effect was put into the outbox; empty where no tracer watched then."""
    with store.reading() as unit:
        rows = unit.rows(
            "SELECT traceparent FROM trace WHERE instance_id = ? AND seq = ?", (claim.instance_id, claim.seq)
        )
    return str(rows[0][0]) if rows else ""


def forget_traces(store: Store) -> None:
    """Delete the traces that no open effect needs any more. Idempotent."""
    with store.begin() as unit:
        unit.write(
            "DELETE FROM trace WHERE NOT " + outbox_rows.open_effect_of("trace.instance_id", " AND o.seq = trace.seq")
        )
        store.commit(unit)
