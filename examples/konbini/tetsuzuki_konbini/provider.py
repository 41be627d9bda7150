"""The provider's HTTP API, as this plugin calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from engine.definition import Secret

_LARGEST = 64 * 1024  # bytes of an answer


class NotReached(Exception):
    """The provider did not answer, or not now. What was asked may have been done."""


class Refused(Exception):
    """The provider refuses for good. `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment at the provider: `order` is the site's number of the request, `number` twelve digits."""

    id: str
    order: int
    number: str
    confirmation: str
    amount: int
    status: str
    due: datetime
    paid_at: datetime | None


def payment_of(answer: Mapping[str, Any]) -> Payment:
    """The payment that an answer or an event describes. Raises KeyError, TypeError or ValueError where it does not."""
    paid_at = answer["paid_at"]
    return Payment(
        id=str(answer["id"]),
        order=int(answer["order"]),
        number=str(answer["number"]),
        confirmation=str(answer["confirmation"]),
        amount=int(answer["amount"]),
        status=str(answer["status"]),
        due=datetime.fromisoformat(str(answer["due"])),
        paid_at=datetime.fromisoformat(str(paid_at)) if paid_at else None,
    )


class Provider:
    """Calls to one provider. Each has a time limit, and may be made from several threads."""

    def __init__(self, url: str, token: Secret, timeout: float) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout = timeout

    def make(self, order: int, amount: int, days: int, store: str, key: str) -> Payment:
        """A new payment; the one that was made under `key` where there is one. Raises NotReached and Refused."""
        asked = {"order": order, "amount": amount, "days": days, "store": store}
        return self._asked("POST", "/v1/payments", asked, key)

    def look(self, number: str) -> Payment:
        """A payment as it stands. Raises NotReached and Refused."""
        return self._asked("GET", f"/v1/payments/{quote(number, safe='')}")

    def extend(self, number: str, days: int, key: str) -> Payment:
        """Put the due time off by `days`, once for each key. Raises NotReached and Refused."""
        return self._asked("POST", f"/v1/payments/{quote(number, safe='')}/extend", {"days": days}, key)

    def cancel(self, number: str, key: str) -> Payment:
        """Cancel a payment that was not paid. Idempotent. Raises NotReached and Refused."""
        return self._asked("POST", f"/v1/payments/{quote(number, safe='')}/cancel", {}, key)

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None = None, key: str = "") -> Payment:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        data = json.dumps(body).encode() if body is not None else None
        request = Request(self._url + path, data, headers, method=method)  # noqa: S310  (`url` is http or https)
        try:
            with urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                return payment_of(json.loads(answer.read(_LARGEST)))
        except HTTPError as error:
            if error.code in (408, 425, 429) or error.code >= 500:
                raise NotReached(f"status {error.code}") from error
            raise Refused(_code_in(error.read(_LARGEST))) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotReached(type(error).__name__) from error


def _code_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])[:64]
    except (ValueError, KeyError, TypeError):
        return "refused"
