"""The scopes of pauses, and what is told of a pause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.outcomes import effect_ref
from engine.store.base import version_target


@dataclass(frozen=True, slots=True)
class OneInstance:
    """The scope of a pause of one instance."""

    number: int
    kind = "instance"

    def __str__(self) -> str:
        return f"instance {self.number}"


@dataclass(frozen=True, slots=True)
class OneVersion:
    """The scope of a pause of all instances on one version of a workflow; no instance is started on it meanwhile."""

    workflow: str
    version: int
    kind = "workflow"

    def __str__(self) -> str:
        return version_target(self.workflow, self.version)


@dataclass(frozen=True, slots=True)
class OneChannel:
    """The scope of a pause of all effects of one kind, or of those to one recipient, as `Effect.channel` names them."""

    effects: str
    recipient: str = ""
    kind = "channel"

    def __str__(self) -> str:
        return f"channel {self.effects}:{self.recipient}" if self.recipient else f"channel {self.effects}"


Scope = OneInstance | OneVersion | OneChannel
"""What a pause is about. Its text names it, as in "workflow review 1"."""
KINDS = (OneInstance.kind, OneVersion.kind, OneChannel.kind)


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause: since when, by which actor and for what reason. The fields of its end are empty while it lasts."""

    number: int
    scope: Scope
    since: datetime
    actor: str
    reason: str
    ended_at: datetime | None = None
    ended_by: str = ""
    ended_reason: str = ""


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer that fires when its instance is resumed, as of its due time."""

    instance_id: int
    event: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingEffect:
    """An effect that is tried on resuming. Where it was `delivered` already, only its `done` is fired."""

    instance_id: int
    seq: int
    position: int
    name: str
    recipient: str
    delivered: bool

    @property
    def ref(self) -> str:
        """The name of the effect, as in `42.1.0`."""
        return effect_ref(self.instance_id, self.seq, self.position)


@dataclass(frozen=True, slots=True)
class Resuming:
    """What resuming would set going at once: the first timers by due time, the first effects by instance, and the
    counts of both. `standing` is how many timers would be put off by the length of the pause."""

    pause: Pause
    timers: tuple[DueTimer, ...]
    timer_count: int
    effects: tuple[WaitingEffect, ...]
    effect_count: int
    standing: int
