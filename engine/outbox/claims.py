"""Claims: which effect a worker delivers next, under a lease (I5).

An effect whose lease came with its commit is first, else the one that has been due for longest. A row is claimed before
it is delivered: until its lease ends no other worker touches it. The try is counted when the row is claimed, so a crash
of the worker counts as a try.

Where many effects wait, a process claims several in one commit: about as many as it begins in half a second (`Ahead`).
Effects of a new commit still come first. What was claimed ahead counts as tried where the worker is killed, and is
given back untried where it is stopped, or was held up until half of the lease had passed.

A row's first claim sets its deadline: an effect that could not be tried, because no worker ran or an incident stood
before it, has lost none of its time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import TypeVar

from engine.definition import Retry
from engine.outcomes import Claim
from engine.runtime.engine import Engine
from engine.store import outbox_rows
from engine.store.base import Unit

T = TypeVar("T")

MOST_AHEAD = 64  # effects that a process claims in one commit
_AHEAD = 0.5  # seconds in which they should have been begun
_VERSION_OF = "SELECT workflow, version FROM instance WHERE id = ?"


class Ahead:
    """How many effects are claimed at once: twice as many where the last ones were begun in half of the time, and half
    as many where they took longer than all of it."""

    def __init__(self, now: float) -> None:
        self._many = 1
        self._since = now

    def many(self, now: float) -> int:
        """How many to claim at the second `now`, where those of the last time have all been begun."""
        took, self._since = now - self._since, now
        if took < _AHEAD / 2:
            self._many = min(MOST_AHEAD, self._many * 2)
        elif took > _AHEAD:
            self._many = max(1, self._many // 2)
        return self._many


class Claims:
    """The claims of one process. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._handed_over: deque[tuple[float, Claim]] = deque()
        self._claimed_ahead: deque[tuple[float, Claim]] = deque()
        self._late: deque[Claim] = deque()
        self._ahead = Ahead(monotonic())

    def take_over(self, claims: list[Claim]) -> None:
        """Accept effects that were leased to this process in the commit that wrote them."""
        self._handed_over.extend((self._until(), claim) for claim in claims)

    def at_hand(self) -> Claim | None:
        """The next effect of those that were leased earlier. One of which more than half of its lease has passed is
        `late` instead."""
        return self._first(self._handed_over) or self._first(self._claimed_ahead)

    def new(self, most: int = 1) -> Claim | None:
        """The effect that has been due for longest, leased to this worker; None where nothing is due. At most `most`
        are claimed, the others for the next calls of `at_hand`."""
        store = self._engine.store
        now = store.now()
        with store.reading() as unit:
            if not outbox_rows.is_due(unit, now):
                return None
        many = min(most, self._ahead.many(monotonic())) if most > 1 else 1
        until = self._until() if many > 1 else 0.0
        with store.begin() as unit:
            found = outbox_rows.claim(unit, now, self._engine.lease, self._engine.worker, many)
            claims = [
                self._begun(unit, claim, now) if claim.attempts == 1 and not patience else claim
                for claim, patience in found
            ]
            store.commit(unit)
        if len(claims) > 1:
            self._claimed_ahead.extend((until, replace(claim, waited=True)) for claim in claims[1:])
        return claims[0] if claims else None

    def late(self) -> Iterator[Claim]:
        """The claims that came too late to be begun; each is returned once."""
        return _taken(self._late)

    def not_begun(self) -> Iterator[Claim]:
        """The claims that no thread has begun; each is returned once."""
        for leased in (self._handed_over, self._claimed_ahead):
            for _, claim in _taken(leased):
                yield claim
        yield from self.late()

    def _until(self) -> float:
        """Until when a claim of now may be begun: for half of its lease."""
        return monotonic() + self._engine.lease.total_seconds() / 2

    def _first(self, leased: deque[tuple[float, Claim]]) -> Claim | None:
        for until, claim in _taken(leased):
            if monotonic() < until:
                return claim
            self._late.append(claim)
        return None

    def _begun(self, unit: Unit, claim: Claim, now: datetime) -> Claim:
        """A first claim with the deadline that its definition says: an older version's worker wrote the row, without a
        patience."""
        workflow = self._engine.workflows.get(unit.rows(_VERSION_OF, (claim.instance_id,))[0])
        effect = workflow.effects.get(claim.name) if workflow is not None else None
        deadline_at = now + (effect.retry if effect is not None else Retry()).deadline
        outbox_rows.set_deadline(unit, claim, deadline_at)
        return replace(claim, deadline_at=deadline_at)


def _taken(waiting: deque[T]) -> Iterator[T]:
    """What waits, each once, whichever thread asks."""
    while True:
        try:
            yield waiting.popleft()
        except IndexError:  # asked so, because another thread may be at it
            return
