"""What is to be looked at, between the threads that learn of it and the one that defers jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Condition

TIMERS, OUTBOX = "timers", "outbox"
NOW = datetime.min.replace(tzinfo=UTC)  # for what is wanted at once


class Wanted:
    """What is to be looked at, and the earliest moment for each; asked by any thread, taken by one."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._wanted: dict[str, datetime] = {}
        self._closed = False

    def ask(self, kind: str, when: datetime = NOW) -> None:
        """Want `kind` to be looked at, at once unless `when` says later."""
        with self._changed:
            self._wanted[kind] = min(when, self._wanted.get(kind, when))
            self._changed.notify()

    def take(self) -> dict[str, datetime]:
        """Wait until something is wanted, and take it. Empty when nothing is and nothing will be."""
        with self._changed:
            while not self._wanted and not self._closed:
                self._changed.wait()
            wanted, self._wanted = self._wanted, {}
            return wanted

    def close(self) -> None:
        """Nothing more will be wanted."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def ask_for_all(self) -> None:
        """Want everything that is due to be looked at."""
        self.ask(TIMERS)
        self.ask(OUTBOX)
