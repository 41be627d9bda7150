"""Circuit breakers: a plugin that hangs is called a few times more, and then not at all for a while.

Each plugin that a page waits for has a breaker of its own, with a bounded pool (Nygard, "Release It!", "Circuit
Breaker" and "Bulkheads").

- **The pool.** `MOST_CALLS` calls may be under way, abandoned ones that hang included. A further call waits a moment,
  so that most of the site's threads stay free for other pages.
- **Closed** is how a breaker begins: every call is made. A call that takes its time and brings nothing is a failure:
  it has not ended within its time, or raised only late, or was one too many. A call that raises at once is no
  failure: it costs nobody any time, the log says what it raised, and a stranger who can make a plugin raise must not
  shut it for others.
- **Open**: after `FAILURES` failures in a row the plugin is not called for `REST`, and each call raises `NotNow`.
- **Half open**: after that, one call is made. The breaker closes if it comes back, else it is open for another `REST`.

A breaker belongs to one process: each process learns for itself, and reports what it learns to `told` (see `troubles`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Condition, Lock
from time import monotonic
from typing import TypeVar

from engine.plugins import bounded_calls

T = TypeVar("T")

MOST_CALLS = 8
FAILURES = 5
REST = timedelta(seconds=30)
PATIENCE = timedelta(seconds=1)  # for which a call waits for another one to end
SLOW = timedelta(seconds=3)
_LATE = 0.5  # of its time: what raises later has cost its caller time and brought nothing

log = logging.getLogger("tetsuzuki.plugins")


class NotNow(Exception):
    """The plugin was not called: it has not answered for a while, or is busy with too many calls."""


class TooSlow(Exception):
    """The call did not end within its time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a breaker. `kind` is what the plugin is for, `name` the name under which it is registered; `reason`
    says why the breaker is open, or what failed last."""

    kind: str
    name: str
    is_open: bool = False
    reason: str = ""
    under_way: int = 0


class Breaker:
    """The breaker of one plugin. Thread-safe; `clock` answers seconds that never go back."""

    def __init__(
        self,
        kind: str,
        name: str,
        *,
        told: Callable[[Standing], None] | None = None,
        clock: Callable[[], float] = monotonic,
        most_calls: int = MOST_CALLS,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._kind = kind
        self._name = name
        self._told = told
        self._clock = clock
        self._most_calls = most_calls
        self._patience = patience.total_seconds()
        self._changed = Condition(Lock())
        self._under_way = 0
        self._failures = 0
        self._reason = ""
        self._open_until: float | None = None  # None: it is closed
        self._trying = False

    @property
    def standing(self) -> Standing:
        """The breaker's present state."""
        return Standing(self._kind, self._name, self._open_until is not None, self._reason, self._under_way)

    def within(self, time: timedelta, call: Callable[[], T], nothing: tuple[type, ...] = ()) -> T:
        """Make `call` and wait for it, at most `time`. Returns what it returns, raises what it raises.

        An answer of one of the types `nothing` means that there is none. After half of `time`, or `SLOW` where that is
        less, such an answer counts as a failure, as an error does: a plugin may have a timeout of its own. Raises
        NotNow at once, or after `patience`, where the plugin was not called; TooSlow where it takes longer than `time`.
        """
        began, seconds = self._clock(), time.total_seconds()
        future = self.begun(call)
        try:
            answer = future.result(seconds)
        except BaseException as error:
            if not future.done():
                self.failed(f"no answer in {seconds:g} s")
                if isinstance(error, TimeoutError):
                    raise TooSlow(f"{self._kind} {self._name}: no answer in {seconds:g} s") from error
                raise
            self._heard(type(error), began, seconds)
            raise
        if isinstance(answer, nothing):
            self._heard(type(answer), began, seconds)
        else:
            self.answered()
        return answer

    def _heard(self, what: type, began: float, seconds: float) -> None:
        """Count a useless answer: harmless if it came at once, a failure if it came late, as from a plugin that
        hangs."""
        took = self._clock() - began
        if took > min(seconds * _LATE, SLOW.total_seconds()):
            self.failed(f"{what.__name__} after {took:.1f} s")
        else:
            self.answered()

    def begun(self, call: Callable[[], T]) -> Future[T]:
        """Begin `call`. Returns its future. The caller reports the result by `answered` or `failed`. Raises NotNow."""
        self._enter()
        return self._started(call)

    def in_this_thread(self, call: Callable[[], T]) -> T:
        """Make `call` in this thread, which is one that may be abandoned, as one of those under way. The caller reports
        the result by `answered` or `failed`. Raises NotNow."""
        self._enter()
        try:
            return call()
        finally:
            self._leave()

    def also_begun(self, call: Callable[[], T]) -> Future[T] | None:
        """Begin a further call for a caller that has one under way; None where it is one too many or the breaker is
        open."""
        with self._changed:
            if self._open_until is not None or self._under_way >= self._most_calls:
                return None
            self._under_way += 1
        with suppress(NotNow):
            return self._started(call)
        return None

    def _started(self, call: Callable[[], T]) -> Future[T]:
        try:
            return bounded_calls.begun(call, self._leave)
        except RuntimeError as error:  # the machine gives no more threads
            self.failed(str(error))
            raise NotNow(f"{self._kind} {self._name}: {error}") from error

    def answered(self) -> None:
        """Report that the plugin answered, even with an error: it does not hang. Closes the breaker."""
        with self._changed:
            was_open = self._open_until is not None
            self._open_until, self._failures, self._reason, self._trying = None, 0, "", False
            self._changed.notify_all()
        if was_open:
            log.warning("%s %s answers again", self._kind, self._name)
            self._tell()

    def failed(self, reason: str) -> None:
        """Report that a call took its time and brought nothing. Opens the breaker after `FAILURES` in a row."""
        with self._changed:
            was_open = self._open_until is not None
            self._failures += 1
            self._reason, self._trying = reason, False
            opens = was_open or self._failures >= FAILURES
            if opens:
                self._open_until = self._clock() + REST.total_seconds()
            self._changed.notify_all()
        if opens and not was_open:
            log.error("%s %s is not asked any more for a while: %s", self._kind, self._name, reason)
        if opens:
            self._tell()

    def _tell(self) -> None:
        if self._told is not None:
            self._told(self.standing)

    def _enter(self) -> None:
        with self._changed:
            if self._open_until is None:
                self._changed.wait_for(self._need_not_wait, self._patience)
            full = self._under_way >= self._most_calls
            if self._open_until is not None:
                if self._clock() < self._open_until or self._trying:
                    raise NotNow(f"{self._kind} {self._name} is not asked for a while: {self._reason}")
                self._trying = not full
            if not full:
                self._under_way += 1
                return
        reason = f"{self._most_calls} calls have not ended"
        self.failed(reason)
        raise NotNow(f"{self._kind} {self._name}: {reason}")

    def _need_not_wait(self) -> bool:
        return self._under_way < self._most_calls or self._open_until is not None

    def _leave(self) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify()


class Breakers:
    """The breakers of one process."""

    def __init__(
        self,
        *,
        told: Callable[[Standing], None] | None = None,
        clock: Callable[[], float] = monotonic,
        most_calls: int = MOST_CALLS,
        patience: timedelta = PATIENCE,
    ) -> None:
        self.told = told
        self._made: list[Breaker] = []
        self._clock = clock
        self._most_calls = most_calls
        self._patience = patience

    def make(self, kind: str, name: str, patience: timedelta | None = None) -> Breaker:
        """Make the breaker of a plugin. `patience` replaces that of the others."""
        waits = self._patience if patience is None else patience
        made = Breaker(kind, name, told=self._tell, clock=self._clock, most_calls=self._most_calls, patience=waits)
        self._made.append(made)
        return made

    def _tell(self, standing: Standing) -> None:
        if self.told is not None:
            self.told(standing)

    def standings(self) -> tuple[Standing, ...]:
        """The present state of each breaker, in the order of making."""
        return tuple(breaker.standing for breaker in self._made)
