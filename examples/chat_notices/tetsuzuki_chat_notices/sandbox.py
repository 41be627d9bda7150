"""A chat to try the plugin with, on this machine alone: `python -m tetsuzuki_chat_notices.sandbox --help`.

It keeps its rooms in memory, posts once for each key, and has bad days on demand: `POST /trial/<mode>` with one of
`MODES`. `POST /trial/gone/<room>` takes a room away. It ends by itself when nobody has asked it for a while.
"""

from __future__ import annotations

import argparse
import hmac
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODES = {
    "open": "it takes every post",
    "busy": "it answers 429 with Retry-After in seconds",
    "busy_until": "it answers 429 with Retry-After as a date",
    "down": "it answers 503 and says nothing of when to come back",
    "slow": "it posts, and answers too late",
}
ROOMS = ("outages", "support-staff")

_LARGEST = 64 * 1024
_LONGEST_POST = 4000  # characters
_SLOW = 30.0  # seconds of a slow answer


@dataclass(frozen=True, slots=True)
class Post:
    """A post: its name, what it says, and the thread in which it stands."""

    id: str
    text: str
    thread: str


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """An answer that is an error: its status, its code, and its headers."""

    status: int
    code: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Sandbox:
    """The chat: its rooms, each with its posts, and the mode that it is in. Thread-safe. `now` tells the time.

    `rest` is how long a busy chat asks to be left alone; `waiting` ends every slow answer.
    """

    def __init__(self, token: str, now: Callable[[], datetime] | None = None) -> None:
        self.mode = "open"
        self.rest = timedelta(minutes=10)
        self.rooms: dict[str, list[Post]] = {room: [] for room in ROOMS}
        self.tries = 0  # posts that came, whatever became of them
        self.asked_at = time.monotonic()
        self.waiting = threading.Event()
        self._token = token
        self._keys: dict[str, Post] = {}
        self._now = now or (lambda: datetime.now(UTC))
        self._lock = threading.Lock()

    def date(self) -> str:
        """The time now, as HTTP has it."""
        return format_datetime(self._now().astimezone(UTC), usegmt=True)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> Any:
        """The content of an answer. Raises Refusal."""
        self.asked_at = time.monotonic()
        parts = path.strip("/").split("/")
        if method == "POST" and parts[0] == "trial":
            return self._tried(parts[1:])
        if not hmac.compare_digest(headers.get("Authorization", ""), f"Bearer {self._token}"):
            raise Refusal(401, "unauthorized")
        match method, parts:
            case "GET", ["v1", "rooms", room]:
                return {"room": room, "posts": len(self._room(room))}
            case "POST", ["v1", "rooms", room, "messages"]:
                return self._posted(room, headers.get("Idempotency-Key", ""), body)
        raise Refusal(404, "unknown")

    def _tried(self, parts: list[str]) -> Any:
        match parts:
            case ["gone", room]:
                self.rooms.pop(room, None)
            case [mode] if mode in MODES:
                self.mode = mode
            case _:
                raise Refusal(404, "unknown")
        return {"mode": self.mode, "rooms": sorted(self.rooms)}

    def _posted(self, room: str, key: str, body: Mapping[str, Any]) -> Any:
        with self._lock:
            self.tries += 1
            self._not_now()
            post = self._once(self._room(room), key, body)
        if self.mode == "slow":
            self.waiting.wait(_SLOW)
        return {"id": post.id}

    def _not_now(self) -> None:
        """Raise what a chat on a bad day answers."""
        if self.mode == "down":
            raise Refusal(503, "down")
        if self.mode == "busy":
            raise Refusal(429, "busy", {"Retry-After": str(int(self.rest.total_seconds()))})
        if self.mode == "busy_until":
            until = (self._now() + self.rest).astimezone(UTC)
            raise Refusal(429, "busy", {"Retry-After": format_datetime(until, usegmt=True)})

    def _once(self, posts: list[Post], key: str, body: Mapping[str, Any]) -> Post:
        if not key:
            raise Refusal(400, "no_idempotency_key")
        text = str(body["text"])
        if body.get("format") != "plain" or not 0 < len(text) <= _LONGEST_POST:
            raise Refusal(422, "unusable_text")
        if key not in self._keys:
            self._keys[key] = Post(f"p{len(self._keys) + 1}", text, str(body.get("thread", "")))
            posts.append(self._keys[key])
        return self._keys[key]

    def _room(self, room: str) -> list[Post]:
        if room not in self.rooms:
            raise Refusal(404, "no_such_room")
        return self.rooms[room]


def serve(sandbox: Sandbox, port: int = 0) -> ThreadingHTTPServer:
    """A server of the sandbox on the loopback address, not yet running; its port is in `server_address`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            raw = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _LARGEST))
            headers: Mapping[str, str] = {}
            try:
                told, status = sandbox.answer(method, self.path, dict(self.headers), json.loads(raw or b"null")), 200
            except Refusal as refusal:
                told, status, headers = {"error": refusal.code}, refusal.status, refusal.headers
            except (ValueError, KeyError, TypeError):
                told, status = {"error": "malformed"}, 400
            try:
                self._write(status, headers, json.dumps(told).encode())
            except OSError:
                self.close_connection = True  # whoever asked has gone, as after a slow answer

        def _write(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response_only(status)
            all_headers = {"Date": sandbox.date(), "Content-Type": "application/json", **headers}
            for name, value in all_headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the sandbox is quiet."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve a sandbox until nobody has asked for a while."""
    parser = argparse.ArgumentParser(prog="python -m tetsuzuki_chat_notices.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8902)
    parser.add_argument("--token", default="a-token-of-the-sandbox")
    parser.add_argument("--idle", type=float, default=600.0, help="seconds without a call after which it ends")
    given = parser.parse_args()
    sandbox = Sandbox(given.token)
    server = serve(sandbox, given.port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    while time.monotonic() - sandbox.asked_at < given.idle:
        time.sleep(min(1.0, given.idle))
    server.shutdown()


if __name__ == "__main__":
    main()
