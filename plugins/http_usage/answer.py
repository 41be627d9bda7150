"""One HTTP request for a figure: GET within a time limit, an answer of bounded size, and every value validated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPException, HTTPMessage
from time import monotonic
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request

from engine.plugins import opener_of, origin
from engine.text import Text
from workflows.ports.disk_usage import NO_ANSWER, UNREADABLE, Usage

LONGEST_ANSWER = 64 * 1024  # bytes; a right one has a hundred
MOST_BYTES = 1 << 60  # an exbibyte: no environment is that large, and every database can hold it
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(minutes=10)  # that the clock of an environment may be
_STEP = 8 * 1024


class NoFigure(Exception):
    """There is no figure: `reason` is for the customer, the exception's text for the log."""

    def __init__(self, reason: Text, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


class _SameOrigin(HTTPRedirectHandler):
    """Follows a redirect only within scheme, host and port: another origin must get neither the token nor a request
    from our network."""

    max_redirections = 3

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """See `HTTPRedirectHandler.redirect_request`. Raises NoFigure for another origin."""
        if origin(newurl) != origin(req.full_url):
            raise NoFigure(UNREADABLE, f"redirected to another origin ({code})")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = opener_of(_SameOrigin)


def ask(url: str, headers: Mapping[str, str], seconds: float, now: datetime) -> Usage:
    """The figure that `url` answers, within `seconds`. Raises NoFigure. The DNS lookup of the host does not count into
    `seconds`."""
    end = monotonic() + seconds
    request = Request(url, headers={"Accept": "application/json", **headers})  # noqa: S310  (the scheme was checked with the settings)
    try:
        with _OPENER.open(request, timeout=seconds) as response:
            kind = response.headers.get_content_type()
            if kind != "application/json":
                raise NoFigure(UNREADABLE, f"content type {kind[:80]!r}")
            content = _read(response, end)
    except HTTPError as error:
        error.close()
        raise NoFigure(NO_ANSWER, f"status {error.code}") from error
    except (OSError, HTTPException, ValueError) as error:  # URLError is an OSError; ValueError: what cannot be parsed
        raise NoFigure(NO_ANSWER, f"{type(error).__name__}: {error}"[:200]) from error
    return figure(content, now)


def _read(response: Any, end: float) -> bytes:
    """The body, read within the time limit and the size limit, however slowly it is sent."""
    content = b""
    while piece := response.read1(_STEP):
        content += piece
        if len(content) > LONGEST_ANSWER:
            raise NoFigure(UNREADABLE, f"more than {LONGEST_ANSWER} bytes")
        if monotonic() > end:
            raise TimeoutError("the body took too long")
    return content


def figure(content: bytes, now: datetime) -> Usage:
    """The figure in an answer, validated. Raises NoFigure with the fault."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise NoFigure(UNREADABLE, f"no JSON: {type(error).__name__}") from error
    if not isinstance(said, dict):
        raise NoFigure(UNREADABLE, "expected an object")
    used, limit = _bytes(said, "used", 0), None
    if said.get("limit") is not None:
        limit = _bytes(said, "limit", 1)
    return Usage(used, limit, _time(said, now))


def _bytes(said: Mapping[str, Any], name: str, least: int) -> int:
    value = said.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST_BYTES:
        raise NoFigure(UNREADABLE, f"{name}: expected whole bytes from {least} to 2**60, got {repr(value)[:40]}")
    return value


def _time(said: Mapping[str, Any], now: datetime) -> datetime:
    value = said.get("measured_at")
    wrong = NoFigure(UNREADABLE, f"measured_at: expected a time with its offset, got {repr(value)[:40]}")
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        moment = moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError) as error:
        raise wrong from error
    if moment is None:
        raise wrong
    if not _EARLIEST <= moment <= now + _AHEAD:
        raise NoFigure(UNREADABLE, f"measured_at: {moment.isoformat()} cannot be")
    return min(moment, now)
