"""A small HTTP server of a provider's: it answers as a test says, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came; names of `headers` are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answers = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Answers:
    """An answer with these headers, in whose names `_` stands for a hyphen."""

    def write(request: BaseHTTPRequestHandler) -> None:
        request.send_response_only(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return write


class Provider:
    """The server. `answers` is asked for each request; `released` lets go whoever it keeps waiting."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: Answers = answer()
        self.released = Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.asked.append(Asked(self.command, self.path, headers, self.rfile.read(length)))
                outer.answers(self)

            do_POST = do_HEAD = do_GET  # noqa: N815  (as the base class wants it)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def provider() -> Iterator[Provider]:
    made = Provider()
    try:
        yield made
    finally:
        made.stop()
