"""Moves one instance to another version of its workflow, as `version_move` decides (I7)."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from engine.definition import Actor
from engine.errors import TimerBroken
from engine.outcomes import Committed, Outcome
from engine.runtime import history
from engine.runtime.due_timers import MOST_PIECES
from engine.runtime.held import Held
from engine.runtime.operators import Operators
from engine.runtime.recording import Recording
from engine.runtime.transaction import Act, Transactions
from engine.runtime.version_move import UNABLE, Fate, Mapped, Move, move_of, open_effect
from engine.store import outbox_moves
from engine.store.base import Unit, storable

log = logging.getLogger("tetsuzuki.engine")


class Migrating:
    """Migrates instances, and rehearses migrations."""

    def __init__(self, transactions: Transactions, operators: Operators, recording: Recording) -> None:
        self._transactions = transactions
        self._operators = operators
        self._recording = recording

    def migrate(self, number: int, mapped: Mapped, actor: Actor, reason: str) -> tuple[Outcome, Move]:
        """Migrate an instance in one commit. An error that `mapped` raises leaves the instance as it was."""
        reached = False

        def move(held: Held) -> tuple[Outcome, Move]:
            nonlocal reached
            reached = True
            planned = self._planned(held, mapped, actor)
            return self._carry_out(held, planned, actor, reason), planned

        has = self._operators.definitions.has  # timers of a version that is not loaded cannot fire: they end here
        try:
            act = Act(number, move)
            act.applies, act.insists = has, True
            return self._transactions.run(act, Committed())
        except UNABLE:
            raise
        except Exception:
            if reached:
                raise
        # Due timers cannot be applied, because a rule of the old version is broken: the timers end here.
        act = Act(number, move)
        act.applies = lambda found: False
        return self._transactions.run(act, Committed())

    def rehearsed(self, number: int, mapped: Mapped, actor: Actor) -> Move:
        """What `migrate` would do, found by the same steps and rolled back. For instances with a due timer."""
        most, has = MOST_PIECES * self._transactions.due_timers.piece, self._operators.definitions.has
        for applies in (True, True, False):
            reached = False
            try:
                with self._transactions.rehearsal(number, most if applies else 0, has) as held:
                    reached = True
                    return self._planned(held, mapped, actor)
            except UNABLE:
                raise
            except TimerBroken as broken:  # a real migration keeps what can fire before it
                if reached:
                    raise
                most = broken.kept
            except Exception as error:
                if reached:
                    raise
                log.info("instance %s: what is due cannot be applied: %s", number, type(error).__name__)
        raise AssertionError("the last turn returns")

    def _planned(self, held: Held, mapped: Mapped, actor: Actor) -> Move:
        mapping = mapped(held.instance)
        effects = [open_effect(row) for row in held.unit.rows(outbox_moves.OPEN_EFFECTS, (held.instance.id,))]
        return move_of(self._operators, held, mapping, effects, actor)

    def _carry_out(self, held: Held, move: Move, actor: Actor, reason: str) -> Outcome:
        unit, instance, target = held.unit, held.instance, move.target
        data: dict[str, Any] = {"from": instance.version, "to": target.version, "reason": storable(reason, len(reason))}
        told = {fate.row.ref: str(fate) for fate in move.effects if fate.tells}
        if told:
            data["effects"] = told
        for fate in move.effects:
            _carry_on(unit, instance.id, fate, held.now, held.committed)
        unit.write("UPDATE instance SET version = ? WHERE id = ?", (target.version, instance.id))
        instance.version = target.version
        due = {timer.event: timer.due for timer in move.timers if timer.due is not None}
        return self._recording.move(held, history.MIGRATE_EVENT, move.landing, actor, data, due)


def _carry_on(unit: Unit, number: int, fate: Fate, now: datetime, committed: Committed) -> None:
    """Give an open effect its new name, or end it: cancelled, or done where it was delivered already."""
    row, effect = fate.row, fate.effect
    effect_id = (number, row.seq, row.position)
    if effect is None:
        outbox_moves.end_with_version(unit, effect_id, fate.why)
        return
    now_ = (effect.name, effect.kind, effect.to, fate.language)
    if now_ != (row.name, row.kind, row.recipient, row.language):
        outbox_moves.rename(unit, effect_id, effect, fate.language)
    if row.state == "waiting":  # what was paused may not be so in the new version; else it is put off again
        outbox_moves.look_again(unit, effect_id, now)
    if row.lacks_its_definition:
        outbox_moves.begin_anew(unit, effect_id, now, effect.retry.patience)
    committed.effects += 1  # one that waited for another definition, or behind one that is cancelled now
