"""`[review]`: which kinds of change request staff look at, of those that the procedures declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from engine.configuration import Place, read_one
from engine.configuration.kinds import several_of, whole
from engine.configuration.tables import Table
from workflows.registry import CHANGE_REQUEST_KINDS, REVIEWED
from workflows.services import ReviewPolicy


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """The keys of the table `[review]` of the settings."""

    kinds: Annotated[frozenset[str], several_of(CHANGE_REQUEST_KINDS)] = REVIEWED
    working_days: Annotated[int, whole(1, 60)] = 2


# What `[review]` takes, and makes.
REVIEW: Table[ReviewPolicy] = Table(ReviewSettings, lambda given: ReviewPolicy(given.kinds, given.working_days))


def review_policy(settings: Mapping[str, Any]) -> ReviewPolicy:
    """The policy of the table `[review]`. Raises SettingsError."""
    policy: ReviewPolicy = read_one(REVIEW, settings, Place("settings", "review"))
    return policy
