"""SIGTERM and SIGINT, from the first moment of a serving process to its last.

`heed` is called before any slow import, so this module needs the standard library alone. From then on a signal
interrupts nothing: it is remembered. Code that begins something calls `Stop.check` first; the main thread waits in
`Stop.wait`, and then stops what was begun, in order.

An exception that a handler raises would be quicker and cannot be trusted: it comes between two steps of whatever the
main thread does, and is lost in a callback from C, in a `__del__`, or in a library that catches everything.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NUMBERS = (signal.SIGTERM, signal.SIGINT)


class Stopped(SystemExit):
    """A signal came before the process had begun to serve: it ends with 0."""

    def __init__(self) -> None:
        super().__init__(0)


class Stop:
    """Whether the process was told to stop. Built by `heed`.

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

    def ask(self) -> None:
        """Have the process stop, as a signal does. In any thread."""
        self._asked = True
        with suppress(BlockingIOError):  # it is full: who waits is woken
            self._sender.send(bytes((signal.SIGTERM,)))

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked

    def check(self) -> None:
        """Raise Stopped where a signal has come."""
        if self._asked:
            raise Stopped

    def wait(self) -> None:
        """Wait until a signal has come. In any thread, but in one at a time."""
        while not self._asked:
            # Other signals that have a handler are written as well.
            self._asked = self._receiver.recv(1)[0] in NUMBERS or self._asked

    def put_back(self) -> None:
        """Restore the signal handlers from before."""
        for number, handler in zip(NUMBERS, self._before, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._receiver.close()
        self._sender.close()


_current: Stop | None = None


def heed() -> Stop:
    """Heed signals from now on, to the end of the process. Idempotent: a signal that came before still counts."""
    global _current
    if _current is None:
        _current = Stop()
    return _current


@contextmanager
def heeded() -> Iterator[Stop]:
    """Heed signals inside the block; afterwards only where they were heeded before."""
    global _current
    outer = _current
    try:
        yield heed()
    finally:
        if outer is None and _current is not None:
            _current.put_back()
            _current = None
