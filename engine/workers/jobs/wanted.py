"""The work that is wanted: handed from the threads that learn of it to the one that defers jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Condition

TIMERS, OUTBOX = "timers", "outbox"
NOW = datetime.min.replace(tzinfo=UTC)  # for work that is wanted at once


class Wanted:
    """The kinds of work that are wanted, with the earliest moment for each. Thread-safe; one thread takes."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._wanted: dict[str, datetime] = {}
        self._closed = False

    def ask(self, kind: str, when: datetime = NOW) -> None:
        """Want work of this kind to be done, at once or at `when`. Notes the earliest of several moments."""
        with self._changed:
            self._wanted[kind] = min(when, self._wanted.get(kind, when))
            self._changed.notify()

    def take(self) -> dict[str, datetime]:
        """Wait until something is wanted, and take all of it. Empty once this is closed and nothing is left."""
        with self._changed:
            while not self._wanted and not self._closed:
                self._changed.wait()
            wanted, self._wanted = self._wanted, {}
            return wanted

    def close(self) -> None:
        """Close: nothing more will be wanted, and `take` waits no longer."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def ask_for_all(self) -> None:
        """Want every kind of work to be done at once."""
        self.ask(TIMERS)
        self.ask(OUTBOX)
