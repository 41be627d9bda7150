"""What is deleted of the table `outbox` once it has served: every statement about that, and no decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.store.base import Row, Unit, to_db
from engine.store.outbox_rows import OPEN, open_effect_of

_NEXT = (
    "SELECT MAX(instance_id) FROM (SELECT DISTINCT instance_id FROM outbox WHERE instance_id > ? ORDER BY 1 LIMIT ?) n"
)
_AT_REST = (
    "SELECT i.id, i.workflow, i.version, i.state FROM instance i "
    "JOIN history h ON h.instance_id = i.id AND h.seq = i.seq WHERE i.id > ? AND i.id <= ? AND h.at < ? "
    "AND EXISTS (SELECT 1 FROM outbox e WHERE e.instance_id = i.id) "
    f"AND NOT {open_effect_of('i.id')} ORDER BY i.id"
)
_DELETE = f"DELETE FROM outbox WHERE instance_id = ? AND state NOT IN {OPEN}"
_WITH_WORDS = (
    f"instance_id > ? AND instance_id <= ? AND state NOT IN {OPEN} AND (error <> '' OR answer <> '' OR host <> '') "
    "AND EXISTS (SELECT 1 FROM history h WHERE h.instance_id = outbox.instance_id AND h.seq = outbox.seq AND h.at < ?)"
)


def last_of_next(unit: Unit, after: int, most: int) -> int | None:
    """The highest number among the next `most` instances above `after` that have effects; None where none has."""
    number = unit.rows(_NEXT, (after, most))[0][0]
    return int(number) if number is not None else None


def at_rest(unit: Unit, after: int, last: int, before: datetime) -> Sequence[Row]:
    """The (number, workflow, version, state) of the instances above `after` up to `last` that have effects and none
    that is open, and whose last entry of history is older than `before`."""
    return unit.rows(_AT_REST, (after, last, to_db(before)))


def delete_ended(unit: Unit, instance_id: int) -> int:
    """Delete the effects of an instance that have ended. Returns how many."""
    return unit.changed(_DELETE, (instance_id,))


def have_old_words(unit: Unit, after: int, last: int, before: datetime) -> bool:
    """Whether `forget_words` would change anything."""
    return bool(unit.rows(f"SELECT 1 FROM outbox WHERE {_WITH_WORDS} LIMIT 1", (after, last, to_db(before))))


def forget_words(unit: Unit, after: int, last: int, before: datetime) -> int:
    """Delete what the other side said to effects that have ended and were put before `before`, and its host, of the
    instances above `after` up to `last`. Returns to how many."""
    return unit.changed(
        f"UPDATE outbox SET error = '', answer = '', host = '' WHERE {_WITH_WORDS}", (after, last, to_db(before))
    )
