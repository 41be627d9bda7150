"""As much of Stripe as Checkout in setup mode and charges by its cards need: the calls that localstripe has not, or
does otherwise. A real server on loopback."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import stripe

_LOST = {"error": {"type": "api_error", "message": "the answer was lost"}}
CARD_NUMBER = "4242424242424242"  # which only a provider ever sees


class StripeServer:
    """Keeps sessions, customers, cards and payments. `down` lets every call fail; `calls` are (method, path) in order.
    `declines` is the code with which cards are declined, "" while they are charged; `deaf` loses each answer to a POST
    after it was carried out."""

    def __init__(self, webhook_secret: str) -> None:
        self.webhook_secret = webhook_secret
        self.objects: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, tuple[str, dict[str, Any]]] = {}  # by idempotency key: (body, answer)
        self.calls: list[tuple[str, str]] = []
        self.down = False
        self.declines = ""
        self.deaf = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self, "GET")

            def do_POST(self) -> None:
                outer.answer(self, "POST")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler, verb: str) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        self.calls.append((verb, parts.path))
        if self.down:
            self._send(handler, 503, {"error": {"type": "api_error", "message": "down"}})
            return
        key = handler.headers.get("Idempotency-Key", "") if verb == "POST" else ""
        if key in self.answers:
            said, answer = self.answers[key]
            if said != f"{parts.path}?{body}":
                error = {"type": "idempotency_error", "message": "the same key with other contents"}
                self._send(handler, 400, {"error": error})
            elif self.deaf:
                self._send(handler, 500, _LOST)
            else:
                self._send(handler, 200, answer)
            return
        given = {name: values[0] for name, values in parse_qs(body).items()}
        found = self._do(verb, parts.path.removeprefix("/v1/").split("/"), given, parse_qs(parts.query))
        if found is None:
            error = {"type": "invalid_request_error", "code": "resource_missing", "message": "No such object"}
            self._send(handler, 404, {"error": error})
            return
        if key:
            self.answers[key] = (f"{parts.path}?{body}", found)
        if self.deaf and verb == "POST":
            self._send(handler, 500, _LOST)
        elif "error" in found:
            self._send(handler, 402, found)
        else:
            self._send(handler, 200, found)

    def _do(self, verb: str, path: list[str], given: dict[str, str], query: dict[str, Any]) -> dict[str, Any] | None:
        if verb == "POST" and path == ["customers"]:
            return self._keep("cus", {"object": "customer", **given})
        if verb == "POST" and path == ["checkout", "sessions"]:
            assert given["mode"] == "setup"
            assert given["currency"] == "jpy"
            session = self._keep(
                "cs",
                {
                    "object": "checkout.session",
                    "mode": "setup",
                    "status": "open",
                    "customer": given["customer"],
                    "client_reference_id": given["client_reference_id"],
                    "success_url": given["success_url"],
                    "cancel_url": given["cancel_url"],
                    "setup_intent": None,
                },
            )
            session["url"] = f"{self.url}/c/pay/{session['id']}"
            return dict(session)
        if path[0] in ("payment_intents", "refunds") and len(path) == 1:
            return self._paid(verb, path[0], given, query)
        found = self.objects.get(path[2] if path[0] == "checkout" else path[1])
        if found is None:
            return None
        if path[-1] == "expire":
            found["status"] = "expired"
        if path[-1] == "detach":
            if found["customer"] is None:
                return None
            found["customer"] = None
        return self._expanded(found, query)

    def _paid(self, verb: str, kind: str, given: dict[str, str], query: dict[str, Any]) -> dict[str, Any] | None:
        if verb == "GET":
            of = [one for one in self.objects.values() if one.get("object") == "payment_intent"]
            found = [one for one in of if one["customer"] in query["customer"]]
            return {"object": "list", "data": found, "has_more": False, "url": "/v1/payment_intents"}
        if kind == "refunds":
            if self.objects[given["payment_intent"]]["status"] != "succeeded":
                return None
            return self._keep("re", {"object": "refund", "status": "succeeded", "amount": int(given["amount"])})
        if self.objects.get(given["payment_method"], {}).get("customer") is None:
            return None
        about = {name[9:-1]: value for name, value in given.items() if name.startswith("metadata[")}
        status = "requires_payment_method" if self.declines else "succeeded"
        intent = self._keep("pi", {"object": "payment_intent", "status": status, "metadata": about, **_asked(given)})
        if not self.declines:
            return dict(intent)
        code = {"code": "card_declined", "decline_code": self.declines}
        intent["last_payment_error"] = code
        return {"error": {"type": "card_error", "message": "declined", **code, "payment_intent": dict(intent)}}

    def _expanded(self, found: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
        wanted = [value for name, values in query.items() if name.startswith("expand") for value in values]
        shown = dict(found)
        if "setup_intent" in wanted and shown.get("setup_intent"):
            intent = dict(self.objects[shown["setup_intent"]])
            if "setup_intent.payment_method" in wanted and intent.get("payment_method"):
                intent["payment_method"] = dict(self.objects[intent["payment_method"]])
            shown["setup_intent"] = intent
        return shown

    def _keep(self, prefix: str, values: dict[str, Any]) -> dict[str, Any]:
        made = {"id": f"{prefix}_{len(self.objects) + 1}", **values}
        self.objects[made["id"]] = made
        return made

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, content: dict[str, Any]) -> None:
        raw = json.dumps(content).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    # What the customer does on the page, and what Stripe then sends

    def register_card(self, session: str) -> None:
        """Somebody typed a card on the page of this session."""
        found = self.objects[session]
        card = {"brand": "visa", "last4": CARD_NUMBER[-4:], "exp_month": 4, "exp_year": 2030}
        method = self._keep("pm", {"object": "payment_method", "customer": found["customer"], "card": card})
        intent = self._keep("seti", {"object": "setup_intent", "status": "succeeded", "payment_method": method["id"]})
        found.update(status="complete", setup_intent=intent["id"])

    def event(self, kind: str, session: str, number: int = 1, **changes: Any) -> bytes:
        """An event about a session, as Stripe writes it."""
        return self.event_of(kind, {**self.objects[session], **changes}, number)

    def event_of(self, kind: str, about: dict[str, Any], number: int = 1) -> bytes:
        """An event about anything."""
        content = {"id": f"evt_{number}", "object": "event", "type": kind, "data": {"object": about}}
        return json.dumps(content).encode()

    def signed(self, raw: bytes, *, age: int = 0, secret: str = "") -> dict[str, str]:
        """The header that belongs to it."""
        made = stripe.WebhookSignature.generate_signature_header(
            raw.decode(), secret or self.webhook_secret, int(time.time()) - age
        )
        return {"Stripe-Signature": made}


def _asked(given: dict[str, str]) -> dict[str, Any]:
    """What a PaymentIntent keeps of what was asked for."""
    assert (given["currency"], given["off_session"].lower(), given["confirm"].lower()) == ("jpy", "true", "true")
    return {"amount": int(given["amount"]), "customer": given["customer"], "payment_method": given["payment_method"]}
