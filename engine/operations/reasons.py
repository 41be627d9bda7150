"""The reason that an operator gives for an act."""

from __future__ import annotations

from engine.errors import EventNotPossible
from engine.store.base import storable


def given_reason(reason: str, kept: str = "it is written into history") -> str:
    """The reason as both databases can hold it. It is kept for ever, so it must name no person; `kept` says where.

    Raises EventNotPossible where the reason is empty.
    """
    if not reason.strip():
        raise EventNotPossible(f"A reason is needed: {kept}.")
    return storable(reason.strip(), len(reason))
