"""The entries of a page of FAQ管理, by what is chosen: how many there are, and which. Those that were removed keep
their records, and are in no list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins.faq.records import FaqEntry
from plugins.faq.workflow import FAQ_ENTRY
from web.views import Count, counted_rows

STATES = {state.name: state.title or state.name for state in FAQ_ENTRY.states if not state.final}
_CHOSEN: Mapping[str, Any] = {"": FaqEntry.shown >= 0, "shown": FaqEntry.shown == 1, "hidden": FaqEntry.shown == 0}


def counted(state: str) -> Count:
    """How many entries there are, in `state` alone where it is not empty."""
    return counted_rows(FaqEntry.select(FaqEntry.id).where(_CHOSEN[state]))


def entries(state: str, first: int, most: int, of: Count | None = None) -> list[str]:
    """The ids of at most `most` entries from the place `first` (from 0) on, by category and place in it. With `of`, how
    many there are at this moment, those that are nearer to the end are read from there."""
    rows = FaqEntry.select(FaqEntry.id).where(_CHOSEN[state])
    order = FaqEntry.category, FaqEntry.position, FaqEntry.id
    left = of.number - first if of is not None and not of.more else 0
    if not 0 < left < first:
        return [entry.id for entry in rows.order_by(*order).limit(most).offset(first)]
    from_end = rows.order_by(*(column.desc() for column in order)).limit(min(most, left)).offset(max(left - most, 0))
    return [entry.id for entry in from_end][::-1]
