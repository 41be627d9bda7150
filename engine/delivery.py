"""What passes between the outbox and a plugin: a message or an effect in, one of three outcomes out (I5)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from engine.moved import renamed

log = logging.getLogger("tetsuzuki.delivery")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The other side has it and answers for it from here on."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: a temporary failure. Tried again after `after`, or after the effect's own wait where it is None."""

    reason: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Never: trying again without a change would fail again. Becomes an incident at once."""

    code: str
    reason: str = ""


Outcome = Accepted | Deferred | Failed

_LONGEST_WAIT = timedelta(days=366)  # beyond every deadline, and within what a date can hold


def outcome_of(answer: object) -> Outcome:
    """What a plugin answered, where it is an outcome. Anything else says neither "done" nor "never": not now."""
    match answer:
        case Accepted(str()) | Failed(str(), str()) | Deferred(str(), None):
            return answer
        case Deferred(str(), timedelta() as after):
            return Deferred(answer.reason, min(after, _LONGEST_WAIT))
        case Accepted() | Failed() | Deferred():
            return Deferred(f"the plugin answered {type(answer).__name__} with a field of a wrong type")
    return Deferred(f"the plugin answered {type(answer).__name__}, which is no outcome")


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered mail. `message_id` (RFC 5322 §3.6.4) is the same on every attempt; texts may hold a live link."""

    message_id: str
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    language: str = "ja"
    cc: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """An effect that is not a mail, as its handler gets it."""

    kind: str
    name: str
    to: str
    about: str
    figures: Mapping[str, Any]
    language: str
    instance_id: int = 0

    @property
    def subject(self) -> str:
        """`about`, under the name that it had before."""
        renamed("Delivery.subject", "Delivery.about")
        return self.about

    @property
    def instance(self) -> int:
        """`instance_id`, under the name that it had before."""
        renamed("Delivery.instance", "Delivery.instance_id")
        return self.instance_id


class Mailer(Protocol):
    """Hands mails over to a mail server.

    A mailer may say in an attribute `longest` (a timedelta) how long one call can take; leases are made twice as long.
    """

    def send(self, message: Message, key: str) -> Outcome:
        """Send one mail. `key` is its idempotency key, the same on every attempt.

        May block, up to its own timeout. An exception counts as `Deferred`. Called from several threads at once.
        """


class EffectHandler(Protocol):
    """Carries out effects of one kind other than "mail"."""

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Make the effect happen at least once; `key` is the same on every attempt, so that twice can be told."""
