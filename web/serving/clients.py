"""All clients of a server: how many there are, and which one is cut off where there are too many."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from queue import SimpleQueue

from web.serving.application import Request
from web.serving.connection import Connection, Phase
from web.serving.limits import Limits

Asked = tuple[Connection, Request]

_PAUSE = 0.5  # seconds between two looks at the deadlines
_AT_ONCE = 64 * 1024  # bytes that are taken from a client in one step
_UNFINISHED = (Phase.WAITING, Phase.HEAD, Phase.BODY, Phase.LINGERING)


class Clients:
    """The connections of a server. `asked` is the queue of requests to be answered; None ends it."""

    def __init__(self, limits: Limits, asked: SimpleQueue[Asked | None]) -> None:
        self.limits = limits
        self._asked = asked
        self._loop = asyncio.get_running_loop()
        self._all: set[Connection] = set()
        # Those that wait for their client, the one that has waited longest first.
        self._unfinished: dict[Connection, None] = {}
        self._sending: dict[Connection, None] = {}
        self._unsent = 0
        self._stopping = False
        self._nobody = asyncio.Event()
        self.buffer = bytearray(_AT_ONCE)
        self.now = self._loop.time

    def __len__(self) -> int:
        return len(self._all)

    def entered(self, client: Connection) -> None:
        """Add a connection. Where there are too many, another one is cut off, or this one where all the others are
        being answered."""
        self._all.add(client)
        if self._stopping:
            client.stop()
        elif len(self._all) > self.limits.connections:
            next(iter(self._unfinished if len(self._unfinished) > 1 else self._sending), client).end()

    def left(self, client: Connection, unsent: int) -> None:
        """Remove a connection, to which `unsent` bytes were not sent."""
        self._all.discard(client)
        self._unfinished.pop(client, None)
        self._sending.pop(client, None)
        self._unsent -= unsent
        if self._stopping and not self._all:
            self._nobody.set()

    def moved(self, client: Connection) -> None:
        """Note that a connection waits for something else now."""
        if client.phase in _UNFINISHED:
            self._unfinished.setdefault(client)
            self._sending.pop(client, None)
        else:
            self._unfinished.pop(client, None)
            if client.phase is Phase.SENDING:
                self._sending[client] = None

    def must_send(self, size: int) -> None:
        """Count `size` more bytes to be sent. Where they are too many, the clients that have been reading longest are
        cut off."""
        self._unsent += size
        while self._unsent > self.limits.unsent and self._sending:
            next(iter(self._sending)).end()

    def ask(self, client: Connection, request: Request) -> None:
        """Queue a request, to be answered by any free thread."""
        self._asked.put((client, request))

    async def watch(self) -> None:
        """Enforce the deadlines, for ever."""
        while True:
            await asyncio.sleep(_PAUSE)
            now = self.now()
            for client in [client for client in self._all if client.deadline <= now]:
                client.deadline_passed()

    async def finish(self) -> int:
        """Finish the requests that were received, within `Limits.grace_seconds`. Returns how many were cut off."""
        self._stopping = True
        for client in list(self._all):
            client.stop()
        if not self._all:
            return 0
        with suppress(TimeoutError):
            await asyncio.wait_for(self._nobody.wait(), self.limits.grace_seconds)
        left = list(self._all)
        for client in left:
            client.end()
        return len(left)
