"""Small real parts for tests: a clock that is set, a mailer that remembers. For this project and for plugin authors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

from engine.delivery import Accepted, Message, Outcome


class Clock:
    """A clock that stands still until it is moved. Aware, in UTC."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime(2026, 4, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def forward(self, **by: float) -> datetime:
        """Move on, as in `forward(hours=24)`; the new time."""
        self.now += timedelta(**by)
        return self.now


class MemoryMailer:
    """A mailer that keeps what it is given. `answer` decides the outcome of each message; accepted unless given."""

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
