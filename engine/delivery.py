"""What passes between the outbox and a plugin: a message or a delivery in, one of three outcomes out (I5)."""

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
    """The effect is delivered: the other side has it, and answers for it from here on."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """A temporary failure: the effect is retried after `after`, or after its own backoff where that is None or
    longer."""

    reason: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A permanent failure: a retry without a change would fail again. The effect becomes an incident at once."""

    code: str
    reason: str = ""


Outcome = Accepted | Deferred | Failed

_LONGEST_WAIT = timedelta(days=366)  # beyond every deadline, and within what a date can hold


def outcome_of(answer: object) -> Outcome:
    """A plugin's answer as an outcome. An answer that is none counts as deferred, because it says neither "done" nor
    "never"."""
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
    """A rendered mail. `message_id` (RFC 5322 §3.6.4) is the same at every try; the texts may hold a live link
    (I11)."""

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
    """An effect that is not a mail, as its handler receives it."""

    kind: str
    name: str
    to: str
    about: str
    figures: Mapping[str, Any]
    language: str
    instance_id: int = 0

    @property
    def subject(self) -> str:
        """The deprecated name of `about`."""
        renamed("Delivery.subject", "Delivery.about")
        return self.about

    @property
    def instance(self) -> int:
        """The deprecated name of `instance_id`."""
        renamed("Delivery.instance", "Delivery.instance_id")
        return self.instance_id


class Mailer(Protocol):
    """Hands mails over to a mail server.

    A mailer may have an attribute `longest` (a timedelta): how long one call can take. Leases last at least twice as
    long.
    """

    def send(self, message: Message, key: str) -> Outcome:
        """Send one mail. `key` is its idempotency key, the same at every try.

        May block, up to its own timeout. An exception counts as `Deferred`. Called from several threads at once.
        """


class EffectHandler(Protocol):
    """Carries out effects of one kind other than "mail"."""

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Carry out the effect, at least once. `key` is its idempotency key, the same at every try.

        May block, up to its own timeout. An exception counts as `Deferred`. Called from several threads at once.
        """
