"""What is asked of a rollout, and what it tells: which instances, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from engine.migration import Migration
from engine.runtime import version_move
from engine.store.base import to_db


class Verdict(Enum):
    """What becomes of an instance."""

    MOVES = "moves"
    NEEDS_A_CHOICE = "needs a choice"
    CANNOT = "cannot"
    STAYS = "stays"  # it has ended
    LEFT = "left"  # somebody, or a timer, led it out of what was asked for


@dataclass(frozen=True, slots=True)
class Where:
    """Which instances: all unless something is named.

    `states` are those of the old versions; `older_than` says for how long at least it has stood in its state; `about`
    is a whole one, or with a `*` at its end how it begins; `limit` is how many, those that began first. `ended` takes
    those that have ended, too, where the new version has a final state for them.
    """

    states: tuple[str, ...] = ()
    older_than: timedelta | None = None
    about: str = ""
    limit: int | None = None
    ended: bool = False

    def takes(self, state: str) -> bool:
        """Whether it asks for instances of a state."""
        return not self.states or state in self.states

    def condition(self, now: datetime) -> tuple[str, list[str]]:
        """What SQL has to ask of an instance `i`, beside its place, and the values of the marks."""
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
    """What becomes of the instances of one state: those that share verdict, new state and reason.

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
    """What would become, or became, of the `asked` instances that were asked for, and which of the rest have ended.

    `timers` counts what becomes of timers, and `effects` of effects that are under way, in words. `notes` is what else
    changes for those that move.
    """

    mapping: Migration
    asked: int
    groups: tuple[Group, ...]
    timers: Mapping[str, int] = field(default_factory=dict)
    effects: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def count(self, *verdicts: Verdict) -> int:
        """How many have one of these verdicts."""
        return sum(group.count for group in self.groups if group.verdict in verdicts)

    @property
    def open(self) -> int:
        """How many did not move though they should: they need a choice, or cannot."""
        return self.count(Verdict.NEEDS_A_CHOICE, Verdict.CANNOT)
