"""What stands in for the site: a clock, mailers in memory, settings, and a host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, TypeVar

from engine.configuration import Place, Reading
from engine.configuration.tables import read_keys
from engine.delivery import (
    Accepted,
    Message,
    Outcome,
)
from engine.plugins import Host, SiteFacts
from engine.plugins.breakers import Breaker

P = TypeVar("P")


def configured(plugin: Callable[..., P], settings: Mapping[str, Any], site_facts: SiteFacts, **more: Any) -> P:
    """A plugin, built from its class and its settings, which are checked as the site checks them. Raises
    SettingsError."""
    reading = Reading({})
    config: Any = plugin.Config  # type: ignore[attr-defined]
    values = read_keys(config, settings, Place("settings"), reading)
    reading.check()
    return plugin(config(**values), site_facts, **more)


class Clock:
    """A clock that stands still until it is moved. Its time is aware, in UTC."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime(2026, 4, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The clock's time, aware in UTC."""
        return self.now

    def forward(self, **by: float) -> datetime:
        """Move the clock, as in `forward(hours=24)`. Returns its new time."""
        self.now += timedelta(**by)
        return self.now


def host(plugin: str, clock: Callable[[], datetime] | None = None) -> Host:
    """A host for a plugin that is tried alone: it has a clock, a logger and an HTTP client, and no site. `clock` is by
    default one that stands still."""
    made = Host(plugin)
    made.bind(None, clock or Clock(), Breaker("http", plugin))
    return made


class MemoryMailer:
    """A mailer that keeps the mails that it is given, thread-safe. `answer` decides the outcome of each; by default,
    accepted."""

    def __init__(self, answer: Callable[[Message], Outcome] | None = None) -> None:
        self.sent: list[Message] = []
        self.tried: list[Message] = []
        self.answer = answer
        self._lock = Lock()

    def send(self, message: Message, key: str) -> Outcome:
        """See `Mailer.send`."""
        outcome = self.answer(message) if self.answer is not None else Accepted()
        with self._lock:
            self.tried.append(message)
            if isinstance(outcome, Accepted):
                self.sent.append(message)
        return outcome


class MemoryRecipientMailer:
    """A mailer of version 2 that keeps each mail with its envelope, thread-safe. `answer` decides the outcome for each
    recipient; by default, accepted.

    `envelopes` are the recipients of each try, `taken` those who accepted, each with the message.
    """

    mailer_version = 2

    def __init__(self, answer: Callable[[Message, str], Outcome] | None = None) -> None:
        self.envelopes: list[tuple[Message, tuple[str, ...]]] = []
        self.taken: list[tuple[Message, str]] = []
        self.answer = answer
        self._lock = Lock()

    def send(self, message: Message, key: str, recipients: Sequence[str]) -> Mapping[str, Outcome]:
        """See `RecipientMailer.send`."""
        with self._lock:
            self.envelopes.append((message, tuple(recipients)))
        outcomes = {one: self.answer(message, one) if self.answer is not None else Accepted() for one in recipients}
        with self._lock:
            self.taken += [(message, one) for one, outcome in outcomes.items() if isinstance(outcome, Accepted)]
        return outcomes
