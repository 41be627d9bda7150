"""SIGTERM and SIGINT, from the first moment of a process that serves to its last.

`heed` comes first of all, before anything is imported that takes its time, so this module needs the standard library
alone. From then on a signal breaks nothing off: it is remembered. Who begins something asks `Stop.check` first, who has
begun all waits in `Stop.wait` and then stops what it began, in order.

An exception that a handler raises would be quicker and cannot be trusted: it comes between two steps of whatever the
main thread does, and is lost where that is a callback out of C, a `__del__` or a library that catches everything.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

NUMBERS = (signal.SIGTERM, signal.SIGINT)


class Stopped(SystemExit):
    """Told to stop before it had begun: the process ends with 0."""

    def __init__(self) -> None:
        super().__init__(0)


class Stop:
    """Whether the process was told to stop. Made by `heed`.

    A handler of Python runs between two steps of the main thread: one that comes just before a wait begins does not end
    it, and one that sets an `Event` while the thread is inside `Event.wait` waits for a lock that the thread itself
    holds, for ever. So the interpreter writes each signal into a socket as well, from which `wait` reads it.
    """

    def __init__(self) -> None:
        self._asked = False
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._before = [signal.signal(number, self._ask) for number in NUMBERS]

    def _ask(self, *_: object) -> None:
        self._asked = True

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked

    def check(self) -> None:
        """Raises Stopped where a signal has come."""
        if self._asked:
            raise Stopped

    def wait(self) -> None:
        """Return once a signal has come; in any thread, but in one at a time."""
        while not self._asked:
            # Other signals that have a handler are written as well.
            self._asked = self._receiver.recv(1)[0] in NUMBERS or self._asked

    def put_back(self) -> None:
        """Give signals back to who had them before."""
        for number, handler in zip(NUMBERS, self._before, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._receiver.close()
        self._sender.close()


_current: Stop | None = None


def heed() -> Stop:
    """Heed signals from now on, to the end of the process; where they are heeded already, what has come counts."""
    global _current
    if _current is None:
        _current = Stop()
    return _current


@contextmanager
def heeded() -> Iterator[Stop]:
    """Heed signals while this lasts, and longer where they were heeded before."""
    global _current
    outer = _current
    try:
        yield heed()
    finally:
        if outer is None and _current is not None:
            _current.put_back()
            _current = None
