"""A lock that is handed over in the order of asking, and work that queues for it instead of waiting with its own."""

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
    """Somebody's place in the queue of a `FairLock`; whoever waits there sleeps at `gate`."""

    __slots__ = ("gate",)

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()


class Work(Turn):
    """A piece of work in the queue. Its turn comes, and it `leads`; or another writer took it along, and it is done."""

    __slots__ = ("call", "context", "error", "leads", "result")

    def __init__(self, call: Callable[[SqliteUnit], Any]) -> None:
        super().__init__()
        self.call = call
        self.context: Context = copy_context()  # what it speaks is for the reader of the thread that asked
        self.leads = False
        self.result: Any = None
        self.error: BaseException | None = None

    def do(self, connection: sqlite3.Connection) -> bool:
        """Do it; whether what it may have written is to be kept."""
        unit = SqliteUnit(connection)
        self.error = None
        try:
            self.result = self.context.run(self.call, unit)
        except Exception as error:
            self.error = error
        return self.error is None and not unit.unchanged


class FairLock:
    """A mutex that is handed over in the order in which it was asked for."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[Turn] = deque()
        self._held = False

    def acquire(self, timeout: float = -1) -> bool:
        """Wait for one's turn, at most `timeout` seconds unless it is negative; whether it came."""
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
        """Work that leads, and the lock is held; or that was done meanwhile by another writer.

        Raises Busy after `timeout` seconds in which nobody has begun it.
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
        """The work of whoever waits longest, for who holds the lock to do; None where that one wants the lock."""
        if not self._waiting:  # nobody else takes from it while the lock is held, so looking needs no mutex
            return None
        with self._mutex:
            if self._waiting and isinstance(self._waiting[0], Work):
                turn = self._waiting.popleft()
                assert isinstance(turn, Work)
                return turn
        return None

    def release(self) -> None:
        """Hand over to whoever has waited longest."""
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
