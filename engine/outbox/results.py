"""Results of tries: after one an effect is retried with backoff, or it is an incident (I5)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from engine.definition import Effect, Instance, Retry
from engine.delivery import Deferred, Failed
from engine.outcomes import Claim
from engine.runtime.engine import Engine
from engine.runtime.pauses import halting
from engine.store import outbox_rows
from engine.store.base import Unit, storable

log = logging.getLogger("tetsuzuki.dispatch")


class Late(Failed):
    """The deadline had passed when the effect was claimed once more: that claim was no try."""


class Results:
    """Records the results of one process's tries."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(
        self, claim: Claim, effect: Effect | None, outcome: Deferred | Failed, *, delivered: bool = False
    ) -> None:
        """Record a try that did not deliver: the effect is retried with backoff, or it is an incident where it failed
        or is out of patience."""
        now = self._engine.store.now()
        if isinstance(outcome, Failed):
            error = f"{outcome.code}: {outcome.reason}"
            self.end_try(claim, "incident", error, now, untried=isinstance(outcome, Late))
            return
        retry = effect.retry if effect is not None else Retry()
        wait = retry.wait(claim.attempts, self._engine.chance())
        due = now + max(wait, outcome.after or timedelta(0))
        if due > claim.deadline_at and (effect is None or not self._has_patience_until(due, claim, effect)):
            error = f"deadline: {tries(claim.attempts)}; the last: {outcome.reason}"
            self.end_try(claim, "incident", error, now, delivered=delivered)
        else:
            self.end_try(claim, "waiting", outcome.reason, due, delivered=delivered)

    def _has_patience_until(self, due: datetime, claim: Claim, effect: Effect) -> bool:
        with self._engine.store.reading() as unit:
            instance = self._engine.store.read(unit, claim.instance_id)[0]
            return not is_out_of_patience(unit, claim, effect, instance, due)

    def end_try(
        self, claim: Claim, state: str, error: str, due: datetime, *, delivered: bool = False, untried: bool = False
    ) -> None:
        """Record the result of a try, unless another worker has claimed the row since, or it has ended."""
        store = self._engine.store
        if state == "incident":
            log.error("effect %s is an incident: %s", ref(claim), storable(error))
        with store.begin() as unit:
            outbox_rows.write_outcome(
                unit, claim, self._engine.worker, outbox_rows.Outcome(state, error, due, delivered, untried)
            )
            store.commit(unit)


def is_out_of_patience(unit: Unit, claim: Claim, effect: Effect, instance: Instance, when: datetime) -> bool:
    """Whether an effect's patience has passed by `when`, which is at or after its deadline. The time for which the
    effect was paused does not count."""
    begun = claim.deadline_at - effect.retry.deadline
    return when >= claim.deadline_at + halting.time_paused(unit, instance, effect, begun, when)


def tries(count: int) -> str:
    """A number of tries, in words."""
    return f"{count} tries" if count != 1 else "1 try"


def ref(claim: Claim) -> str:
    """The name of an effect in logs and commands, as in `42.1.0`."""
    return ".".join(map(str, outbox_rows.effect_id_of(claim)))
