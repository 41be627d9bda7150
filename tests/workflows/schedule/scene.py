"""How a schedule of a plugin is declared."""

from __future__ import annotations

from engine.attempt import SYSTEM_ACTOR
from tests.kit.one_of_each import Beginner
from workflows.schedule import Declaration


def begin(by: Beginner) -> int:
    """A nightly work, whose plugin is not there."""
    declared = Declaration("nightly", "somebody", "daily 03:00", "once")
    return by.begin("schedule", "schedule:nightly", declared, SYSTEM_ACTOR)
