"""The table `outbox` where one row becomes several: a commit that several listeners hear of writes one row alone."""

from __future__ import annotations

from collections.abc import Sequence

from engine.outcomes import Claim
from engine.store.base import Unit
from engine.store.outbox_rows import LEASED_TO, ONE, effect_id_of, leased_to

_DONE = f"UPDATE outbox SET state = 'done' WHERE {LEASED_TO}"
_PUT_BEHIND = (
    "INSERT INTO outbox (instance_id, seq, position, kind, name, recipient, language, figures, generation, "
    "state, attempts, claims, delivered, due_at, deadline_at, patience, leased_by, error, nonce) "
    "SELECT instance_id, seq, position + ?, kind, ?, ?, language, '{}', generation, 'waiting', 0, 0, 0, ?, "
    f"deadline_at, patience, '', '', ? FROM outbox WHERE {ONE}"
)


def fan_out(unit: Unit, claim: Claim, worker: str, to: Sequence[tuple[str, str, bytes]], due_at: str) -> None:
    """End a claimed row, and put one behind it for each name, recipient and nonce of `to`, in the open transaction.

    Nothing is done where another worker has claimed the row since, or it has ended.
    """
    if not unit.changed(_DONE, leased_to(claim, worker)):
        return
    for place, (name, recipient, nonce) in enumerate(to, 1):
        unit.write(_PUT_BEHIND, (place, name, recipient, due_at, nonce, *effect_id_of(claim)))
