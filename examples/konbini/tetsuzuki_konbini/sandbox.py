"""A provider to try the plugin with, on this machine alone: `python -m tetsuzuki_konbini.sandbox --help`.

It gives numbers, takes money at an invented counter (`POST /counter/<number>`), and sends the signed event of each
payment to the site. It keeps everything in memory, and ends by itself when nobody has asked it anything for a while.
"""

from __future__ import annotations

import argparse
import hmac
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from engine.definition import Secret
from tetsuzuki_konbini import signed
from tetsuzuki_konbini.provider import Payment

_LARGEST = 64 * 1024
_NEXT_TRY = 2.0  # seconds until an event is sent again that was not taken


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """An answer that is an error: its status and its code."""

    status: int
    code: str


class Sandbox:
    """The provider: its payments, and what it sends. Thread-safe. `now` tells the time of payments."""

    def __init__(self, token: str, secret: str, webhook: str = "", now: Callable[[], datetime] | None = None) -> None:
        self.webhook = webhook
        self.down = False  # whether it answers everything with 503
        self.payments: dict[str, Payment] = {}
        self.calls: list[str] = []
        self.asked_at = time.monotonic()
        self._token, self._secret = token, Secret(secret)
        self._run = secrets.token_hex(4)  # the names of another run's payments are others
        self._now = now or (lambda: datetime.now(UTC))
        self._answers: dict[str, Payment] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call. Raises Refusal."""
        self.asked_at = time.monotonic()
        self.calls.append(f"{method} {path}")
        parts = path.strip("/").split("/")
        if self.down:
            raise Refusal(503, "down")
        if parts[0] == "counter" and method == "POST" and len(parts) == 2:
            return self._told(self.pay(parts[1].replace("-", "")))
        if not hmac.compare_digest(headers.get("Authorization", ""), f"Bearer {self._token}"):
            raise Refusal(401, "unauthorized")
        key = headers.get("Idempotency-Key", "")
        with self._lock:
            match method, parts[:2], parts[2:]:
                case "POST", ["v1", "payments"], []:
                    return self._told(self._once(key, lambda: self._made(body)))
                case "GET", ["v1", "payments"], [number]:
                    return self._told(self._payment(number))
                case "POST", ["v1", "payments"], [number, "extend"]:
                    return self._told(self._once(key, lambda: self._extended(number, int(body["days"]))))
                case "POST", ["v1", "payments"], [number, "cancel"]:
                    return self._told(self._canceled(number))
        raise Refusal(404, "unknown")

    def pay(self, number: str) -> Payment:
        """Take the money for a number at the counter, and tell the site. Raises Refusal where it is not waiting."""
        with self._lock:
            found = next((one for one in self.payments.values() if one.number == number), None)
            if found is None:
                raise Refusal(404, "unknown")
            found = self._payment(found.id)
            if found.status != "waiting":
                raise Refusal(409, "already_paid" if found.status == "paid" else found.status)
            paid = self.payments[found.id] = replace(found, status="paid", paid_at=self._now())
        if self.webhook:
            threading.Thread(target=self._send, args=(paid,), daemon=True).start()
        return paid

    def event(self, payment: Payment) -> tuple[bytes, Mapping[str, str]]:
        """The signed event of a payment: body and headers. Its id is the same whenever it is sent."""
        told = {"id": f"evt_{payment.id}_{payment.status}", "type": f"payment.{payment.status}"}
        raw = json.dumps({**told, "payment": self._told(payment)}).encode()
        at = str(int(time.time()))
        return raw, {"Konbini-Signature": f"{at},{signed(self._secret, at, raw).decode()}"}

    def _once(self, key: str, make: Callable[[], Payment]) -> Payment:
        if not key:
            raise Refusal(400, "no_idempotency_key")
        if key not in self._answers:
            self._answers[key] = make()
        return self._answers[key]

    def _made(self, body: Mapping[str, Any]) -> Payment:
        turn = len(self.payments) + 1
        digits = f"{int(body['order']) % 10**6:06}{turn % 10**6:06}"
        due = (self._now() + timedelta(days=int(body["days"]))).replace(microsecond=0)
        made = Payment(
            f"kp_{self._run}_{turn}", int(body["order"]), digits, "40001", int(body["amount"]), "waiting", due, None
        )
        self.payments[made.id] = made
        return made

    def _payment(self, number: str) -> Payment:
        """A payment as it stands now: one that was not paid in time has expired."""
        found = self.payments.get(number)
        if found is None:
            raise Refusal(404, "unknown")
        if found.status == "waiting" and found.due <= self._now():
            found = self.payments[number] = replace(found, status="expired")
        return found

    def _extended(self, number: str, days: int) -> Payment:
        found = self._payment(number)
        if found.status != "waiting":
            raise Refusal(409, "already_paid" if found.status == "paid" else found.status)
        self.payments[number] = replace(found, due=found.due + timedelta(days=days))
        return self.payments[number]

    def _canceled(self, number: str) -> Payment:
        found = self._payment(number)
        if found.status == "paid":
            raise Refusal(409, "already_paid")
        self.payments[number] = replace(found, status="canceled")
        return self.payments[number]

    @staticmethod
    def _told(payment: Payment) -> dict[str, Any]:
        paid_at = payment.paid_at.isoformat() if payment.paid_at is not None else None
        names = ("id", "order", "number", "confirmation", "amount", "status")
        return {
            **{name: getattr(payment, name) for name in names},
            "due": payment.due.isoformat(),
            "paid_at": paid_at,
        }

    def _send(self, payment: Payment) -> None:
        """Send the event until the site takes it, at most ten times."""
        for _turn in range(10):
            raw, headers = self.event(payment)
            try:
                asked = Request(self.webhook, raw, {**headers, "Content-Type": "application/json"})  # noqa: S310
                with urlopen(asked, timeout=10):  # noqa: S310
                    return
            except (URLError, OSError):
                time.sleep(_NEXT_TRY)


def serve(sandbox: Sandbox, port: int = 0) -> ThreadingHTTPServer:
    """A server of the sandbox on the loopback address, not yet running; its port is in `server_address`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            raw = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _LARGEST))
            try:
                told, status = sandbox.answer(method, self.path, dict(self.headers), json.loads(raw or b"{}")), 200
            except Refusal as refusal:
                told, status = {"error": refusal.code}, refusal.status
            except (ValueError, KeyError, TypeError):
                told, status = {"error": "malformed"}, 400
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the sandbox is quiet."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve a sandbox until nobody has asked for a while."""
    parser = argparse.ArgumentParser(prog="python -m tetsuzuki_konbini.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--token", default="a-token-of-the-sandbox")
    parser.add_argument("--secret", default="a-secret-of-the-sandbox")
    parser.add_argument("--webhook", default="", help="https://…/webhooks/konbini of the site")
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
