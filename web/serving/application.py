"""Calls a WSGI application (PEP 3333): a whole request in, a whole answer out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from io import BytesIO
from typing import Any

from web.serving.head import Head

log = logging.getLogger("tetsuzuki.http")

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "te"})
_ENDS_A_LINE = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request, from (address, port). `too_long` is the length of a body that was too long to be received."""

    head: Head
    body: bytes
    client: tuple[str, int]
    too_long: int | None = None

    @property
    def keeps(self) -> bool:
        """Whether the connection stays open after the answer: not where a part of the request was left unread."""
        return self.head.keeps and self.too_long is None


@dataclass(frozen=True, slots=True)
class Answer:
    """All bytes of an answer, and whether the connection ends after it."""

    content: bytes
    last: bool


@dataclass(slots=True)
class _Said:
    """What the application passed to `start_response`."""

    status: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)

    def start(self, status: str, fields: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        """The application's `start_response`. Nothing is sent before the application has ended, so an error may always
        replace it."""
        if self.status and exc_info is None:
            raise RuntimeError("start_response was called twice")
        self.status, self.fields = status, fields
        return self.written.append


class Application:
    """A WSGI application, with the address at which it is served."""

    def __init__(self, app: Wsgi, host: str, port: int) -> None:
        self._app = app
        self._always = {
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SCRIPT_NAME": "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",  # TLS ends at a proxy; what that says is heard by ProxyFix alone
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    def answer(self, request: Request) -> Answer:
        """The application's answer; where the application fails, a bare 500, and the error in the log."""
        said = _Said()
        try:
            parts = self._app(self._environ(request), said.start)
            try:
                body = b"".join(parts)
            finally:
                if hasattr(parts, "close"):
                    parts.close()
            return _put_together(said, b"".join(said.written) + body, request)
        except BaseException:  # the thread must live on
            log.exception("error while answering %s", request.head.method)  # without the path: it may be a secret
            return refusal(500)

    def _environ(self, request: Request) -> dict[str, Any]:
        head = request.head
        environ = {
            **self._always,
            **head.fields,
            "REQUEST_METHOD": head.method,
            "PATH_INFO": head.path,
            "QUERY_STRING": head.query,
            "SERVER_PROTOCOL": f"HTTP/{head.version}",
            "REMOTE_ADDR": request.client[0],
            "REMOTE_PORT": str(request.client[1]),
            "wsgi.input": BytesIO(request.body),
        }
        if request.too_long is not None:
            environ["CONTENT_LENGTH"] = str(request.too_long)
        elif head.length is None:  # it came in chunks, and is there now
            environ["CONTENT_LENGTH"] = str(len(request.body))
        return environ


def _put_together(said: _Said, body: bytes, request: Request) -> Answer:
    status = int(said.status[:3])
    bodiless = status < 200 or status in (204, 304)
    last = not request.keeps
    lines = [f"HTTP/1.1 {said.status}"]
    names: set[str] = set()
    length: int | None = None
    for name, value in said.fields:
        lower = name.lower()
        names.add(lower)
        if lower == "content-length":
            length = int(value)
        elif lower == "connection":
            last = last or "close" in value.lower()
        if lower not in _HOP_BY_HOP and not (lower == "content-length" and bodiless and status != 304):
            lines.append(f"{name}: {value}")
    if length not in (None, len(body)) and not bodiless and request.head.method != "HEAD":
        raise ValueError(f"the answer has {len(body)} bytes, and says {length}")
    if "date" not in names:
        lines.append(f"Date: {formatdate(usegmt=True)}")
    if length is None and not bodiless and request.head.method != "HEAD":
        lines.append(f"Content-Length: {len(body)}")
    if last:
        lines.append("Connection: close")
    elif request.head.version == "1.0":
        lines.append("Connection: keep-alive")
    if any(_ENDS_A_LINE.search(line) for line in lines):
        raise ValueError("a field of the answer holds the end of a line")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return Answer(head if bodiless or request.head.method == "HEAD" else head + body, last)


def refusal(status: int) -> Answer:
    """An answer of the server itself; the connection ends with it."""
    body = f"{status} {HTTPStatus(status).phrase}\n".encode()
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Date: {formatdate(usegmt=True)}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    )
    return Answer("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body, last=True)
