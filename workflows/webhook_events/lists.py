"""Reading events: for the command line and `doctor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from workflows.webhook_events.records import OPEN, RECEIVED, WebhookEvent

MOST_COUNTED = 10_000  # of each state

_LATE = timedelta(minutes=5)  # five sweeps


def counts(states: Sequence[str] = OPEN) -> Mapping[str, int]:
    """How many events are in each of these states, each counted up to `MOST_COUNTED`."""
    return {
        state: WebhookEvent.select(WebhookEvent.id).where(WebhookEvent.state == state).limit(MOST_COUNTED).count()
        for state in states
    }


def events(states: Sequence[str], most: int) -> list[WebhookEvent]:
    """At most `most` events in these states, without what they brought: the oldest first where they are open, else the
    newest."""
    order = WebhookEvent.id if set(states) <= set(OPEN) else WebhookEvent.id.desc()
    without_content = (field for field in WebhookEvent._meta.sorted_fields if field.name != "sealed")
    found = WebhookEvent.select(*without_content).where(WebhookEvent.state.in_(states))
    return list(found.order_by(order).limit(most))


def late(now: datetime) -> int:
    """How many events should have been tried by now, and were not."""
    found = WebhookEvent.select(WebhookEvent.id).where(
        WebhookEvent.due_at < now - _LATE, WebhookEvent.state == RECEIVED
    )
    return found.limit(MOST_COUNTED).count()
