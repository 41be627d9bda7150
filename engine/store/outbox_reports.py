"""The table `outbox` as operators and staff read it: counts, incidents, and mails with their recipients. Read-only."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from engine.store.base import NEVER, Row, Unit
from engine.store.outbox_rows import OPEN

_MAIL = (
    "o.instance_id, o.seq, o.position, o.name, o.recipient, o.state, o.attempts, o.delivered, o.due_at, o.error, "
    "o.nonce, o.answer, o.answered_at, h.at, h.event, o.language, o.figures"
)


# Among the mails of many instances those of a page are found by their places alone, and only these are read whole. A
# mail and its copy stand at the same place. When a mail was put is looked up for each: a join would read all histories.
_PLACED = (
    "SELECT m.instance_id, m.seq, m.position, "
    "(SELECT e.at FROM history e WHERE e.instance_id = m.instance_id AND e.seq = m.seq) AS put "
    "FROM outbox m WHERE m.instance_id IN ({}) AND m.kind = 'mail'"
)
_PLACE = ("p.put", "p.instance_id", "p.seq", "ABS(2 * p.position + 1)")


def mails_of(
    unit: Unit,
    instance_ids: Collection[int],
    most: int,
    beside: tuple[str, int, int, int] | None = None,
    *,
    backwards: bool = False,
) -> list[Row]:
    """The rows of the newest mails of these instances, at most `most`, each as (instance, seq, position, name,
    recipient, state, attempts, delivered, due, error, nonce, answer, answered, put, event, language, figures).

    With `beside`, which is (put, instance, seq, position) of a mail, those of older mails; with `backwards` those that
    come last among newer ones, or among all.
    """
    beyond, values = "p.put IS NOT NULL", list[Any]()
    if beside is not None:
        put, number, seq, position = beside
        beyond = f"({', '.join(_PLACE)}) {'>' if backwards else '<'} (?, ?, ?, ?)"
        values = [put, number, seq, abs(2 * position + 1)]
    way = "ASC" if backwards else "DESC"
    order = ", ".join(f"{column} {way}" for column in (*_PLACE, "p.position"))
    placed = _PLACED.format(", ".join("?" * len(instance_ids)))
    some = f"SELECT * FROM placed p WHERE {beyond} ORDER BY {order} LIMIT ?"
    rows = unit.rows(
        # Materialized, so that PostgreSQL works out when a mail was put once, and not for each time that it is named.
        f"WITH placed AS MATERIALIZED ({placed}) SELECT {_MAIL} FROM ({some}) p "
        "JOIN outbox o ON o.instance_id = p.instance_id AND o.seq = p.seq AND o.position = p.position "
        f"JOIN history h ON h.instance_id = p.instance_id AND h.seq = p.seq ORDER BY {order}",
        (*instance_ids, *values, most),
    )
    return rows[::-1] if backwards else rows


TRIED_OFTEN = 3  # times; by then some minutes have passed


def depths(most: int) -> str:
    """The statement that counts waiting and leased effects by (state, blocked, due, put off), with the earliest
    `due_at` of each, and how many of them are mails that were tried often, among the `most` that are due first; it
    binds the time."""
    return f"""
    SELECT o.state, o.blocked, o.due, o.halted, COUNT(*), MIN(o.due_at), SUM(o.tried) FROM (
        SELECT w.state, w.due_at, w.due_at <= ? AS due, w.due_at = '{NEVER}' AS halted,
            CASE WHEN w.kind = 'mail' AND w.attempts >= {TRIED_OFTEN} THEN 1 ELSE 0 END AS tried,
            w.position >= 0 AND EXISTS (
            SELECT 1 FROM outbox e WHERE e.instance_id = w.instance_id AND e.kind = w.kind
            AND e.recipient = w.recipient AND e.state IN {OPEN} AND e.position >= 0
            AND (e.seq, e.position) < (w.seq, w.position)) AS blocked
        FROM (SELECT instance_id, seq, position, kind, recipient, state, due_at, attempts FROM outbox
              WHERE state IN ('waiting', 'leased') ORDER BY due_at LIMIT {most}) w) o
    GROUP BY o.state, o.blocked, o.due, o.halted
"""


def count_incidents(most: int) -> str:
    """The statement that counts the incidents, up to `most`."""
    return f"SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE state = 'incident' LIMIT {most}) o"


LAST_PUT_OFF = (
    "SELECT error FROM outbox WHERE state = 'waiting' AND kind = 'mail' "
    f"AND attempts >= {TRIED_OFTEN} AND error <> '' ORDER BY due_at DESC LIMIT 1"
)


def open_figures(unit: Unit, kind: str, names: Sequence[str], most: int) -> list[tuple[int, Mapping[str, Any]]]:
    """The instances and the figures of open effects of a kind and of these names, at most `most`."""
    marks = ", ".join("?" * len(names))
    rows = unit.rows(
        f"SELECT instance_id, figures FROM outbox WHERE kind = ? AND name IN ({marks}) AND state IN {OPEN} "
        f"ORDER BY instance_id, seq, position LIMIT {int(most)}",
        (kind, *names),
    )
    return [(instance, json.loads(figures)) for instance, figures in rows]


def no_mails(unit: Unit, own_recipients: str, most: int) -> list[Row]:
    """The open effects that are not mails, counted as (kind, recipient, count), up to `most` in each state; `recipient`
    is empty but for those of the kind `own_recipients`."""
    found: dict[tuple[str, str], int] = {}
    for state in ("state IN ('waiting', 'leased')", "state = 'incident'"):  # as their indexes have it
        rows = unit.rows(
            "SELECT kind, recipient, COUNT(*) FROM (SELECT kind, CASE WHEN kind = ? THEN recipient ELSE '' END AS "
            f"recipient FROM outbox WHERE {state} AND kind <> 'mail' LIMIT {most}) o GROUP BY kind, recipient",
            (own_recipients,),
        )
        for kind, recipient, count in rows:
            found[kind, recipient] = found.get((kind, recipient), 0) + count
    return [(*effect, count) for effect, count in sorted(found.items())]


def waiting_because(unit: Unit, words: str) -> list[Row]:
    """The effects that wait for another try with an error that begins with `words`, as (error, count)."""
    return unit.rows(
        "SELECT error, COUNT(*) FROM outbox WHERE state = 'waiting' AND substr(error, 1, ?) = ? "
        "GROUP BY error ORDER BY error",
        (len(words), words),
    )
