"""The entries of a page of FAQ管理, by what is chosen: how many there are, and which. Those that were removed keep
their records, and are in no list."""

from __future__ import annotations

from engine.operations.census import COUNTED
from engine.store.base import Unit
from web.shown.counts import Count
from workflows.faq import FAQ_ENTRY

STATES = {state.name: state.title or state.name for state in FAQ_ENTRY.states if not state.final}
_CHOSEN = {"": "e.shown >= 0", "shown": "e.shown = 1", "hidden": "e.shown = 0"}


def counted(unit: Unit, state: str, most: int = COUNTED) -> Count:
    """How many entries there are, in `state` alone where it is not empty, counted up to `most`."""
    sql = f"SELECT COUNT(*) FROM (SELECT 1 FROM faq_entry e WHERE {_CHOSEN[state]} LIMIT ?) c"
    number = unit.rows(sql, (most + 1,))[0][0]
    return Count(min(number, most), number > most)


def entries(unit: Unit, state: str, first: int, most: int) -> list[str]:
    """The ids of at most `most` entries from the place `first` (from 0) on, by category and place in it."""
    rows = unit.rows(
        f"SELECT e.id FROM faq_entry e WHERE {_CHOSEN[state]} ORDER BY e.category, e.position, e.id LIMIT ? OFFSET ?",
        (most, first),
    )
    return [row[0] for row in rows]
