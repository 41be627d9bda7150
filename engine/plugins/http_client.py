"""The HTTP client of a plugin: bounded in time and in size, behind the plugin's breaker, with an idempotency key.

A request goes out over http or https and nothing else. It is made in a thread of its own (`bounded_calls`), so that an
answer which trickles in, or a name that does not resolve, costs its caller no more than the time limit. What the other
side answers is an `HttpResponse`, whatever its status; only where there is no answer is `NotReached` raised. Both know
the `Deferred` that an outbox handler answers then.

GET and HEAD follow a redirect within scheme, host and port, three at most: another origin must get neither a token nor
a request from our network. Any other redirect is an answer like any other, because nothing that was sent is sent again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPException, HTTPMessage
from time import monotonic
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from engine.delivery import Deferred
from engine.errors import PluginError
from engine.extension import at_work
from engine.plugins.breakers import Breaker, NotNow, TooSlow

TIMEOUT = timedelta(seconds=10)
LONGEST_TIMEOUT = timedelta(minutes=1)
MOST_BYTES = 1024 * 1024  # of a body, unless the caller allows another size
LONGEST_REST = timedelta(days=1)  # that a Retry-After may ask for: a provider must not silence a site for a year
KEY_HEADER = "Idempotency-Key"

_STEP = 16 * 1024
_LONGEST_REASON = 200
_METHOD = re.compile(r"[A-Z]{3,10}")
_URL = re.compile(r"https?://[\x21-\x7e]+")


class NotReached(Exception):
    """There is no answer: the server was not reached, did not answer in time, or answered too much; or the breaker is
    open, and nobody was asked. The text names the host and no path, because a path may hold a secret."""

    @property
    def deferred(self) -> Deferred:
        """What a handler of effects or a schedule answers then: tried again, after its own wait."""
        return Deferred(str(self)[:_LONGEST_REASON])


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What the server answered, at the time `at` (aware, in UTC). Names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    at: datetime

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 200 to 299."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON. Raises ValueError where it is none."""
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("the JSON is nested too deeply") from error

    @property
    def retry_after(self) -> timedelta | None:
        """How long the server asks to be left alone (`Retry-After`, RFC 9110 §10.2.3), at most a day; None where it
        does not say, or nothing that can be read.

        Seconds count from now. A date counts from the server's own `Date`, where it sends one, so that a server whose
        clock is wrong is left alone for as long as it meant.
        """
        said = self.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdecimal():
            seconds = int(said[:9]) if len(said) <= 9 else LONGEST_REST.total_seconds()
            return min(timedelta(seconds=seconds), LONGEST_REST)
        until = _date(said)
        if until is None:
            return None
        return min(max(until - (_date(self.headers.get("date", "")) or self.at), timedelta(0)), LONGEST_REST)

    def deferred(self, reason: str = "") -> Deferred:
        """What a handler of effects or a schedule answers where the server said "not now": tried again after
        `retry_after`, or after its own wait where that is longer. `reason` is kept and shown to operators; by default
        it is the status."""
        return Deferred((reason or f"status {self.status}")[:_LONGEST_REASON], after=self.retry_after)


def _date(text: str) -> datetime | None:
    """An HTTP-date, in any of its three forms; None where it is none."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


class _SameOrigin(HTTPRedirectHandler):
    """Follows a redirect of GET or HEAD within one origin; any other is the answer."""

    max_redirections = 3

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """See `HTTPRedirectHandler.redirect_request`."""
        if req.get_method() not in ("GET", "HEAD") or origin(newurl) != origin(req.full_url):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def origin(url: str) -> tuple[str, str, int | None]:
    """The scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def opener_of(redirects: type[HTTPRedirectHandler]) -> OpenerDirector:
    """An opener for HTTP and HTTPS alone: no file:, ftp: or data:, wherever a redirect leads. `redirects` says which
    are followed."""
    opener = OpenerDirector()
    handlers = (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor, redirects)
    for handler in handlers:
        opener.add_handler(handler())
    opener.addheaders = [("User-Agent", "tetsuzuki")]
    return opener


_OPENER = opener_of(_SameOrigin)


class HttpClient:
    """The HTTP client of one plugin. Thread-safe. `breaker` is shared by all that the plugin asks."""

    def __init__(self, breaker: Breaker, clock: Callable[[], datetime]) -> None:
        self._breaker = breaker
        self._clock = clock

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
        key: str = "",
        timeout: timedelta = TIMEOUT,
        most: int = MOST_BYTES,
    ) -> HttpResponse:
        """Send one request, and wait at most `timeout` in all for the whole answer.

        `method` is in capitals, as in POST; `url` is http or https, in ASCII. `body` are bytes; `json_body` is anything
        that JSON can hold, sent as `application/json`. `key` is the idempotency key, sent as `Idempotency-Key`: pass on
        the one that the handler was given. `timeout` is above 0 and at most a minute. `most` is how many bytes of a
        body are read; more is no answer.

        Never call it inside a transaction. Raises NotReached; ValueError for an argument that cannot be sent;
        PluginError in an extension of a workflow, which runs under the lock of a step.
        """
        if at_work():
            raise PluginError(
                f"the extension {at_work()!r} asked {url!r} under the lock of a step: make an effect of it"
            )
        asked = _request(method, url, body, json_body, headers or {}, key)
        if not timedelta(0) < timeout <= LONGEST_TIMEOUT:
            raise ValueError(f"timeout: expected more than 0 and at most {LONGEST_TIMEOUT}, got {timeout}")
        try:
            return self._breaker.within(timeout, partial(self._answer, asked, timeout.total_seconds(), most))
        except (NotNow, TooSlow) as error:
            raise NotReached(str(error)) from error

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: timedelta = TIMEOUT,
        most: int = MOST_BYTES,
    ) -> HttpResponse:
        """`request` with GET."""
        return self.request("GET", url, headers=headers, timeout=timeout, most=most)

    def post(
        self,
        url: str,
        json_body: Any,
        *,
        key: str,
        headers: Mapping[str, str] | None = None,
        timeout: timedelta = TIMEOUT,
        most: int = MOST_BYTES,
    ) -> HttpResponse:
        """`request` with POST and JSON. There must be a `key`: whatever is sent may be sent again."""
        return self.request("POST", url, json_body=json_body, headers=headers, key=key, timeout=timeout, most=most)

    def _answer(self, asked: Request, seconds: float, most: int) -> HttpResponse:
        end = monotonic() + seconds
        try:
            with _opened(asked, seconds) as response:
                return self._response(response.status, response.headers, _read(response, end, most, asked))
        except (OSError, HTTPException) as error:  # URLError is an OSError
            said = str(getattr(error, "reason", "")) or str(error) or type(error).__name__
            raise NotReached(f"{asked.host} was not reached: {said}"[:_LONGEST_REASON]) from error

    def _response(self, status: int, headers: Any, body: bytes) -> HttpResponse:
        return HttpResponse(status, {name.lower(): value for name, value in headers.items()}, body, self._clock())


def _opened(asked: Request, seconds: float) -> Any:
    """The answer, whose body is not read yet, whatever its status."""
    try:
        return _OPENER.open(asked, timeout=seconds)
    except HTTPError as error:
        return error


def _request(
    method: str, url: str, body: bytes | None, json_body: Any, headers: Mapping[str, str], key: str
) -> Request:
    """The request. Raises ValueError that names the argument and not its value, which may hold a secret."""
    if not _METHOD.fullmatch(method):
        raise ValueError(f"method: expected capitals, as in POST, got {method[:20]!r}")
    if not _URL.fullmatch(url) or not urlsplit(url).hostname:
        raise ValueError("url: expected http:// or https:// with a host, in ASCII and without blanks")
    if body is not None and json_body is not None:
        raise ValueError("body and json_body: expected one of them")
    sent = {**headers, **({KEY_HEADER: key} if key else {})}
    if json_body is not None:
        body = json.dumps(json_body, ensure_ascii=False).encode()
        sent.setdefault("Content-Type", "application/json")
    elif body is not None and not any(name.lower() == "content-type" for name in sent):
        sent["Content-Type"] = "application/octet-stream"
    for name, value in sent.items():
        if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not re.fullmatch(r"[\x20-\x7e]*", value):
            raise ValueError(f"headers: expected printable ASCII, which {name[:40]!r} does not have")
    return Request(url, body, sent, method=method)  # noqa: S310  (the scheme was checked above)


def _read(response: Any, end: float, most: int, asked: Request) -> bytes:
    """The body, read within the time limit and the size limit, however slowly it is sent. Raises NotReached, also where
    it ends before the length that its header names: `read1` takes that for its end."""
    pieces, size = [], 0
    while piece := response.read1(_STEP):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise NotReached(f"{asked.host} answered more than {most} bytes")
        if monotonic() > end:
            raise NotReached(f"{asked.host} did not finish its answer in time")
    if size < _length(response, asked):
        raise NotReached(f"the answer of {asked.host} was cut off after {size} bytes")
    return b"".join(pieces)


def _length(response: Any, asked: Request) -> int:
    """How long a body is at least by its header; 0 where nothing is said of it, or there is none (RFC 9110 §8.6)."""
    named = response.headers.get("Content-Length", "").strip()
    is_framed_otherwise = "Transfer-Encoding" in response.headers
    has_none = asked.get_method() == "HEAD" or response.status in (204, 304)
    readable = named.isascii() and named.isdecimal() and len(named) < 19
    return int(named) if readable and not is_framed_otherwise and not has_none else 0
