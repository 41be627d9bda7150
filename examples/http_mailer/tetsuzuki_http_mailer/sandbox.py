"""A provider to try the plugin with, on this machine alone: `python -m tetsuzuki_http_mailer.sandbox --help`.

It takes mails and sends none. What is sent to an address that begins with `bounce`, `full` or `complain` comes back:
the site is told so by a signed event. It keeps everything in memory, and ends by itself when nobody has asked it
anything for a while.
"""

from __future__ import annotations

import argparse
import hmac
import json
import secrets
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from engine.definition import Secret
from tetsuzuki_http_mailer import signed

_LARGEST = 4 * 1024 * 1024
_NEXT_TRY = 2.0  # seconds until an event is sent again that was not taken

# What becomes of a mail, by how its recipient's address begins.
_EVENTS: Mapping[str, Mapping[str, Any]] = {
    "bounce": {"type": "bounce", "permanent": True, "status": "5.1.1", "words": "550 5.1.1 User unknown"},
    "full": {"type": "bounce", "permanent": False, "status": "4.2.2", "words": "452 4.2.2 Mailbox full"},
    "complain": {"type": "complaint", "status": "", "words": "abuse"},
}


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """An answer that is an error: its status, its code and, where it says so, after how many seconds to ask again."""

    status: int
    code: str
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that was taken: its envelope, its Message-ID and its bytes."""

    id: str
    key: str
    to: tuple[str, ...]
    message_id: str
    raw: bytes = field(repr=False)


class Sandbox:
    """The provider: the mails that it took, and what it tells of them. Thread-safe. `now` tells the time of
    signatures, in seconds of Unix."""

    def __init__(self, token: str, secret: str, webhook: str = "", now: Callable[[], float] = time.time) -> None:
        self.webhook = webhook
        self.busy = 0  # how many calls it answers with 429, and "in 90 seconds"
        self.down = False  # whether it answers everything with 503
        self.slow = 0.0  # seconds until it answers
        self.mails: list[Taken] = []
        self.keys: list[str] = []  # of every call, also of those that were refused
        self.refuses: frozenset[str] = frozenset()  # addresses to which it sends nothing
        self.asked_at = time.monotonic()
        self._token, self._secret = token, Secret(secret)
        self._run = secrets.token_hex(4)  # the names of another run's events are others
        self._now = now
        self._answers: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call. Raises Refusal."""
        self.asked_at = time.monotonic()
        if (method, path) != ("POST", "/v1/messages"):
            raise Refusal(404, "unknown")
        if not hmac.compare_digest(headers.get("Authorization", ""), f"Bearer {self._token}"):
            raise Refusal(401, "unauthorized")
        key = headers.get("Idempotency-Key", "")
        if not key:
            raise Refusal(400, "no_idempotency_key")
        with self._lock:
            self.keys.append(key)
            if self.down:
                raise Refusal(503, "down")
            if self.busy:
                self.busy -= 1
                raise Refusal(429, "busy", retry_after=90)
            if key not in self._answers:
                self._answers[key] = self._took(key, body)
            return self._answers[key]

    def _took(self, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        raw = b64decode(body["raw"], validate=True)
        refused = {one: "suppressed" for one in body["to"] if one in self.refuses}
        to = tuple(one for one in body["to"] if one not in refused)
        message_id = str(message_from_bytes(raw)["Message-ID"])
        mail = Taken(f"m_{self._run}_{len(self.mails) + 1}", key, to, message_id, raw)
        self.mails.append(mail)
        if self.webhook:
            for raw, headers in self.events(mail):
                threading.Thread(target=self._send, args=(raw, headers), daemon=True).start()
        return {"id": mail.id, "refused": refused}

    def events(self, mail: Taken) -> list[tuple[bytes, Mapping[str, str]]]:
        """The signed events of a mail that came back: body and headers. Their ids are the same whenever they are
        sent."""
        found = []
        for turn, to in enumerate(mail.to):
            told = next((event for start, event in _EVENTS.items() if to.startswith(start)), None)
            if told is not None:
                found.append(self.event({**told, "id": f"evt_{mail.id}_{turn}", "recipient": to}, mail.message_id))
        return found

    def event(self, told: Mapping[str, Any], message_id: str) -> tuple[bytes, Mapping[str, str]]:
        """A signed event about the mail with this Message-ID."""
        raw = json.dumps({**told, "message_id": message_id}).encode()
        at = str(int(self._now()))
        return raw, {"Mailer-Signature": f"{at},{signed(self._secret, at, raw).decode()}"}

    def _send(self, raw: bytes, headers: Mapping[str, str]) -> None:
        """Send an event until the site takes it, at most ten times."""
        for _turn in range(10):
            try:
                asked = Request(self.webhook, raw, {**headers, "Content-Type": "application/json"})  # noqa: S310
                with urlopen(asked, timeout=10):  # noqa: S310
                    return
            except (URLError, OSError):
                time.sleep(_NEXT_TRY)


def serve(sandbox: Sandbox, port: int = 0) -> ThreadingHTTPServer:
    """A server of the sandbox on the loopback address, not yet running; its port is in `server_address`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _LARGEST))
            wait = 0
            time.sleep(sandbox.slow)
            try:
                told, status = sandbox.answer("POST", self.path, dict(self.headers), json.loads(raw or b"{}")), 200
            except Refusal as refusal:
                told, status, wait = {"error": refusal.code}, refusal.status, refusal.retry_after
            except (ValueError, KeyError, TypeError):
                told, status = {"error": "malformed"}, 400
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if wait:
                self.send_header("Retry-After", str(wait))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the sandbox is quiet."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve a sandbox until nobody has asked for a while."""
    parser = argparse.ArgumentParser(prog="python -m tetsuzuki_http_mailer.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8901)
    parser.add_argument("--token", default="a-token-of-the-sandbox")
    parser.add_argument("--secret", default="a-secret-of-the-sandbox")
    parser.add_argument("--webhook", default="", help="https://…/webhooks/http_mailer/events of the site")
    parser.add_argument("--idle", type=float, default=600.0, help="seconds without a call after which it ends")
    given = parser.parse_args()
    sandbox = Sandbox(given.token, given.secret, given.webhook)
    server = serve(sandbox, given.port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    while time.monotonic() - sandbox.asked_at < given.idle:
        time.sleep(min(1.0, given.idle))
    server.shutdown()


if __name__ == "__main__":
    main()
