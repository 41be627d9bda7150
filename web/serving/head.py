"""The head of a request: what llhttp has parsed, and what it leaves to the server to refuse (RFC 9112)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from web.serving.limits import Limits

Fields = list[tuple[bytes, bytes]]

_ABSOLUTE = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
_NOT_IN_TARGETS = re.compile(rb"[\x00-\x20\x7f]")


class RefusedRequest(Exception):
    """A request that is refused with a status and without a page; its connection ends."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body.

    `fields` are by their names in WSGI's environ, several of one name joined. `length` is the body's Content-Length, or
    None where it is chunked. `keeps` says whether the client may send another request afterwards.
    """

    method: str
    path: str  # as WSGI has it: bytes as Latin-1
    query: str
    version: str
    fields: dict[str, str]
    length: int | None
    keeps: bool
    awaits_continue: bool


def read_head(method: bytes, target: bytes, version: str, fields: Fields, keeps: bool, limits: Limits) -> Head:
    """The head of a request. Raises RefusedRequest with its status."""
    if len(method) + len(target) + len(" ") * 2 + len("HTTP/1.1") > limits.line:
        raise RefusedRequest(414)
    if version not in ("1.1", "1.0"):
        raise RefusedRequest(505)
    named = _by_name(fields)
    path, query = _read_target(target, named)
    # Exactly one Host (§3.2), which HTTP/1.0 did not know yet.
    if "HTTP_HOST" not in named and version == "1.1":
        raise RefusedRequest(400)
    coded = named.pop("HTTP_TRANSFER_ENCODING", None)
    if coded is not None and (version == "1.0" or "CONTENT_LENGTH" in named or coded.strip().lower() != "chunked"):
        raise RefusedRequest(400)  # §6.1: no other coding is known here, and a length beside it is an attack
    length = None if coded is not None else _read_length(named.get("CONTENT_LENGTH", "0"), limits)
    awaits = version == "1.1" and named.get("HTTP_EXPECT", "").lower() == "100-continue"
    return Head(method.decode("ascii"), path, query, version, named, length, keeps, awaits)


def _by_name(fields: Fields) -> dict[str, str]:
    named: dict[str, str] = {}
    for raw, value in fields:
        if b"_" in raw:  # it would be taken for the name with hyphens, which a proxy may have set
            continue
        name = raw.decode("ascii").upper().replace("-", "_")
        if name not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            name = f"HTTP_{name}"
        text = value.decode("latin-1").strip(" \t")
        if name not in named:
            named[name] = text
        elif name in ("HTTP_HOST", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"):
            raise RefusedRequest(400)
        else:
            named[name] += ("; " if name == "HTTP_COOKIE" else ", ") + text
    return named


def _read_target(target: bytes, named: dict[str, str]) -> tuple[str, str]:
    """The path and query. A target in absolute form names the host, whatever the field Host says (§3.2.2)."""
    if absolute := _ABSOLUTE.match(target):
        named["HTTP_HOST"] = absolute[1].decode("latin-1")
        target = target[absolute.end() :]
        target = target if target.startswith(b"/") else b"/" + target
    if _NOT_IN_TARGETS.search(target) or not (target.startswith(b"/") or target == b"*"):
        raise RefusedRequest(400)
    path, _, query = target.partition(b"#")[0].partition(b"?")
    return unquote_to_bytes(path).decode("latin-1"), query.decode("latin-1")


def _read_length(text: str, limits: Limits) -> int:
    if not (text.isascii() and text.isdigit()):
        raise RefusedRequest(400)
    # Python takes no number of thousands of digits, and no real length has twenty.
    return int(text) if len(text) < len("1" + "0" * 19) else limits.body + 1
