"""What the engine answers: what an event did, would do or may do, and what a commit left to be done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.definition import Instance, Refusal, Start, State, Transition
from engine.delivery import Message
from engine.moved import renamed
from engine.text import Text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event did. `repeated` says that it had been done before, under the same key (I10)."""

    instance_id: int
    seq: int
    event: str
    source: str
    target: str
    at: datetime
    repeated: bool = False

    @property
    def instance(self) -> int:
        """`instance_id`, under the name that it had before."""
        renamed("Outcome.instance", "Outcome.instance_id")
        return self.instance_id


@dataclass(frozen=True, slots=True)
class Sight:
    """An instance as it is now: `state` is after the timers that are due, whether or not anything has fired them.

    `broken` is the event of a timer that is due and cannot fire, where there is one: nobody can fire anything then.
    While it is `paused`, by itself or with its version, it stays where it is, whatever is due.
    """

    instance: Instance
    state: State
    overdue: bool
    now: datetime
    broken: str = ""
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that the actor may do now: the transition that the event would take. One an event.

    `needs_input` says that a guard wants to see the event's data first, and may refuse it.
    """

    event: str
    title: Text | None
    target: str
    needs_input: bool = False


@dataclass(frozen=True, slots=True)
class Choices:
    """What the actor may do now; and each reason why they may not do what their permission would let them do."""

    offers: tuple[Offer, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One way out of the state: `reasons` is empty where nothing speaks against it. `who` says who could.

    `behind` says that the event does not come to it: another way of the same event is open, or cannot be asked.
    `needs_input` is as in `Offer`. To who lacks the permission, that is the only reason that is told.
    """

    event: str
    title: Text | None
    target: str
    who: Text
    reasons: tuple[Refusal, ...]
    behind: bool = False
    needs_input: bool = False

    @property
    def allowed(self) -> bool:
        """Whether the actor may do it now."""
        return not self.reasons and not self.behind


@dataclass(frozen=True, slots=True)
class Preview:
    """What an event would do. Links in mails show as `…`."""

    source: str
    target: str
    timers: tuple[tuple[str, datetime], ...]
    mails: tuple[Message, ...]
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """An outbox row whose lease a worker holds.

    `attempts` counts this try. `said` is what came of the one before: empty where this is the first, and where the
    worker of the one before was gone before it could write that down.
    """

    instance_id: int
    seq: int
    position: int
    name: str
    language: str
    figures: str
    generation: int
    attempts: int
    claims: int
    delivered: bool
    deadline_at: datetime
    nonce: bytes
    said: str = ""

    @property
    def may_be_late(self) -> bool:
        """Whether its deadline may end it untried: not before it was tried once and somebody heard what came of that.

        Of a lease that ran out nobody knows whether its worker did try. A second such one is enough: an effect at
        which every worker dies must end.
        """
        return self.attempts > 2 or bool(self.said)


@dataclass(slots=True)
class Committed:
    """What a commit left to be done: for whoever wakes the dispatcher and the timers.

    `handed_over` are effects whose lease this process took in the commit that made them, so that they need not be
    claimed by a commit of their own. `instance` is set once it is opened, where the commit is about one alone;
    `steps` are kept for an observer, each with the name of its workflow. `way` is the last transition that was taken:
    what the COMMIT is refused for is its doing.
    """

    effects: int = 0
    next_due: datetime | None = None
    handed_over: list[Claim] | None = None
    instance: Instance | None = None
    steps: list[tuple[str, Outcome]] | None = None
    way: Start | Transition | None = None

    def begin_again(self) -> None:
        """The transaction was rolled back and will run again."""
        self.effects, self.next_due, self.handed_over, self.steps, self.way = 0, None, None, None, None

    def wakes(self, due: datetime) -> None:
        """A timer was set that is due then."""
        if self.next_due is None or due < self.next_due:
            self.next_due = due

    def hand_over(self, claim: Claim) -> None:
        """The lease of an effect was taken in the commit that made the effect."""
        if self.handed_over is None:
            self.handed_over = []
        self.handed_over.append(claim)

    def stepped(self, workflow: str, outcome: Outcome) -> None:
        """An instance of this workflow took a step."""
        if self.steps is None:
            self.steps = []
        self.steps.append((workflow, outcome))

    def add(self, part: Committed) -> None:
        """What `part` left is of this commit too."""
        self.effects += part.effects
        if part.next_due is not None:
            self.wakes(part.next_due)
        if part.handed_over:
            self.handed_over = [*(self.handed_over or ()), *part.handed_over]
        if part.steps:
            self.steps = [*(self.steps or ()), *part.steps]
