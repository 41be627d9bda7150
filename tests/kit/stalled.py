"""Clients that begin a request, or its answer, and do not come to its end: four kinds, many of each, from one thread.

Each connection goes on by a byte every `pause` seconds, so that it never looks dead; one that the server closes is
opened again at once, as somebody would do who means harm. As a process of its own (`python -m tests.kit.stalled`) they
take nothing of the interpreter that measures.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from threading import Event, Thread

_RECEIVES = 4096  # bytes that the kernel takes for a slow reader
_OPENED_AT_ONCE = 50


@dataclass(frozen=True)
class Kind:
    """What a client sends at once, what it sends on and on (nothing where empty), and whether it reads on and on."""

    name: str
    begins: bytes = b""
    goes_on: bytes = b""
    reads: bool = False


def kinds(host: str, long_answer: str) -> tuple[Kind, ...]:
    """The four kinds. `long_answer` is the path of something that is longer than the buffers of the connection."""
    head = f"POST / HTTP/1.1\r\nHost: {host}\r\n".encode()
    return (
        Kind("idle"),
        Kind("slow headers", head + b"X-Slow: ", b"x"),
        Kind("slow bodies", head + b"Content-Length: 60000\r\nContent-Type: text/plain\r\n\r\n", b"x"),
        Kind("slow readers", f"GET {long_answer} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * 4, reads=True),
    )


@dataclass
class Stalled:
    """`number` connections of one or several kinds, kept up until told otherwise."""

    address: tuple[str, int]
    kinds: tuple[Kind, ...]
    number: int
    pause: float = 1.0
    reopened: int = 0
    _open: dict[socket.socket, Kind] = field(default_factory=dict)
    _stop: Event = field(default_factory=Event)
    _all_there: Event = field(default_factory=Event)

    def run(self) -> None:
        """Open all, then go on until `stop`."""
        missing = deque(self.kinds[n % len(self.kinds)] for n in range(self.number))
        due: list[tuple[float, int, socket.socket]] = []  # a heap
        with selectors.EpollSelector() as selector:
            while not self._stop.is_set():
                for _ in range(min(_OPENED_AT_ONCE, len(missing))):
                    wire = self._opened(missing[0])
                    if wire is None:
                        break
                    selector.register(wire, selectors.EVENT_READ)
                    self._open[wire] = missing.popleft()
                    # Each at a moment of its own: they know nothing of each other.
                    first = self.pause * (len(self._open) % self.number) / self.number
                    heappush(due, (time.monotonic() + first, id(wire), wire))
                if not missing:
                    self._all_there.set()
                for key, _ in selector.select(0.01):
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    if self._open[ready].reads and self._still_open(ready):
                        selector.unregister(ready)  # it has begun to read; the rest it takes byte by byte
                    elif not self._still_open(ready):
                        missing.append(self._forget(selector, ready))
                now = time.monotonic()
                while due and due[0][0] <= now:
                    _, _, wire = heappop(due)
                    if wire in self._open:
                        if self._goes_on(wire):
                            heappush(due, (now + self.pause, id(wire), wire))
                        else:
                            missing.append(self._forget(selector, wire))
        for wire in self._open:
            wire.close()

    def _opened(self, kind: Kind) -> socket.socket | None:
        wire = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if kind.reads:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVES)
        wire.settimeout(1)
        try:
            wire.connect(self.address)
            wire.setblocking(False)
            if kind.begins:
                wire.send(kind.begins)
        except OSError:
            wire.close()
            return None
        return wire

    def _still_open(self, wire: socket.socket) -> bool:
        """Whether the server holds the connection; what it said, if anything, is taken by the byte."""
        try:
            return bool(wire.recv(1))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _goes_on(self, wire: socket.socket) -> bool:
        kind = self._open[wire]
        if kind.reads:
            return self._still_open(wire)
        with suppress(BlockingIOError):
            try:
                wire.send(kind.goes_on)
            except OSError:
                return False
        return True

    def _forget(self, selector: selectors.BaseSelector, wire: socket.socket) -> Kind:
        with suppress(KeyError):
            selector.unregister(wire)
        wire.close()
        self.reopened += 1
        return self._open.pop(wire)

    @contextmanager
    def around(self) -> Iterator[Stalled]:
        """While this lasts all of them are there."""
        thread = Thread(target=self.run, name="stalled")
        thread.start()
        try:
            assert self._all_there.wait(60), f"only {len(self._open)} of {self.number} connections could be opened"
            yield self
        finally:
            self._stop.set()
            thread.join()


def main() -> None:
    """Open them, say so, and hold them until standard input ends; then say how many had to be opened again."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--pause", type=float, default=1.0)
    given = parser.parse_args()
    address = ("127.0.0.1", given.port)
    all_kinds = kinds(f"127.0.0.1:{given.port}", given.path)
    with Stalled(address, all_kinds, given.number, given.pause).around() as stalled:
        print("all there", flush=True)
        sys.stdin.read()
        print(f"reopened {stalled.reopened}", flush=True)


if __name__ == "__main__":
    main()
