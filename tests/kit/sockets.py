"""A WSGI application that is served in this process, and callers who speak to it by sockets."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from tests.kit.requests_on_the_wire import exchanged
from tests.kit.waiting import PATIENCE
from web.serving.limits import Limits
from web.serving.server import Server

LONG = 8 << 20  # more than the kernel holds for a connection
LONGER = 16 << 20  # at least three quarters of which it does not hold
HEAD = b"GET / HTTP/1.1\r\nHost: {host}\r\n"
CLOSE = b"Connection: close\r\n\r\n"


class Recorder:
    """An application that keeps what it was asked, and answers by path."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.go_on = Event()
        self.go_on.set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        if path == "/slow":
            self.go_on.wait(PATIENCE)
        if path == "/broken":
            raise RuntimeError("a fault of the application")
        if path == "/late":
            start_response("200 OK", [])
            raise RuntimeError("a fault behind start_response")
        if path == "/line":
            start_response("200 OK", [("X-Line", "a\r\nSet-Cookie: b=c")])
            return [b""]
        if path == "/short":
            start_response("200 OK", [("Content-Length", "10")])
            return [b"short"]
        body = b"x" * {"/long": LONG, "/longer": LONGER}.get(path, 0) or path.encode("latin-1")
        status = {"/nothing": "204 No Content", "/same": "304 Not Modified"}.get(path, "200 OK")
        start_response(status, [("Content-Type", "text/plain")])
        return [body]


@contextmanager
def served(app: Any, *, threads: int = 2, **limits: Any) -> Iterator[tuple[str, int]]:
    """The address of a server that ends with the block."""
    server = Server(app, "127.0.0.1", 0, threads=threads, limits=Limits(**limits))
    server.start()
    try:
        yield "127.0.0.1", server.port
    finally:
        server.stop()


def get(address: tuple[str, int], path: str = "/", **options: Any) -> bytes:
    return exchanged(address, f"GET {path} HTTP/1.1\r\nHost: {{host}}\r\n".encode() + CLOSE, **options)


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


class Caller:
    """A connection that is kept."""

    def __init__(self, address: tuple[str, int], receives: int | None = None) -> None:
        """`receives` is how many bytes the kernel takes for it."""
        self.wire = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receives is not None:
            self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        self.wire.settimeout(PATIENCE)
        self.wire.connect(address)
        self._host = b"%s:%d" % (address[0].encode(), address[1])

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def say(self, data: bytes) -> None:
        self.wire.sendall(data.replace(b"{host}", self._host))

    def hear(self, end: bytes) -> bytes:
        heard = b""
        while not heard.endswith(end):
            piece = self.wire.recv(65536)
            assert piece, f"closed after {heard!r}"
            heard += piece
        return heard

    def cut_off(self) -> bool:
        """Whether the server has reset it, which shows while there is still something to read."""
        poll = select.poll()
        poll.register(self.wire, select.POLLERR)
        return bool(poll.poll(0))

    def closed(self) -> bool:
        """Whether the server has ended it; what it said before is passed over."""
        self.wire.setblocking(False)
        try:
            return not self.wire.recv(1 << 20)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
