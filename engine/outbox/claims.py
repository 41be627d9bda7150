"""Claims: which effect a worker delivers next, under a lease (I5).

An effect whose lease came with its commit is first, else the one that has been due for longest. A row is claimed before
it is delivered: until its lease ends no other worker touches it. The try is counted when the row is claimed, so a crash
of the worker counts as a try.

A row's first claim sets its deadline: an effect that could not be tried, because no worker ran or an incident stood
before it, has lost none of its time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from time import monotonic

from engine.definition import Retry
from engine.outcomes import Claim
from engine.runtime.engine import Engine
from engine.store import outbox_rows
from engine.store.base import Unit

_VERSION_OF = "SELECT workflow, version FROM instance WHERE id = ?"


class Claims:
    """The claims of one process. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._handed_over: deque[tuple[float, Claim]] = deque()

    def take_over(self, claims: list[Claim]) -> None:
        """Accept effects that were leased to this process in the commit that wrote them."""
        until = monotonic() + self._engine.lease.total_seconds() / 2
        self._handed_over.extend((until, claim) for claim in claims)

    def next(self) -> Claim | None:
        """The effect to deliver next, leased to this worker; None where nothing is due."""
        return self._from_handover() or self._claim()

    def not_begun(self) -> Iterator[Claim]:
        """The claims that were taken over and that no thread has begun; each is returned once."""
        while True:
            try:
                _, claim = self._handed_over.popleft()
            except IndexError:  # asked so, because another thread may be at it
                return
            yield claim

    def _from_handover(self) -> Claim | None:
        """The next effect whose lease came with its commit, unless more than half of that lease has passed."""
        while self._handed_over:
            try:
                until, claim = self._handed_over.popleft()
            except IndexError:  # another thread was faster
                break
            if monotonic() < until:
                return claim
        return None

    def _claim(self) -> Claim | None:
        store = self._engine.store
        now = store.now()
        with store.reading() as unit:
            if not outbox_rows.is_due(unit, now):
                return None
        with store.begin() as unit:
            claim, patience = outbox_rows.claim_next(unit, now, self._engine.lease, self._engine.worker) or (None, 0)
            if claim is not None and claim.attempts == 1 and not patience:
                claim = self._begun(unit, claim, now)
            store.commit(unit)
        return claim

    def _begun(self, unit: Unit, claim: Claim, now: datetime) -> Claim:
        """A first claim with the deadline that its definition says: an older version's worker wrote the row, without a
        patience."""
        workflow = self._engine.workflows.get(unit.rows(_VERSION_OF, (claim.instance_id,))[0])
        effect = workflow.effects.get(claim.name) if workflow is not None else None
        deadline_at = now + (effect.retry if effect is not None else Retry()).deadline
        outbox_rows.set_deadline(unit, claim, deadline_at)
        return replace(claim, deadline_at=deadline_at)
