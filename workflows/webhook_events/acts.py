"""What operators do about an event: have it handled again, or say that it is settled."""

from __future__ import annotations

from collections.abc import Sequence

from engine.definition import Actor
from engine.errors import EventNotPossible
from engine.store.base import transaction
from workflows.services import Services
from workflows.webhook_events.handling import handle
from workflows.webhook_events.records import OPEN, SETTLED, WebhookEvent, WebhookEventAct

AGAIN, SETTLE = "again", "settle"


def try_again(services: Services, number: int, actor: Actor, reason: str = "") -> WebhookEvent | None:
    """Call the plugin once more with an open event. Recorded with who did so.

    Returns its row as it is then; None where there is none. Raises EventNotPossible for one that was handled or
    settled.
    """
    row: WebhookEvent | None = WebhookEvent.get_or_none(WebhookEvent.id == number)
    if row is None:
        return None
    if row.state not in OPEN:
        raise EventNotPossible
    tried = handle(services, row)
    _record(tried, AGAIN, actor, reason, services)
    return tried


def settle(services: Services, number: int, actor: Actor, reason: str) -> WebhookEvent | None:
    """Say that an open event was dealt with by hand. Recorded with who did so and why.

    Returns its row; None where there is none. Raises EventNotPossible for one that is open no more.
    """
    row: WebhookEvent | None = WebhookEvent.get_or_none(WebhookEvent.id == number)
    if row is None:
        return None
    values = {"state": SETTLED, "decided_at": services.clock(), "due_at": None, "sealed": ""}
    with transaction():
        is_open = (WebhookEvent.id == number) & WebhookEvent.state.in_(OPEN)
        if not WebhookEvent.update(values).where(is_open).execute():
            raise EventNotPossible
        row.state = SETTLED
        _record(row, SETTLE, actor, reason, services)
    return row


def acts_of(row: WebhookEvent) -> Sequence[WebhookEventAct]:
    """What was done about an event, in its order."""
    return list(WebhookEventAct.select().where(WebhookEventAct.event == row.id).order_by(WebhookEventAct.id))


def _record(row: WebhookEvent, act: str, actor: Actor, reason: str, services: Services) -> None:
    with transaction():
        WebhookEventAct.create(
            event=row.id, act=act, actor=str(actor), reason=reason, at=services.clock(), outcome=row.state
        )
