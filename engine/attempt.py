"""What rules are given and what they answer: an attempt, its instance, actor and records, and a refusal.

The parts of a definition (`engine.definition`) are built on these; authors import both from there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from engine.moved import renamed
from engine.text import Text

_OWN_FRAMES = (__file__, str(Path(__file__).with_name("definition.py")), "<string>")


@dataclass(frozen=True, slots=True)
class Location:
    """The file and line where something was written. `line` is 0 where there are no lines, as in the options of a
    command."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def caller() -> Location:
    """Where the part of a definition that is being made was written: the first line outside of these modules."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename in _OWN_FRAMES:
        frame = frame.f_back
    return Location(frame.f_code.co_filename, frame.f_lineno)


def written() -> Any:
    """The field of a part of a definition that remembers where it was written."""
    return field(default_factory=caller, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why an event is not possible, in words for people. `code` is stable and made for machines.

    `field` names the input that the refusal concerns, where there is one. `until` is when it ends (aware, in UTC),
    where that is known; `message` then says so in words.
    """

    code: str
    message: Text
    field: str | None = None
    until: datetime | None = None


class Secret(str):
    """A text that guards and writes may use and that is never kept: not in history, digests, logs or reprs (I11)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor of an event, as history names it: `account:12`, `visitor`, `system`.

    `proof` is what the actor showed, such as the token of a mailed link; it is checked and never kept.
    """

    kind: str
    id: str = ""
    proof: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind


SYSTEM_ACTOR = Actor("system")


@dataclass(slots=True)
class Instance:
    """One running procedure, as the database holds it. `head` is the HMAC of its last entry of history (I8).

    `about` is a text, such as `customer:42`. `nonce` is random (see `runtime.links`), and empty in an instance that
    began before there were nonces. Nothing steps an instance while it is `paused`, by itself or with its version (see
    `operations.pauses`).
    """

    id: int
    workflow: str
    version: int
    about: str
    state: str
    seq: int
    generation: int
    head: bytes
    nonce: bytes = b""
    paused: bool = False

    @property
    def subject(self) -> str:
        """The deprecated name of `about`."""
        renamed("Instance.subject", "Instance.about", gone="0.2.0")
        return self.about

    def copy(self) -> Instance:
        """A copy, to be changed in memory. `dataclasses.replace` costs five times as much, and each look makes one."""
        return Instance(
            self.id,
            self.workflow,
            self.version,
            self.about,
            self.state,
            self.seq,
            self.generation,
            self.head,
            self.nonce,
            self.paused,
        )


class Only(NamedTuple):
    """Some columns of a record, in the place of its model where rows are read: see `only`."""

    model: object
    columns: tuple[str, ...]


def only(model: Any, *columns: str) -> Only:
    """Some columns of a record: for `Records.get` and `get_each`, whose rows then have these attributes alone.

    Worth it on the way of every transition: each column that is read costs as much as some lines of a rule. Made once,
    at the top of a module. Raises TypeError, when it is used, for a column that the model does not have.
    """
    return Only(model, columns)


class Records(Protocol):
    """The records of the business, inside the engine's transaction.

    `model` is a peewee model; where rows are read, it may be some columns of one (`only`). Writes may be held back and
    sent together; every read sees the writes before it.
    """

    def get(self, model: Any, **equal: Any) -> Any | None:
        """The one row in which every named column equals its value; None where there is none."""

    def exists(self, model: Any, **equal: Any) -> bool:
        """Whether there is a row in which every named column equals its value."""

    def get_each(self, *wanted: tuple[Any, Mapping[str, Any]]) -> list[Any | None]:
        """Several `get`s, given as (model, equal) each, in one round trip. The answers are in the same order."""

    def lock_rows(self, model: Any, **equal: Any) -> None:
        """Lock the rows in which every named column equals its value, until the transaction ends. Read what depends on
        them afterwards: an earlier read may be out of date."""

    def insert(self, model: Any, **values: Any) -> None:
        """Insert a row. A violated unique index becomes the refusal of its `Conflict`, here or at the commit."""

    def update(self, model: Any, where: Mapping[str, Any], **values: Any) -> None:
        """Update the rows in which the columns `where` equal their values. A violated unique index is as in
        `insert`."""

    def delete(self, model: Any, **equal: Any) -> None:
        """Delete the rows in which every named column equals its value."""


@dataclass(frozen=True, slots=True)
class Resent:
    """What a resend does with the link and the deadlines. `corrected` is the recipient whose address was corrected, or
    empty."""

    rotates: bool
    runs_on: bool
    corrected: str = ""


class Completed(NamedTuple):
    """The effect whose `done` an event is, and what the other side answered to it; None where that was written down
    before."""

    seq: int
    position: int
    answer: str | None = None


@dataclass(slots=True)
class Attempt:
    """One event, tried on one instance, inside the transaction: the argument of guards and writes.

    `now` is the time of the transaction; `at` is when the event counts as having happened, which is earlier than `now`
    only for a late timer (I3). Both are aware, in UTC. A guard may put into `memo` what it has read, for later guards
    and writes.
    """

    instance: Instance
    event: str
    actor: Actor
    data: Any
    now: datetime
    at: datetime
    records: Records
    link: str = ""  # the role of the mailed link that the actor showed; empty where there was none, or a dead one
    services: Any = None  # what the assembled site lets rules know: its configuration, never anything that does I/O
    memo: dict[str, Any] = field(default_factory=dict)
    completes: Completed | None = None  # the effect whose `done` this is
    resent: Resent | None = None  # what the transition's `resend` made of it, see `engine.runtime.resends`
    occurrences: int = 1  # how many times of a timer this one stands for (`Timer.missed`)
    since: datetime | None = None  # the first of them, where they are several
    extended: Any = None  # what extensions do in this step, see `engine.runtime.extending`

    @property
    def site(self) -> Any:
        """The deprecated name of `services`."""
        renamed("Attempt.site", "Attempt.services", gone="0.2.0")
        return self.services


Guard = Callable[[Attempt], Refusal | None]
Write = Callable[[Attempt], None]
