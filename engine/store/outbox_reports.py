"""The table `outbox` as operators and staff read it: counts, incidents, and mails with their recipients. Read-only."""

from __future__ import annotations

from collections.abc import Collection

from engine.store.base import NEVER, Row, Unit
from engine.store.outbox_rows import OPEN

_MAIL = (
    "o.instance_id, o.seq, o.position, o.name, o.recipient, o.state, o.attempts, o.delivered, o.due_at, o.error, "
    "o.nonce, o.answer, o.answered_at, h.at, h.event, o.language, o.figures"
)


def mails_of(unit: Unit, instance_ids: Collection[int], most: int) -> list[Row]:
    """The rows of the newest mails of these instances, at most `most`, each as (instance, seq, position, name,
    recipient, state, attempts, delivered, due, error, nonce, answer, answered, put, event, language, figures)."""
    marks = ", ".join("?" * len(instance_ids))
    return unit.rows(
        f"SELECT {_MAIL} FROM outbox o JOIN history h ON h.instance_id = o.instance_id AND h.seq = o.seq "
        f"WHERE o.instance_id IN ({marks}) AND o.kind = 'mail' "
        "ORDER BY h.at DESC, o.instance_id DESC, o.seq DESC, ABS(o.position + 0.5) DESC, o.position DESC LIMIT ?",
        (*instance_ids, most),
    )


def depths(most: int) -> str:
    """The statement that counts waiting and leased effects by (state, blocked, due, put off), with the earliest
    `due_at` of each, among the `most` that are due first; it binds the time."""
    return f"""
    SELECT o.state, o.blocked, o.due, o.halted, COUNT(*), MIN(o.due_at) FROM (
        SELECT w.state, w.due_at, w.due_at <= ? AS due, w.due_at = '{NEVER}' AS halted, w.position >= 0 AND EXISTS (
            SELECT 1 FROM outbox e WHERE e.instance_id = w.instance_id AND e.kind = w.kind
            AND e.recipient = w.recipient AND e.state IN {OPEN} AND e.position >= 0
            AND (e.seq, e.position) < (w.seq, w.position)) AS blocked
        FROM (SELECT instance_id, seq, position, kind, recipient, state, due_at FROM outbox
              WHERE state IN ('waiting', 'leased') ORDER BY due_at LIMIT {most}) w) o
    GROUP BY o.state, o.blocked, o.due, o.halted
"""


def count_incidents(most: int) -> str:
    """The statement that counts the incidents, up to `most`."""
    return f"SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE state = 'incident' LIMIT {most}) o"
