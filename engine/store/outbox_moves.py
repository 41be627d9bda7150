"""The table `outbox` as an instance moves to another version of its workflow: what becomes of its open effects."""

from __future__ import annotations

from datetime import datetime

from engine.definition import Effect
from engine.store.base import NEVER, Unit, storable, to_db
from engine.store.outbox_rows import ONE, OPEN, EffectId

_MOVED = "seq, position, name, kind, recipient, language, state, delivered, error"
OPEN_EFFECTS = f"SELECT {_MOVED} FROM outbox WHERE instance_id = ? AND state IN {OPEN} ORDER BY seq, position"
OPEN_EFFECTS_OF = (
    f"SELECT instance_id, {_MOVED} FROM outbox WHERE instance_id IN ({{}}) AND state IN {OPEN} ORDER BY seq, position"
)
"""As `OPEN_EFFECTS` with the instance before it, of several instances."""


def end_with_version(unit: Unit, effect_id: EffectId, why: str) -> None:
    """End an effect that the new version does not have: done where it was delivered, else cancelled."""
    unit.write(
        "UPDATE outbox SET state = CASE WHEN delivered = 1 THEN 'done' ELSE 'cancelled' END, error = ? "
        f"WHERE {ONE} AND state IN {OPEN}",
        (storable(why), *effect_id),
    )


def rename(unit: Unit, effect_id: EffectId, effect: Effect, language: str) -> None:
    """Let an effect go on under the name, kind and recipient of `effect`."""
    unit.write(
        f"UPDATE outbox SET name = ?, kind = ?, recipient = ?, language = ?, patience = ? WHERE {ONE}",
        (effect.name, effect.kind, effect.to, language, effect.retry.patience, *effect_id),
    )


def look_again(unit: Unit, effect_id: EffectId, now: datetime) -> None:
    """Make a paused effect due: it may not be paused in the new version."""
    unit.write(
        f"UPDATE outbox SET attempts = 0, due_at = ? WHERE {ONE} AND state = 'waiting' AND due_at = '{NEVER}'",
        (to_db(now), *effect_id),
    )


def begin_anew(unit: Unit, effect_id: EffectId, now: datetime, patience: int) -> None:
    """Let an incident be tried from `now` on, with the patience of its new definition."""
    unit.write(
        "UPDATE outbox SET state = 'waiting', attempts = 0, error = '', due_at = ?, patience = ? "
        f"WHERE {ONE} AND state = 'incident'",
        (to_db(now), patience, *effect_id),
    )
