"""What a plugin declares of a schedule."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import Missed


@dataclass(frozen=True, slots=True)
class Declaration:
    """The schedule `name` of `plugin`: due when `recurrence` says (the text of `engine.recurrence`), with the policy
    `missed` for times that passed."""

    name: str
    plugin: str
    recurrence: str
    missed: Missed
