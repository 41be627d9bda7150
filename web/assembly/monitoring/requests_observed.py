"""Observes each request of the pages, for metrics and traces, under the name of its endpoint.

The endpoint and never the path: a path may be a mailed link, which is a secret, and there are as many paths as links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Flask, request

if TYPE_CHECKING:
    from web.assembly.monitoring.metrics import Metrics

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

UNMATCHED = "unmatched"
_ENDPOINT = "tetsuzuki.endpoint"


class ObservedRequests:
    """A layer around the pages that reports each answer, errors included."""

    def __init__(self, pages: Wsgi, metrics: Metrics) -> None:
        self._pages = pages
        self._metrics = metrics

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status = 500

        def heard(line: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            nonlocal status
            status = int(line[:3])
            return start_response(line, headers, *error)

        began = perf_counter()
        try:
            return self._pages(environ, heard)
        finally:
            self._metrics.answered(endpoint_of(environ), environ["REQUEST_METHOD"], status, perf_counter() - began)


def name_requests(app: Flask) -> None:
    """Note the endpoint's name in the environ; to be registered before any function that may refuse a request."""

    @app.before_request
    def name() -> None:
        if request.endpoint is not None:
            request.environ[_ENDPOINT] = request.endpoint


def endpoint_of(environ: dict[str, Any]) -> str:
    """The endpoint that answered, or `UNMATCHED`."""
    return str(environ.get(_ENDPOINT, UNMATCHED))
