"""Receiving an event: verified, stored, and only then answered for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from engine.errors import EngineError
from engine.store.base import storable, transaction
from workflows.ports.stored_events import LONGEST_KIND, NoContent, content_of, name_of
from workflows.ports.webhooks import Event
from workflows.services import Services
from workflows.webhook_events.handling import handle
from workflows.webhook_events.records import MOST_OPEN, OPEN, RECEIVED, SEALED_FOR, WebhookEvent

FORGED = "forged"

_WHILE_HANDLED = timedelta(minutes=1)  # after which a worker takes it that nobody finished

log = logging.getLogger("tetsuzuki.webhooks")


class Broken(EngineError):
    """This webhook cannot take events right now. Please send this one again later."""

    status = 503


class Full(EngineError):
    """Too many events of this webhook wait. Please send this one again later."""

    status = 503


def receive(services: Services, plugin: str, name: str, raw: bytes, headers: Mapping[str, str]) -> str:
    """Store a genuine event of a plugin's webhook, and have it handled if that is possible now. Returns the state of
    its row, or `FORGED` where the event is not genuine, of which nothing is stored.

    Raises Broken and Full, and what the database raises: the event is then not stored, and is to be sent again.
    Whatever goes wrong later is this site's to repeat. Raises KeyError where there is no such webhook.
    """
    event = _verified(services, plugin, name, raw, headers)
    if event is None:
        return FORGED
    row = _store(services, plugin, name, event, raw)
    if row.state != RECEIVED or row.times > 1:  # a worker has it, or it is decided
        return row.state
    try:
        row = handle(services, row)
    except Exception:  # it is stored: the chore goes on with it
        log.exception("event %s of %s could not be handled at once", row.id, row.address)
    return row.state


def _verified(services: Services, plugin: str, name: str, raw: bytes, headers: Mapping[str, str]) -> Event | None:
    webhook = services.webhooks[plugin][name]
    try:
        event = webhook.verify(raw, headers)
    except Exception as error:
        log.exception("webhook %s/%s: verify raised", plugin, name)
        raise Broken from error
    fits = isinstance(event, Event) and isinstance(event.id, str) and isinstance(event.kind, str)
    if event is not None and not fits:
        log.error("webhook %s/%s: verify answered %s; expected an Event or None", plugin, name, type(event).__name__)
        raise Broken
    return event


def _store(services: Services, plugin: str, name: str, event: Event, raw: bytes) -> WebhookEvent:
    """The row of an event; a new one, or that of the first time that it was sent."""
    now, known = services.clock(), name_of(event, raw)
    row = (WebhookEvent.plugin == plugin) & (WebhookEvent.webhook == name) & (WebhookEvent.event == known)
    try:
        sealed = services.vault.seal(content_of(event), SEALED_FOR)
    except NoContent as error:
        log.error("webhook %s/%s: an event cannot be stored: %s", plugin, name, error)
        raise Broken from error
    values = {
        "plugin": plugin,
        "webhook": name,
        "event": known,
        "kind": storable(event.kind, LONGEST_KIND),
        "received_at": now,
        "last_at": now,
        "sealed": sealed,
        "state": RECEIVED,
        "due_at": now + _WHILE_HANDLED,
    }
    sent_again = {WebhookEvent.times: WebhookEvent.times + 1, WebhookEvent.last_at: now}
    with transaction():
        if not WebhookEvent.update(sent_again).where(row).execute():
            _require_room(plugin, name)
            WebhookEvent.insert(values).on_conflict(
                conflict_target=[WebhookEvent.plugin, WebhookEvent.webhook, WebhookEvent.event], update=sent_again
            ).execute()
    stored: WebhookEvent = WebhookEvent.get(row)
    return stored


def _require_room(plugin: str, name: str) -> None:
    waiting = WebhookEvent.select(WebhookEvent.id).where(
        WebhookEvent.plugin == plugin, WebhookEvent.webhook == name, WebhookEvent.state.in_(OPEN)
    )
    if waiting.limit(MOST_OPEN).count() >= MOST_OPEN:
        log.error("%d events of %s/%s wait: no further one is taken until some are settled", MOST_OPEN, plugin, name)
        raise Full
