"""Hands mails over by the HTTP API of a mail provider, and hears by its webhook what came back."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any

from engine.configuration.kinds import origin, seconds, secret, whole
from engine.definition import Secret
from engine.delivery import Accepted, Failed, Message, Outcome, RecipientMailer, only_to
from engine.hookspecs import hookimpl
from engine.mime import compose, envelope_address
from engine.plugins import HttpResponse, NotReached, SiteFacts
from workflows.ports.host import SiteHost
from workflows.ports.returned_mails import Kind, ReturnedMail
from workflows.ports.webhooks import Event, Webhook

NAME, EVENTS = "http_mailer", "events"

_SIGNATURE = "mailer-signature"
_LARGEST_EVENT = 64 * 1024  # bytes; an event is some hundred


class HttpMailer:
    """The plugin, its mailer and its webhook. One object serves all mails, from several threads at once."""

    needs_api = "1.1"
    mailer_version = 2

    @dataclass(frozen=True)
    class Config:
        """What stands here can be set under `[plugins.http_mailer]`.

        `timeout`: seconds for one call. `tolerance`: seconds by which the signature of an event may be old.
        """

        url: Annotated[str, origin("https://api.mailer.example")]
        token: Annotated[Secret, secret("the provider's token", r"[\x21-\x7e]+")]
        webhook_secret: Annotated[Secret, secret("the provider's secret", r"[\x21-\x7e]+")]
        timeout: Annotated[float, seconds(60)] = 20.0
        tolerance: Annotated[int, whole(1, 86_400, "seconds")] = 300

    def __init__(self, config: Config, site_facts: SiteFacts, host: SiteHost) -> None:
        self._config = config
        self._host = host
        self.longest = timedelta(seconds=config.timeout)

    @hookimpl
    def register_mailers(self) -> Mapping[str, RecipientMailer]:
        """This mailer."""
        return {NAME: self}

    @hookimpl
    def register_webhooks(self) -> Mapping[str, Webhook]:
        """The webhook under `/webhooks/http_mailer/events`."""
        return {EVENTS: self}

    # -- mails that go out --------------------------------------------------------------------------------------------

    def send(self, message: Message, key: str, recipients: Sequence[str]) -> Mapping[str, Outcome]:
        """Hand one mail over to `recipients`, in one call. The provider keeps to the key: a repeat sends nothing."""
        waiting = {one: address for one in recipients if (address := envelope_address(one))}
        outcomes: dict[str, Outcome] = {
            one: Failed("unsendable", "no mail can be sent to this address") for one in recipients if one not in waiting
        }
        mail = only_to(message, [one for one in message.to + message.cc if envelope_address(one)])
        made = compose(mail, self._host.now())
        if isinstance(made, Failed):
            return outcomes | dict.fromkeys(waiting, made)
        if not waiting:
            return outcomes
        asked = {"from": made.sender, "to": sorted(waiting.values()), "raw": b64encode(made.content).decode()}
        return outcomes | self._asked(asked, _key_for(key, asked["to"]), waiting)

    def _asked(self, asked: Mapping[str, Any], key: str, waiting: Mapping[str, str]) -> dict[str, Outcome]:
        headers = {"Authorization": f"Bearer {self._config.token}"}
        timeout = timedelta(seconds=self._config.timeout)
        try:
            url = f"{self._config.url}/v1/messages"
            response = self._host.http.post(url, asked, key=key, headers=headers, timeout=timeout)
        except NotReached as error:
            return dict.fromkeys(waiting, error.deferred)
        if response.status in (401, 403, 408, 429) or response.status >= 500:
            return dict.fromkeys(waiting, response.deferred())  # `Retry-After` is how long nobody asks again
        if not response.is_success:
            return dict.fromkeys(waiting, Failed(str(response.status), _error_of(response)))
        return _told(response, waiting)

    # -- events that come in ------------------------------------------------------------------------------------------

    def verify(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """The event, where its signature is genuine and new: `<unix time>,<HMAC-SHA256 of time, dot and body>`."""
        given = {name.lower(): value for name, value in headers.items()}.get(_SIGNATURE, "")
        at, _comma, signature = given.partition(",")
        if not at.isascii() or not at.isdecimal() or len(at) > 12 or len(raw) > _LARGEST_EVENT:
            return None
        if not hmac.compare_digest(signature.encode(), signed(self._config.webhook_secret, at, raw)):
            return None
        if abs(self._host.now().timestamp() - int(at)) > self._config.tolerance:
            return None
        try:
            told = json.loads(raw)
            return Event(str(told["id"]), str(told["type"]), told)
        except (ValueError, KeyError, TypeError):
            return None

    def handle(self, event: Event, key: str) -> Outcome:
        """Tell the site of a mail that came back. What says nothing of that, as `delivered`, is done with."""
        kind = _kind_of(event)
        if kind is None:
            return Accepted("not about a mail that came back")
        told = event.payload
        words = ("message_id", "recipient", "status", "words")
        message_id, recipient, status, said = (str(told.get(name) or "") for name in words)
        if not message_id:
            return Failed("malformed", "the event names no mail")
        return Accepted(self._host.report_returned(ReturnedMail(kind, message_id, recipient, status, said)))


def signed(webhook_secret: Secret, at: str, raw: bytes) -> bytes:
    """The signature of an event that was sent at the Unix time `at`, in hexadecimal digits."""
    return hmac.digest(str(webhook_secret).encode(), at.encode() + b"." + raw, "sha256").hex().encode()


def _key_for(key: str, addresses: Sequence[str]) -> str:
    """The key of a call: another one where only some of the recipients wait still, because that is another call."""
    return f"{key}-{sha256(' '.join(addresses).encode()).hexdigest()[:16]}"


def _kind_of(event: Event) -> Kind | None:
    if event.kind == "complaint":
        return "complaint"
    if event.kind == "bounce":
        return "hard_bounce" if event.payload.get("permanent") is True else "soft_bounce"
    return None


def _told(response: HttpResponse, waiting: Mapping[str, str]) -> dict[str, Outcome]:
    """What the provider says of each recipient: those whom it refuses, by their addresses."""
    try:
        answer = response.json()
        refused = {str(address): str(code)[:64] for address, code in answer["refused"].items()}
        name = str(answer["id"])[:64]
    except (ValueError, KeyError, TypeError, AttributeError):
        return dict.fromkeys(waiting, response.deferred("the answer cannot be read"))
    return {
        one: Failed(refused[address], "the provider refuses this address") if address in refused else Accepted(name)
        for one, address in waiting.items()
    }


def _error_of(response: HttpResponse) -> str:
    try:
        return str(response.json()["error"])[:64]
    except (ValueError, KeyError, TypeError):
        return "refused"
