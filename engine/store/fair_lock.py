"""A fair lock (first come, first served), and work that queues for the lock to be done in another writer's
transaction."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from engine.errors import Busy
from engine.store.base import LONGEST_WAIT
from engine.store.sqlite_unit import SqliteUnit


class Turn:
    """A place in the queue of a `FairLock`. Its thread sleeps at `gate`."""

    __slots__ = ("gate",)

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()


class Work(Turn):
    """A piece of work in the queue. Either its turn comes, and it `leads`; or another writer has done it with its
    own."""

    __slots__ = ("call", "context", "error", "leads", "result")

    def __init__(self, call: Callable[[SqliteUnit], Any]) -> None:
        super().__init__()
        self.call = call
        self.context: Context = copy_context()  # its texts are for the reader of the thread that asked
        self.leads = False
        self.result: Any = None
        self.error: BaseException | None = None

    def do(self, connection: sqlite3.Connection) -> bool:
        """Do the work, with the context variables of the thread that asked. Returns whether its writes are to be
        kept."""
        unit = SqliteUnit(connection)
        self.error = None
        try:
            self.result = self.context.run(self.call, unit)
        except Exception as error:
            self.error = error
        return self.error is None and not unit.unchanged


class FairLock:
    """A mutex that is granted in the order of asking."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[Turn] = deque()
        self._held = False

    def acquire(self, timeout: float = -1) -> bool:
        """Wait for the lock, at most `timeout` seconds unless that is negative. Returns whether it was granted."""
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            turn = Turn()
            self._waiting.append(turn)
        return self._wait(turn, timeout)

    def _wait(self, turn: Turn, timeout: float) -> bool:
        if turn.gate.acquire(timeout=timeout):
            return True
        with self._mutex:
            try:
                self._waiting.remove(turn)
                return False
            except ValueError:  # its turn came at the last moment
                pass
        turn.gate.acquire()
        return True

    def acquire_or_queue(self, call: Callable[[SqliteUnit], Any], timeout: float) -> Work:
        """Queue `call`. Returns the work: it leads, and the lock is held; or another writer has done it meanwhile.

        Raises Busy where no writer has begun it within `timeout` seconds.
        """
        work = Work(call)
        with self._mutex:
            if not self._held:
                self._held = work.leads = True
                return work
            self._waiting.append(work)
        if not self._wait(work, timeout):
            raise Busy
        return work

    def next_work(self) -> Work | None:
        """The work that has waited longest, to be done by the holder of the lock. None where nobody waits, or where the
        first in the queue waits for the lock itself."""
        if not self._waiting:  # only the holder of the lock takes from it, so looking needs no mutex
            return None
        with self._mutex:
            if self._waiting and isinstance(self._waiting[0], Work):
                turn = self._waiting.popleft()
                assert isinstance(turn, Work)
                return turn
        return None

    def release(self) -> None:
        """Grant the lock to the first in the queue."""
        with self._mutex:
            if self._waiting:
                turn = self._waiting.popleft()
                if isinstance(turn, Work):
                    turn.leads = True
                turn.gate.release()
            else:
                self._held = False

    def __enter__(self) -> None:
        if not self.acquire(LONGEST_WAIT):
            raise Busy

    def __exit__(self, *_: object) -> None:
        self.release()
