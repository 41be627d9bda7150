"""An ERP to try the plugin with, on this machine alone: `python -m tetsuzuki_erp_billing.sandbox --help`.

It prices, books and bills by a small list, keeps everything in memory, and has bad days on demand: `POST /trial/<mode>`
with one of `MODES`. `POST /trial/batch` lets the night pass. It ends by itself when nobody has asked it for a while.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

MODES = {
    "open": "it books at once",
    "night": "it takes bookings and decides them in the batch of the night (202)",
    "locked": "somebody in accounting has the contract open (409 locked)",
    "busy": "an earlier call with the same key is not done yet (409 in_progress)",
    "down": "it answers everything with 503",
    "slow": "it books, and answers too late",
    "lost": "it books, and its answer gets lost on the way (502)",
}
PRICES = {"desknets-neo": 400, "chatluck": 300}  # yen a user and month, net of tax
OPTION = 100  # yen a month for any option
RATE = "0.10"

_TOKYO = ZoneInfo("Asia/Tokyo")
_BATCH = 23, 5  # the batch begins at 23:00 in Tokyo, and has decided by 5:00
_LARGEST = 4 * 1024 * 1024  # bytes of a request: bills are asked for some hundred contracts at a time
_SLOW = 30.0  # seconds of a slow answer


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """An answer that is an error: its status, its code and its reason."""

    status: int
    code: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A booking. `sent` is the digest of the body that asked for it; `digest` identifies the figures."""

    reference: str
    change: Mapping[str, Any]
    digest: str | None
    sent: str
    state: str
    decided_by: datetime | None = None
    error: str = ""


class Sandbox:
    """The ERP: its prices, its books, and the mode that it is in. Thread-safe. `now` tells the time.

    `dearer` is what a user costs more than on the list, in yen a month. `waiting` ends every slow answer.
    """

    def __init__(self, token: str, now: Callable[[], datetime] | None = None) -> None:
        self.mode = "open"
        self.dearer = 0
        self.entries: dict[str, Entry] = {}  # by key
        self.bills: dict[str, dict[str, Any]] = {}  # by number
        self.calls: list[str] = []
        self.asked_at = time.monotonic()
        self.waiting = threading.Event()
        self._token = token
        self._now = now or (lambda: datetime.now(UTC))
        self._lock = threading.Lock()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: Any) -> tuple[int, Any]:
        """The status and the content of an answer. Raises Refusal."""
        self.asked_at = time.monotonic()
        self.calls.append(f"{method} {target}")
        address = urlsplit(target)
        parts = [unquote(part) for part in address.path.strip("/").split("/")]
        if method == "POST" and len(parts) == 2 and parts[0] == "trial":
            return 200, self._tried(parts[1])
        if self.mode == "down":
            raise Refusal(503, "down", "the ERP is closed for its nightly batch")
        if not hmac.compare_digest(headers.get("Authorization", ""), f"Bearer {self._token}"):
            raise Refusal(401, "unauthorized")
        mode = self.mode
        try:
            with self._lock:
                answered = self._answered(method, parts, headers, body, parse_qs(address.query))
        finally:
            if mode == "slow":
                self.waiting.wait(_SLOW)
        if mode == "lost" and parts == ["v1", "bookings"]:
            raise Refusal(502, "lost")
        return answered

    def run_batch(self) -> None:
        """Decide what waits for the night: booked where its figures still hold."""
        with self._lock:
            for key, entry in self.entries.items():
                if entry.state == "queued":
                    stale = entry.digest is not None and entry.digest != self._priced(entry.change["after"])["digest"]
                    error = "price_changed" if stale else ""
                    self.entries[key] = replace(entry, state="rejected" if stale else "applied", error=error)

    def _tried(self, mode: str) -> dict[str, str]:
        if mode == "batch":
            self.run_batch()
        elif mode in MODES:
            self.mode = mode
        else:
            raise Refusal(404, "unknown", f"expected batch or one of {', '.join(MODES)}")
        return {"mode": self.mode}

    def _answered(
        self, method: str, parts: list[str], headers: Mapping[str, str], body: Any, query: Mapping[str, list[str]]
    ) -> tuple[int, Any]:
        match method, parts:
            case "POST", ["v1", "quotes"]:
                return 200, {**self._priced(body["after"]), "due": None}
            case "POST", ["v1", "bookings"]:
                entry = self._booked(headers.get("Idempotency-Key", ""), body)
                return (202 if entry.state == "queued" else 200), _told(entry)
            case "GET", ["v1", "bookings", reference]:
                return 200, _told(self._entry(reference))
            case "GET", ["v1", "contracts", number, "bookings"]:
                return 200, {"bookings": self._history(int(number), query.get("order", [""])[0])}
            case "GET", ["v1", "contracts", number, "invoices"]:
                return 200, {"invoices": self._invoices(int(number))}
            case "POST", ["v1", "due-bills"]:
                return 200, {"bills": self._due(date.fromisoformat(body["day"]), body["contracts"])}
        raise Refusal(404, "unknown")

    def _priced(self, terms: Mapping[str, Any]) -> dict[str, Any]:
        """The recurring figures of these terms, and their digest. Raises Refusal for what is not sold."""
        if terms["product"] not in PRICES:
            raise Refusal(404, "unknown", "there is no such product")
        months = 12 if terms["term"] == "annual" else 1
        priced = [("users", "ユーザー", terms["users"], PRICES[terms["product"]] + self.dearer)]
        priced += [(name, f"オプション {name}", 1, OPTION) for name in terms["options"]]
        lines = [
            {
                "code": code,
                "title": title,
                "quantity": count,
                "unit_price": price * months,
                "amount": count * price * months,
                "tax_rate": RATE,
            }
            for code, title, count, price in priced
        ]
        net = sum(line["amount"] for line in lines)
        tax = net // 10  # rounded down, once
        figures = {
            "period": "year" if months == 12 else "month",
            "lines": lines,
            "net": net,
            "taxes": [{"rate": RATE, "net": net, "tax": tax}],
            "total": net + tax,
        }
        return {"recurring": figures, "digest": _digest(figures)}

    def _booked(self, key: str, body: Mapping[str, Any]) -> Entry:
        """The booking of this key: made now, or as it stands where there is one. Raises Refusal."""
        if not key:
            raise Refusal(400, "no_idempotency_key")
        sent, known = _digest(body), self.entries.get(key)
        if known is not None and known.sent != sent:
            raise Refusal(422, "key_reused", "the key came with another change before")
        if self.mode in ("locked", "busy"):
            raise Refusal(409, "locked" if self.mode == "locked" else "in_progress")
        if known is not None:
            return known
        change, digest = body["change"], body["digest"]
        if digest is not None and digest != self._priced(change["after"])["digest"]:
            raise Refusal(409, "price_changed", "the price list has another price than the quote")
        if digest is None and change["kind"] != "payment_method":
            raise Refusal(409, "no_price", "a change is booked at a price that was confirmed")
        by_night = self.mode == "night"
        entry = self.entries[key] = Entry(
            f"ERP-{len(self.entries) + 1:06}",
            change,
            digest,
            sent,
            "queued" if by_night else "applied",
            self._after_the_batch() if by_night else None,
        )
        return entry

    def _after_the_batch(self) -> datetime:
        """When the next batch is over."""
        begins, ends = _BATCH
        now = self._now().astimezone(_TOKYO)
        first = now.replace(hour=begins, minute=0, second=0, microsecond=0)
        return (first if now < first else first + timedelta(days=1)) + timedelta(hours=24 - begins + ends)

    def _entry(self, reference: str) -> Entry:
        found = next((one for one in self.entries.values() if one.reference == reference), None)
        if found is None:
            raise Refusal(404, "unknown")
        return found

    def _history(self, contract: int, order: str) -> list[dict[str, Any]]:
        mine = [
            one
            for one in self.entries.values()
            if one.state == "applied"
            and (one.change["contract"] == contract or (one.change["contract"] is None and one.reference == order))
        ]
        return [
            {
                "reference": one.reference,
                "kind": one.change["kind"],
                "effective_on": one.change["effective_on"],
                "total": self._priced(one.change["after"])["recurring"]["total"] if one.digest else None,
            }
            for one in mine
        ]

    def _invoices(self, contract: int) -> list[dict[str, Any]]:
        mine = [one for one in self.bills.values() if one["contract"] == contract]
        mine.sort(key=lambda bill: bill["due_on"], reverse=True)
        return [{"number": one["number"], "issued_on": one["due_on"], "total": one["total"], "url": ""} for one in mine]

    def _due(self, day: date, contracts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The bills of the month of `day`, due on its first; each is made once and kept."""
        first = day.replace(day=1)
        due = [
            one
            for one in contracts
            if one["since"] <= first.isoformat() and (one["ended_on"] is None or first.isoformat() <= one["ended_on"])
        ]
        for one in due:
            number = f"B-{one['contract']}-{first:%Y%m}"
            if number not in self.bills:
                total = self._priced({**one["terms"], "term": "monthly"})["recurring"]["total"]
                bill = {"number": number, "contract": one["contract"], "total": total, "due_on": first.isoformat()}
                self.bills[number] = bill
        return [self.bills[f"B-{one['contract']}-{first:%Y%m}"] for one in due]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _told(entry: Entry) -> dict[str, Any]:
    decided_by = entry.decided_by.isoformat() if entry.decided_by is not None else None
    reason = "the price list has another price than the quote" if entry.error else ""
    return {
        "reference": entry.reference,
        "state": entry.state,
        "decided_by": decided_by,
        "error": entry.error,
        "reason": reason,
    }


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
                status, told = sandbox.answer(method, self.path, dict(self.headers), json.loads(raw or b"null"))
            except Refusal as refusal:
                status, told = refusal.status, {"error": refusal.code, "reason": refusal.reason}
            except (ValueError, KeyError, TypeError):
                status, told = 400, {"error": "malformed"}
            body = json.dumps(told).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # whoever asked has gone, as after a slow answer

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the sandbox is quiet."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve a sandbox until nobody has asked for a while."""
    parser = argparse.ArgumentParser(prog="python -m tetsuzuki_erp_billing.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8901)
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
