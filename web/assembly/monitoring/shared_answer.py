"""A shared answer of the database, for callers that must not wait for it: probes and scrapes, at any rate.

One question is under way at a time, in a thread of its own; callers that come meanwhile share its answer, and an answer
is cached for a moment. So the load that strangers can cause is bounded, and a database that hangs blocks no thread of
the pages.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Thread
from time import monotonic
from typing import Generic, TypeVar

from engine.store.base import SiteDatabase

T = TypeVar("T")

GOOD_FOR = 1.0  # seconds
PATIENCE = 2.0  # seconds: less than the time that probes allow


class NoAnswer(Exception):
    """The database has not answered yet, or its answer is an error: the cause says which."""


class Glance(Generic[T]):
    """Asks `ask`, which may use the database, in a thread of its own."""

    def __init__(
        self, db: SiteDatabase, ask: Callable[[], T], *, good_for: float = GOOD_FOR, patience: float = PATIENCE
    ) -> None:
        self._db = db
        self._ask = ask
        self._good_for = good_for
        self._patience = patience
        self._changed = Condition()
        self._began: float | None = None
        self._answered: tuple[float, T | None, Exception | None] | None = None

    def answer(self) -> T:
        """The answer, at most `good_for` seconds old. Raises NoAnswer, after at most `patience` seconds."""
        asked = monotonic()
        with self._changed:
            if self._began is None and (self._answered is None or self._answered[0] < asked - self._good_for):
                self._began = asked
                Thread(target=self._run, name="glance", daemon=True).start()
            until = (self._began if self._began is not None else asked) + self._patience
            while self._began is not None and (left := until - monotonic()) > 0:
                self._changed.wait(left)
            if self._began is not None:
                raise NoAnswer(f"no answer for {monotonic() - self._began:.0f} s")
            assert self._answered is not None
            _, answer, error = self._answered
        if error is not None:
            raise NoAnswer(f"it cannot be asked ({type(error).__name__})") from error
        return answer  # type: ignore[return-value]

    def _run(self) -> None:
        answer: T | None = None
        failed: Exception | None = None
        try:
            with self._db.bound():
                answer = self._ask()
        except Exception as error:
            failed = error
        finally:
            self._close()
            with self._changed:
                self._answered = (monotonic(), answer, failed)
                self._began = None
                self._changed.notify_all()

    def _close(self) -> None:
        """Close the thread's connection, or return it to the pool."""
        try:
            if not self._db.is_closed():
                self._db.close()
        except Exception:  # noqa: S110  (it is broken: what was asked has failed and says so)
            pass
