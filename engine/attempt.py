"""What rules are given, and what they answer: an attempt, its instance, actor and records, and a refusal.

The parts of a definition (`engine.definition`) are built on these; authors import both from there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from engine.moved import renamed
from engine.text import Text

_OWN_FRAMES = (__file__, str(Path(__file__).with_name("definition.py")), "<string>")


@dataclass(frozen=True, slots=True)
class Location:
    """Where something was written. `line` is 0 where there are no lines, as in the options of a command."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def caller() -> Location:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename in _OWN_FRAMES:
        frame = frame.f_back
    return Location(frame.f_code.co_filename, frame.f_lineno)


def written() -> Any:
    return field(default_factory=caller, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a guard said no. `field` names the input that it concerns, where there is one.

    `until` is when it will say so no longer, where that is known; `message` has it in words.
    """

    code: str
    message: Text
    field: str | None = None
    until: datetime | None = None


class Secret(str):
    """A value that guards and writes may use and nobody may keep: not in history, digests, logs or reprs (I11)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, as history names them: `account:12`, `visitor`, `system`.

    `proof` is what they showed, such as the token of a mailed link; it is checked and never kept.
    """

    kind: str
    id: str = ""
    proof: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind


SYSTEM_ACTOR = Actor("system")


@dataclass(slots=True)
class Instance:
    """One running procedure as the database knows it. `head` is the HMAC of its last history entry (I8).

    `about` is a text, such as `customer:42`. `nonce` was drawn at random (see `links`); it is empty where the instance
    began before there was one. Nothing steps an instance while it is `paused`, by itself or with its version (see
    `pauses`).
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
        """`about`, under the name that it had before."""
        renamed("Instance.subject", "Instance.about")
        return self.about

    def copy(self) -> Instance:
        """One that may be walked on without the other; `dataclasses.replace` costs five times as much on each look."""
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


class Records(Protocol):
    """The domain's records inside the engine's transaction.

    `model` is a peewee model. Writes may be kept pending and sent together; every read sees the writes before it.
    """

    def get(self, model: Any, **equal: Any) -> Any | None:
        """The one row where every named column equals its value, or None."""

    def exists(self, model: Any, **equal: Any) -> bool:
        """Whether there is a row where every named column equals its value."""

    def get_each(self, *wanted: tuple[Any, Mapping[str, Any]]) -> list[Any | None]:
        """Several `get`s, of (model, equal) each, in one round trip."""

    def lock_rows(self, model: Any, **equal: Any) -> None:
        """Lock the rows where every named column equals its value until this transaction ends; read what depends on
        them after it."""

    def insert(self, model: Any, **values: Any) -> None:
        """Add a row."""

    def update(self, model: Any, where: Mapping[str, Any], **values: Any) -> None:
        """Change the rows where every named column equals its value."""

    def delete(self, model: Any, **equal: Any) -> None:
        """Remove the rows where every named column equals its value."""


@dataclass(frozen=True, slots=True)
class Resent:
    """What sending a mail once more does with the link and the deadlines. `corrected` is a recipient with another
    address."""

    rotates: bool
    runs_on: bool
    corrected: str = ""


@dataclass(slots=True)
class Attempt:
    """What guards and writes see: one event, tried on one instance, inside the transaction.

    `now` is the time of the transaction; `at` is when the event counts as having happened, which differs from `now`
    only for a timer that is late (I3). Both are aware, in UTC. `memo` is for what a guard has read and a later guard
    or write can use.
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
    completes: tuple[int, int] | None = None  # (seq, position) of the effect whose `done` this is
    resent: Resent | None = None  # what the transition's `resend` made of it, see `engine.runtime.resends`
    occurrences: int = 1  # how many times of a timer this one stands for (`Timer.missed`)
    since: datetime | None = None  # the first of them, where they are several

    @property
    def site(self) -> Any:
        """`services`, under the name that it had before."""
        renamed("Attempt.site", "Attempt.services")
        return self.services


Guard = Callable[[Attempt], Refusal | None]
Write = Callable[[Attempt], None]
