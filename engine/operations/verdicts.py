"""The selection and the result of a rollout: which instances, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from engine.migration import Migration
from engine.runtime import version_move
from engine.store.base import to_db


class Verdict(Enum):
    """What becomes of an instance in a rollout."""

    MOVES = "moves"
    NEEDS_A_CHOICE = "needs a choice"
    CANNOT = "cannot"
    STAYS = "stays"  # it has ended
    LEFT = "left"  # an event led it out of the selection


@dataclass(frozen=True, slots=True)
class Where:
    """The selection of instances; without any field it selects all.

    `states` are states of the old versions; `older_than` is for how long at least an instance has been in its state;
    `about` is equal to the instance's, or with a `*` at its end a prefix of it; `limit` is the most instances, those
    that began first. `ended` selects ended instances, too, where the new version has a final state for them.
    """

    states: tuple[str, ...] = ()
    older_than: timedelta | None = None
    about: str = ""
    limit: int | None = None
    ended: bool = False

    def takes(self, state: str) -> bool:
        """Whether instances in this state are selected."""
        return not self.states or state in self.states

    def condition(self, now: datetime) -> tuple[str, list[str]]:
        """The SQL condition on an instance `i`, beside its workflow, version and state, with its parameters."""
        condition, values = "", []
        if self.about.endswith("*"):
            begins = self.about[:-1].replace("!", "!!").replace("%", "!%").replace("_", "!_")
            condition, values = " AND i.subject LIKE ? ESCAPE '!'", [f"{begins}%"]
        elif self.about:
            condition, values = " AND i.subject = ?", [self.about]
        if self.older_than is not None:
            condition += f" AND ({version_move.ENTERED.format('i.id')}) <= ?"
            values.append(to_db(now - self.older_than))
        return condition, values


EVERYWHERE = Where()


@dataclass(frozen=True, slots=True)
class Group:
    """The instances of one state with the same verdict, new state and reason.

    With `more` there are more of them than `count`.
    """

    version: int
    state: str
    verdict: Verdict
    landing: str
    why: str
    count: int
    examples: tuple[int, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What became, or would become, of the `asked` instances that were selected, and which of the rest have ended.

    `timers` counts what becomes of timers, and `effects` of open effects, in words. `notes` is what else changes for
    migrated instances.
    """

    mapping: Migration
    asked: int
    groups: tuple[Group, ...]
    timers: Mapping[str, int] = field(default_factory=dict)
    effects: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def count(self, *verdicts: Verdict) -> int:
        """How many instances have one of these verdicts."""
        return sum(group.count for group in self.groups if group.verdict in verdicts)

    @property
    def open(self) -> int:
        """How many instances did not move though they should: they need a choice, or cannot."""
        return self.count(Verdict.NEEDS_A_CHOICE, Verdict.CANNOT)
