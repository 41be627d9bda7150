"""The server: it listens, with one thread that waits for all clients, and others that answer."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
from contextlib import suppress
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic

from web.serving.application import Application, Wsgi
from web.serving.clients import Asked, Clients
from web.serving.connection import Connection
from web.serving.limits import Limits

log = logging.getLogger("tetsuzuki.http")

_BACKLOG = 1024  # connections that the kernel holds until they are taken
_TAKEN_AT_ONCE = 16  # before those that are too many go: each is an open file until then
_LEAST_GRACE = 0.5  # seconds for a thread to see that nothing more comes
_OTHER_FILES = 256  # that the process has open beside its connections


class Server:
    """Serves a WSGI application at (host, port) with so many threads, from `start` to `stop`.

    The constructor binds the address, and raises OSError where that is not possible. `name` is that of the threads.
    """

    def __init__(
        self, app: Wsgi, host: str, port: int, *, threads: int, limits: Limits | None = None, name: str = "http"
    ) -> None:
        self._listening = _listen(host, port)
        self.port = int(self._listening.getsockname()[1])
        self._application = Application(app, host, self.port)
        self._limits = limits or Limits()
        self._asked: SimpleQueue[Asked | None] = SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._told_to_stop = asyncio.Event()
        self._ready = Event()
        self.failed = False  # whether it ended by itself
        self._waiting = Thread(target=self._run, name=name, daemon=True)
        # Daemons: one that the application does not give back within the grace must not hold up the end.
        self._answering = [Thread(target=self._answer, name=f"{name}-{n}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        """Start the threads, and return once connections are accepted."""
        for thread in (*self._answering, self._waiting):
            thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Accept no more connections, answer what was received, and return: after at most `Limits.grace_seconds`."""
        end = monotonic() + self._limits.grace_seconds
        with suppress(RuntimeError):  # it ended by itself
            self._loop.call_soon_threadsafe(self._told_to_stop.set)
        self._waiting.join()
        for _ in self._answering:
            self._asked.put(None)
        for thread in self._answering:  # for those too whose clients have gone: what they write is to be whole
            thread.join(max(_LEAST_GRACE, end - monotonic()))
        if late := sum(thread.is_alive() for thread in self._answering):
            log.warning("stopped while %d requests were still being answered", late)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException:
            self.failed = True
            log.exception("the server ended by itself, and this process with it")
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        clients = Clients(replace(self._limits, connections=_files_for(self._limits.connections)), self._asked)
        server = await self._loop.create_server(
            partial(Connection, clients), sock=self._listening, backlog=_TAKEN_AT_ONCE, start_serving=True
        )
        self._listening.listen(_BACKLOG)  # asyncio has but one number for accepted connections and the kernel's queue
        watch = asyncio.create_task(clients.watch())
        told = asyncio.create_task(self._told_to_stop.wait())
        self._ready.set()
        await asyncio.wait((watch, told), return_when=asyncio.FIRST_COMPLETED)
        if watch.done():
            watch.result()  # raises: without it nothing has an end
        server.close()
        if cut_off := await clients.finish():
            log.warning("stopped while %d clients still waited for their answers", cut_off)

    def _answer(self) -> None:
        while (asked := self._asked.get()) is not None:
            client, request = asked
            if client.lost:
                continue
            answer = self._application.answer(request)
            with suppress(RuntimeError):  # the loop is closed: the grace is over
                self._loop.call_soon_threadsafe(client.answered, answer)


def _listen(host: str, port: int) -> socket.socket:
    if ":" not in host:
        return socket.create_server((host, port), backlog=_BACKLOG)
    return socket.create_server((host, port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=host == "::")


def _files_for(connections: int) -> int:
    """How many connections this process may have open, after raising the system's limit as far as possible."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        log.warning("only %d files may be open, so %d clients at once: raise the limit (ulimit -n)", most, most // 2)
        return most // 2
    return connections
