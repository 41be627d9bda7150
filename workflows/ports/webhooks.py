"""The port for webhooks: what machines outside send to a plugin of the site.

A webhook has the address `/webhooks/<plugin>/<name>`. Anybody may send anything there, so `verify` says first whether
the bytes are genuine. A genuine event is stored before its sender is answered; `handle` is called then or later, until
the event is handled or kept for an operator. So `handle` may be slow, may fail, and loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from engine.delivery import Outcome
from workflows.ports.payments import Event

__all__ = ["Event", "Webhook", "wrong_webhook"]


class Webhook(Protocol):
    """Takes the events of one sender. Called from several threads at once, outside of any transaction."""

    def verify(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """The event in a request, or None where its signature is not genuine. `raw` is the body as it came, of 256 KiB
        at most; `headers` have their names as the sender wrote them. Reads only, and has 5 seconds."""

    def handle(self, event: Event, key: str) -> Outcome:
        """Do what follows from a genuine event, at least once. `key` is the same for the same event, whenever it is
        handled. `Accepted` ends it, `Deferred` is tried again for 24 hours, and `Failed` is kept for an operator. An
        exception counts as Deferred. It has 15 seconds."""


def wrong_webhook(name: str, webhook: Any) -> str:
    """Why a webhook cannot be registered under `name`; "" where it can."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
        return "its name must be lower-case letters, digits and underscores, 32 at most"
    return ""


def plugin_itself(plugin: str) -> str:
    """The name under which the webhooks of a plugin stand: its own."""
    return plugin
