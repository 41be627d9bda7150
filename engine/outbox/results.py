"""Results of tries: after one an effect is retried with backoff, or it is an incident (I5)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from engine.definition import Address, Effect, Instance, Retry
from engine.delivery import Accepted, Deferred, Failed, Outcome
from engine.outcomes import Claim, effect_ref, host_of
from engine.runtime import answers, links
from engine.runtime.engine import Engine
from engine.runtime.listening import effect_to
from engine.runtime.pauses import halting
from engine.store import outbox_fan_out, outbox_rows
from engine.store.base import Unit, storable, to_db
from engine.store.outbox_reports import TRIED_OFTEN

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
        self._end(claim, self._result(claim, effect, outcome, delivered=delivered))

    def write_copy(self, claim: Claim, copy: Effect, outcome: Outcome) -> None:
        """Record the outcome for the copy of a mail, which goes its own way from here on."""
        store = self._engine.store
        result = self._result(claim, copy, outcome)
        _tell_incident(f"{ref(claim)}.cc", result)
        with store.begin() as unit:
            outbox_rows.put_copy(unit, claim, copy.to, result)
            store.commit(unit)

    def _result(
        self, claim: Claim, effect: Effect | None, outcome: Outcome, *, delivered: bool = False
    ) -> outbox_rows.Outcome:
        """What is recorded about a try, with the other side's own words."""
        now = self._engine.store.now()
        answer = outbox_rows.Answer(outcome.reply, now)
        if isinstance(outcome, Accepted):
            return outbox_rows.Outcome("done", "", now, answer=answer)
        if isinstance(outcome, Failed):
            late = isinstance(outcome, Late)
            error = f"{outcome.code}: {outcome.reason}"
            host = self._host_of(claim, effect)
            return outbox_rows.Outcome(
                "incident", error, now, untried=int(late), answer=None if late else answer, host=host
            )
        retry = effect.retry if effect is not None else Retry()
        wait = retry.wait(claim.claims if outcome.waits else claim.attempts, self._engine.chance())
        due = now + max(wait, outcome.after or timedelta(0))
        if outcome.waits:  # without a try before it, the next claim sets the deadline anew
            return outbox_rows.Outcome("waiting", outcome.reason, due, untried=claim.attempts)
        if due > claim.deadline_at and (effect is None or not self._has_patience_until(due, claim, effect)):
            error = f"deadline: {tries(claim.attempts)}; the last: {outcome.reason}"
            host = self._host_of(claim, effect)
            return outbox_rows.Outcome("incident", error, now, delivered, answer=answer, host=host)
        if effect is not None and effect.kind == "mail" and claim.attempts == TRIED_OFTEN:
            log.warning("effect %s was tried %d times: %s", ref(claim), claim.attempts, storable(outcome.reason))
        return outbox_rows.Outcome("waiting", outcome.reason, due, delivered, answer=answer)

    def _host_of(self, claim: Claim, effect: Effect | None) -> str:
        """The mail host of an effect's recipient, so that incidents can be told apart by it; empty where there is none
        in the records, or where the recipient's rule is broken."""
        if effect is None or effect.kind != "mail":
            return ""
        try:
            with self._engine.store.reading() as unit:
                instance = self._engine.store.read(unit, claim.instance_id)[0]
                address = answers.address(self._engine.workflow(instance), effect, effect.to, instance, unit)
        except Exception as error:
            log.info("effect %s: no host of its recipient: %s", ref(claim), type(error).__name__)
            return ""
        return host_of(address.email) if isinstance(address, Address) else ""

    def _has_patience_until(self, due: datetime, claim: Claim, effect: Effect) -> bool:
        with self._engine.store.reading() as unit:
            instance = self._engine.store.read(unit, claim.instance_id)[0]
            return not is_out_of_patience(unit, claim, effect, instance, due)

    def fan_out(self, claim: Claim, listeners: Sequence[str]) -> None:
        """Make of one effect an effect for each of these listeners, all in one commit."""
        store, draw = self._engine.store, self._engine.recording.draw
        effects = [effect_to(name) for name in listeners]
        with store.begin() as unit:
            to = [(effect.name, effect.to, draw(links.NONCE)) for effect in effects]
            outbox_fan_out.fan_out(unit, claim, self._engine.worker, to, to_db(store.now()))
            store.commit(unit)

    def end_try(self, claim: Claim, state: str, *, untried: bool = False, why: str = "") -> None:
        """End a try that asked nobody, in the state `state`."""
        self._end(claim, outbox_rows.Outcome(state, why, self._engine.store.now(), untried=int(untried)))

    def _end(self, claim: Claim, result: outbox_rows.Outcome) -> None:
        """Record the result of a try, unless another worker has claimed the row since, or it has ended."""
        store = self._engine.store
        _tell_incident(ref(claim), result)
        with store.begin() as unit:
            outbox_rows.write_outcome(unit, claim, self._engine.worker, result)
            store.commit(unit)


def _tell_incident(ref: str, result: outbox_rows.Outcome) -> None:
    if result.state == "incident":
        log.error("effect %s is an incident: %s", ref, storable(result.error))


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
    return effect_ref(*outbox_rows.effect_id_of(claim))
