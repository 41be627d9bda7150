"""Records that an effect was delivered and fires its `done` event, in one commit (I5)."""

from __future__ import annotations

import logging

from engine.attempt import Completed
from engine.definition import SYSTEM_ACTOR, Attempt, Effect, Instance
from engine.errors import EngineError, EventNotPossible, Forbidden, Refused, RuleError, UnknownEffect
from engine.outcomes import Committed, effect_ref
from engine.runtime.definitions import Definitions
from engine.runtime.held import Held
from engine.runtime.step import Steps
from engine.runtime.transaction import Act, Transactions
from engine.store import outbox_rows

log = logging.getLogger("tetsuzuki.engine")


class Completing:
    """Completes delivered effects, as `Engine.complete` promises."""

    def __init__(self, transactions: Transactions, definitions: Definitions, steps: Steps) -> None:
        self._transactions = transactions
        self._definitions = definitions
        self._steps = steps

    def complete(
        self, effect_id: outbox_rows.EffectId, effect: Effect, generation: int | None, answer: str | None
    ) -> None:
        """See `Engine.complete`."""
        try:
            self._complete(effect_id, effect, generation, answer)
        except (Refused, Forbidden, EventNotPossible, RuleError) as error:
            ref = effect_ref(*effect_id)
            log.error("effect %s was delivered, and its event refused: %s", ref, error.in_full, exc_info=error)
            self._complete(effect_id, effect, generation, answer, error)

    def _complete(
        self,
        effect_id: outbox_rows.EffectId,
        effect: Effect,
        generation: int | None,
        answer: str | None,
        refused: EngineError | None = None,
    ) -> None:
        """Complete in one commit. Where the event was `refused` before, the effect becomes an incident that was
        delivered. Raises what the event is refused for."""

        def is_done(held: Held) -> bool | None:
            if not held.unit.also:
                raise UnknownEffect(f"There is no effect {effect_ref(*effect_id)}.")
            state, current, _name = held.unit.also[0]
            return state in ("done", "skipped") or generation not in (None, current) or None

        def finish(held: Held) -> bool:
            state, _generation, name = (
                held.unit.rows(outbox_rows.STATE, effect_id)[0] if held.fired else held.unit.also[0]
            )
            fires = state != "cancelled" and effect_id[2] >= 0  # a copy's delivery says nothing of the mail itself
            done = self._awaited(held.instance, name, effect) if fires else None
            self._finish(held, effect_id, done, answer, refused)
            return True

        committed = Committed()
        act = Act(effect_id[0], finish)
        act.before, act.also = is_done, (outbox_rows.STATE, effect_id)
        watchers = self._transactions.commits.watchers
        watchers.watched(effect.done or "", committed, "", self._transactions.run, act, committed)

    def _finish(
        self,
        held: Held,
        effect_id: outbox_rows.EffectId,
        done: str | None,
        words: str | None,
        refused: EngineError | None,
    ) -> None:
        unit, instance, now = held.unit, held.instance, held.now
        if done is not None and refused is None and not instance.paused:
            attempt = Attempt(instance, done, SYSTEM_ACTOR, None, now, now, unit, services=self._definitions.services)
            attempt.completes = Completed(effect_id[1], effect_id[2], words)
            self._steps.take(held, attempt)
            return
        answer = outbox_rows.Answer(words, now) if words is not None else None
        if done is None:
            outbox_rows.complete(unit, effect_id, answer)
        elif refused is None or instance.paused:
            outbox_rows.wait_for_resuming(unit, effect_id, answer)
        else:
            why = f"delivered, but its event {done!r} was refused: {refused.in_full}"
            outbox_rows.refuse_after_delivery(unit, effect_id, why, now, answer)

    def _awaited(self, instance: Instance, name: str, effect: Effect) -> str | None:
        """The `done` event of an effect, where the instance waits for it; else None. The definition is that of the
        version on which the instance is now, perhaps another one than when the effect was claimed."""
        workflow = self._definitions.of(instance)
        done = workflow.effects.get(name, effect).done
        return done if done in workflow.events[instance.state] else None
