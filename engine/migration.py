"""The words of a migration: how the instances of some versions go on in another one. Data: `Engine.migrate` does it.

A definition may declare the mappings that lead to it (`Workflow.migrates`); an operator may give one as a file, in TOML
or JSON:

    workflow = "review"
    from = [1]
    to = 2

    [states]
    waiting = "in_review"
    parked = {choice = ["in_review", "withdrawn"]}

    [timers]
    lapse = "keep"
    remind = {in_review = "cancel", submitted = "recompute"}

    [effects]
    invitation = "invite"
    reminder = {cancel = "nobody is reminded any more"}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from engine.attempt import Instance, Location, Records, written
from engine.errors import InvalidMapping


class TimerRule(Enum):
    """What becomes of a timer of the state in which an instance lands.

    `KEEP`: a running timer keeps its due time; one that did not run begins now. `RECOMPUTE`: the timer counts from when
    the state was entered, or its rule is asked anew, as of then. `ANEW`: it begins now. `CANCEL`: it does not run.
    """

    KEEP = "keep"
    RECOMPUTE = "recompute"
    ANEW = "anew"
    CANCEL = "cancel"


KEEP, RECOMPUTE, ANEW, CANCEL = TimerRule


@dataclass(frozen=True, slots=True)
class Choice:
    """A state that becomes one of several: each instance goes on in one of the states `among`.

    `by` chooses it from the records; where it is None, or answers None, an operator must choose.
    """

    among: tuple[str, ...]
    by: Callable[[Instance, Records], str | None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancels an open effect. `reason` goes into history: it must name no person."""

    reason: str


@dataclass(frozen=True)
class Migration:
    """How instances of `from_versions` go on in `to_version`.

    States, timers and effects that are not named keep their names. `states` has the new state by the old one; `timers`
    a rule by event, or by event and new state; `effects` the new name by the old one. `otherwise` is the rule for
    timers that are not named.
    """

    workflow: str
    from_versions: tuple[int, ...]
    to_version: int
    states: Mapping[str, str | Choice] = field(default_factory=dict)
    timers: Mapping[str, TimerRule | Mapping[str, TimerRule]] = field(default_factory=dict)
    effects: Mapping[str, str | Cancel] = field(default_factory=dict)
    otherwise: TimerRule = KEEP
    where: Location = written()

    def __str__(self) -> str:
        return f"{self.workflow} {', '.join(map(str, self.from_versions))} → {self.to_version}"

    def timer(self, event: str, state: str) -> TimerRule:
        """The rule for a timer of a state of the new version."""
        return self.named_timer(event, state) or self.otherwise

    def named_timer(self, event: str, state: str) -> TimerRule | None:
        """The rule that the mapping names for a timer; None where it names none."""
        rule = self.timers.get(event)
        return rule.get(state) if isinstance(rule, Mapping) else rule

    def with_states(self, states: Mapping[str, str | Choice]) -> Migration:
        """A copy with states that an operator has chosen. Raises InvalidMapping for a state that is not among its
        choice."""
        for old, new in states.items():
            choice = self.states.get(old)
            if isinstance(choice, Choice) and isinstance(new, str) and new not in choice.among:
                raise InvalidMapping(f"{self.where}: state {old!r} becomes one of {listed(choice.among)}, not {new!r}")
        return replace(self, states={**self.states, **states})


def listed(names: Iterable[str]) -> str:
    """Names as the end of an error message."""
    return ", ".join(map(repr, sorted(names))) or "none"
