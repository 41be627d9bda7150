"""Which effect a worker delivers next: one whose lease came with its commit, else the one that is due for longest.

A row is claimed before it is delivered: its lease is a time until which nobody else touches it, and the try is counted
when it is claimed, so that a worker that died counts as a try.

A row's deadline is set by its first claim: what nobody could try has lost none of its time, however long no worker ran
or an incident stood before it.
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
    """The claims of one process; several threads may ask for the next."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._handed_over: deque[tuple[float, Claim]] = deque()

    def take_over(self, claims: list[Claim]) -> None:
        """Accept effects whose lease was taken in the commit that made them."""
        until = monotonic() + self._engine.lease.total_seconds() / 2
        self._handed_over.extend((until, claim) for claim in claims)

    def next(self) -> Claim | None:
        """The effect to deliver next, claimed for this worker; None where nothing is due."""
        return self._from_handover() or self._claim()

    def not_begun(self) -> Iterator[Claim]:
        """Those that were taken over and nobody has asked for; each is given once."""
        while True:
            try:
                _, claim = self._handed_over.popleft()
            except IndexError:  # asked so, because another thread may be at it
                return
            yield claim

    def _from_handover(self) -> Claim | None:
        """The next effect whose lease came with its commit, unless it waited here until the lease is nearly over."""
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
        """A first claim with the deadline that its definition says: a worker of a version before this one wrote the
        row, and no patience into it."""
        workflow = self._engine.workflows.get(unit.rows(_VERSION_OF, (claim.instance_id,))[0])
        effect = workflow.effects.get(claim.name) if workflow is not None else None
        deadline_at = now + (effect.retry if effect is not None else Retry()).deadline
        outbox_rows.set_deadline(unit, claim, deadline_at)
        return replace(claim, deadline_at=deadline_at)
