"""The engine's answers: what an event did, would do or may do, and what a commit left to be done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.definition import Instance, Refusal, Start, State, Transition
from engine.delivery import Message
from engine.moved import renamed
from engine.text import Text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event did. `repeated` says that it was done before, under the same request key (I10). `at` is aware, in
    UTC."""

    instance_id: int
    seq: int
    event: str
    source: str
    target: str
    at: datetime
    repeated: bool = False

    @property
    def instance(self) -> int:
        """The deprecated name of `instance_id`."""
        renamed("Outcome.instance", "Outcome.instance_id", gone="0.2.0")
        return self.instance_id


@dataclass(frozen=True, slots=True)
class Passed:
    """A state into which a due timer has led, before anything recorded it. `at` is when the timer was due (aware, in
    UTC)."""

    state: State
    at: datetime


@dataclass(frozen=True, slots=True)
class Sight:
    """An instance as a look sees it: `state` is the one after its due timers, whether or not they were fired (I3).

    `broken` is the event of a timer that is due and cannot fire, where there is one: no event can be fired then. While
    the instance is `paused`, by itself or with its version, it stays where it is, whatever is due. `passed` are the
    states that due timers have led to and that history does not have yet, in their order; `state` is the last of them.
    """

    instance: Instance
    state: State
    overdue: bool
    now: datetime
    broken: str = ""
    paused: bool = False
    passed: tuple[Passed, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """An event that the actor may fire now, with the transition that it would take. There is one offer for an event.

    `needs_input` says that a guard must see the event's data first, and may refuse it.
    """

    event: str
    title: Text | None
    target: str
    needs_input: bool = False


@dataclass(frozen=True, slots=True)
class Choices:
    """The events that the actor may fire now, and the refusals of those that the actor has the permission for and that
    are closed."""

    offers: tuple[Offer, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One transition out of the state; `reasons` is empty where nothing speaks against it. `who` names its actors.

    `behind` says that the event does not reach this transition: another one of the same event is open, or cannot be
    asked. `needs_input` is as in `Offer`. An actor without the permission is told no other reason.
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
        """Whether the actor may take this transition now."""
        return not self.reasons and not self.behind


@dataclass(frozen=True, slots=True)
class Preview:
    """What an event would do: the target, timers, mails and effects. Links in mails are shown as `…` (I11)."""

    source: str
    target: str
    timers: tuple[tuple[str, datetime], ...]
    mails: tuple[Message, ...]
    effects: tuple[str, ...]


def copy_of(position: int) -> int:
    """The position of the copy of the effect at `position`; and the other way round."""
    return -1 - position


def effect_ref(instance_id: int, seq: int, position: int) -> str:
    """The name of an effect in lists, logs and commands, as in `42.1.0`, and in `42.1.0.cc` for the copy of a mail."""
    return f"{instance_id}.{seq}.{position}" if position >= 0 else f"{instance_id}.{seq}.{copy_of(position)}.cc"


def host_of(address: str) -> str:
    """The mail host of an address, in small letters: what is behind its last @ (RFC 5321 §2.3.5). Empty without
    one."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of the outbox that is leased to a worker.

    `attempts` counts this try. `said` is the result of the try before: empty at the first try, and where that try's
    worker died before it could record the result.

    `waited` says that other effects were delivered between this claim and its try: the row may have been ended since.

    `position` is where the effect stands among those of its entry of history. The row of a copy (Cc) has
    `copy_of(position)` instead, a negative number; its key is that of the effect, because it is one mail.
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
    waited: bool = False

    @property
    def is_copy(self) -> bool:
        """Whether this is the row of a mail's copy, which its Cc gets apart from the recipient in To."""
        return self.position < 0

    @property
    def may_be_late(self) -> bool:
        """Whether the deadline may end the effect untried: after a recorded result, or after two tries without one.

        A lease that ran out does not tell whether its worker tried. Two of them are enough, because an effect at which
        every worker dies must end.
        """
        return self.attempts > 2 or bool(self.said)


@dataclass(slots=True)
class Committed:
    """What a commit left to be done, for the callback that wakes dispatcher and timers.

    `handed_over` are effects that were leased to this process in the commit that wrote them, so that they need not be
    claimed by another commit. `instance` is set once it is opened, where the commit is about one alone; `steps` are
    collected for an observer, each with the name of its workflow. `way` is the last transition that was taken: a
    violated index at the COMMIT is due to it. `extended` are the steps in which extensions of plugins took part
    (`runtime.extending.Extended`), and `without` the extensions that the next run of the transaction leaves out, each
    with the number of the instance.
    """

    effects: int = 0
    next_due: datetime | None = None
    handed_over: list[Claim] | None = None
    instance: Instance | None = None
    steps: list[tuple[str, Outcome]] | None = None
    way: Start | Transition | None = None
    extended: list[Any] | None = None
    without: Collection[tuple[int, str]] = ()

    def begin_again(self) -> None:
        """Empty it, because the transaction was rolled back and will run again."""
        self.effects, self.next_due, self.handed_over, self.steps, self.way = 0, None, None, None, None
        self.extended = None

    def wakes(self, due: datetime) -> None:
        """Note a timer that was set, with its due time."""
        if self.next_due is None or due < self.next_due:
            self.next_due = due

    def hand_over(self, claim: Claim) -> None:
        """Note an effect that was leased in the commit that wrote it."""
        if self.handed_over is None:
            self.handed_over = []
        self.handed_over.append(claim)

    def stepped(self, workflow: str, outcome: Outcome) -> None:
        """Note a step of an instance of this workflow."""
        if self.steps is None:
            self.steps = []
        self.steps.append((workflow, outcome))

    def add(self, part: Committed) -> None:
        """Add what a part of the transaction left to be done."""
        self.effects += part.effects
        if part.next_due is not None:
            self.wakes(part.next_due)
        if part.handed_over:
            self.handed_over = [*(self.handed_over or ()), *part.handed_over]
        if part.steps:
            self.steps = [*(self.steps or ()), *part.steps]
        if part.extended:
            self.extended = [*(self.extended or ()), *part.extended]
