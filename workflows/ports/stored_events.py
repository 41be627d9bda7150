"""What events of machines outside have in common, whoever takes them: a name that is the same when an event is sent
again, and a content that can be stored and read back."""

from __future__ import annotations

import json
from hashlib import sha256

from engine.store.base import storable
from workflows.ports.payments import Event

LONGEST_NAME, LONGEST_KIND = 255, 64  # characters of the columns
_MOST_CONTENT = 512 * 1024  # characters of an event as JSON; a page takes no longer request than half of that


class NoContent(ValueError):
    """What an event brought cannot be stored. The message says why."""


def name_of(event: Event, raw: bytes) -> str:
    """The event's id as a column holds it. One that is too long, or none, is replaced by a digest that is the same when
    it is sent again."""
    if event.id and event.id == storable(event.id, LONGEST_NAME):
        return event.id
    return f"sha256 {sha256(event.id.encode('utf-8', 'replace') or raw).hexdigest()}"


def content_of(event: Event) -> str:
    """What the event brought, as JSON. Raises NoContent where it cannot be written, or is too long."""
    try:
        content = json.dumps({"id": event.id, "kind": event.kind, "payload": dict(event.payload)}, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise NoContent("its payload is not JSON") from error
    if len(content) > _MOST_CONTENT:
        raise NoContent(f"it has {len(content)} characters, more than {_MOST_CONTENT}")
    return content


def event_in(content: str) -> Event:
    """The event of a content that `content_of` wrote."""
    told = json.loads(content)
    return Event(told["id"], told["kind"], told["payload"])
