"""`/healthz`, `/readyz` and `/metrics`: answered before the pages, and all that a worker answers.

Machines ask them: under any Host, because a probe knows addresses alone; without a session or a page around them; and
often, so each is cheap and none is logged.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from web.assembly.monitoring.metrics import CONTENT_TYPE
from web.assembly.readiness import Readiness
from web.http.guard import HEADERS
from web.serving import Server

if TYPE_CHECKING:
    from web.assembly.site import Site

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_Answer = tuple[int, bytes, str, tuple[tuple[str, str], ...]]

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_THREADS = 2  # of a process without pages: one for a probe, one for a scrape meanwhile
_NOT_FOUND: _Answer = (404, b"There is nothing here.\n", _TEXT, ())


class Monitoring:
    """A layer that answers probes for a site, and passes other requests on to `pages`."""

    def __init__(self, site: Site, pages: Wsgi | None = None) -> None:
        self._site = site
        self._pages = pages
        self._readiness = Readiness(site)
        self._answers = {"/healthz": self._health, "/readyz": self._ready}
        if site.settings.metrics_token is not None:  # without a token there is no such page
            self._answers["/metrics"] = self._figures

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = self._answers.get(environ.get("PATH_INFO", ""))
        if answer is None and self._pages is not None:
            return self._pages(environ, start_response)
        method = environ["REQUEST_METHOD"]
        if answer is None:
            status, body, kind, more = _NOT_FOUND
        elif method not in ("GET", "HEAD"):
            status, body, kind, more = 405, b"Only GET and HEAD.\n", _TEXT, (("Allow", "GET, HEAD"),)
        else:
            status, body, kind, more = answer(environ)
        headers = {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body)), **dict(more)}
        start_response(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
        return [b"" if method == "HEAD" else body]

    def _health(self, environ: dict[str, Any]) -> _Answer:
        """200, because the process answers, whatever else fails."""
        return 200, b"ok\n", _TEXT, ()

    def _ready(self, environ: dict[str, Any]) -> _Answer:
        checks = self._readiness.checks()
        ready = all(check.state != "failed" for check in checks)
        said = {
            "ready": ready,
            "checks": {
                check.name: {"state": check.state, **({"detail": check.detail} if check.detail else {})}
                for check in checks
            },
        }
        return 200 if ready else 503, json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n", _JSON, ()

    def _figures(self, environ: dict[str, Any]) -> _Answer:
        token = self._site.settings.metrics_token
        metrics = self._site.metrics
        if token is None or metrics is None:
            return _NOT_FOUND
        scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        # WSGI gives headers as Latin-1.
        genuine = hmac.compare_digest(credentials.strip().encode("latin-1", "replace"), token.encode())
        if scheme.lower() != "bearer" or not genuine:
            return (
                401,
                b"Authorization: Bearer and the token of metrics_token.\n",
                _TEXT,
                (("WWW-Authenticate", "Bearer"),),
            )
        beside = self._site.worker_process
        return 200, metrics.text(beside.figures() if beside is not None else ()), CONTENT_TYPE, ()


@contextmanager
def monitored(site: Site, address: tuple[str, int] | None) -> Iterator[None]:
    """Answer probes at (host, port) inside the block, in a process without pages; nowhere where `address` is None."""
    if address is None:
        yield
        return
    server = Server(Monitoring(site), *address, threads=_THREADS, name="monitoring")
    server.start()
    try:
        yield
    finally:
        server.stop()
