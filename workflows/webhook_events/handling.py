"""Handling an event: the plugin is called, and what it answered is written down. Each step can be repeated."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from engine import Engine
from engine.configuration import one_line
from engine.delivery import Accepted, Deferred, Failed, Outcome, outcome_of
from engine.plugins.breakers import NotNow, TooSlow
from engine.store.base import storable, transaction
from workflows.business.access.vault import Unreadable
from workflows.ports.stored_events import event_in
from workflows.services import Services
from workflows.webhook_events.records import (
    HANDLED,
    KEPT,
    LONGEST_REASON,
    OPEN,
    RECEIVED,
    SEALED_FOR,
    WebhookEvent,
)

PATIENCE = timedelta(hours=24)  # for which an event is tried again

_LONGEST_WAIT = timedelta(hours=1)  # from one try to the next, unless the plugin wants longer
_MEANWHILE = timedelta(minutes=2)  # a try takes some seconds; its worker may die
_UNREADABLE = Failed(code="unreadable", reason="none of the site's keys opens what was stored")
_AT_ONCE = 100  # events in a sweep
_DELETED_AT_ONCE = 500

log = logging.getLogger("tetsuzuki.webhooks")


def handle(services: Services, row: WebhookEvent) -> WebhookEvent:
    """Have an open event handled, and write down what became of it. Returns its row as it is then. Idempotent as far as
    the plugin is, also where several do so at once: they pass the same key."""
    if row.state in OPEN:
        _write(row, _outcome(services, row), services.clock())
    now: WebhookEvent = WebhookEvent.get_by_id(row.id)
    return now


def key_of(row: WebhookEvent) -> str:
    """The key of an event: the same for the same event, whenever it is sent or handled."""
    return f"webhook-{row.plugin}-{row.webhook}-{sha256(row.event.encode()).hexdigest()[:32]}"


def _outcome(services: Services, row: WebhookEvent) -> Outcome:
    webhook = services.webhooks.get(row.plugin, {}).get(row.webhook)
    if webhook is None:
        return Deferred("the plugin is not at work")
    try:
        event = event_in(services.vault.open(row.sealed, SEALED_FOR))
    except Unreadable:
        return _UNREADABLE
    try:
        return outcome_of(webhook.handle(event, key_of(row)))
    except (NotNow, TooSlow) as error:
        return Deferred(str(error))
    except (Exception, SystemExit) as error:
        log.exception("event %s of %s: the plugin raised", row.id, row.address)
        return Deferred(f"the plugin raised {type(error).__name__}")


def _write(row: WebhookEvent, outcome: Outcome, now: datetime) -> None:
    """Write down what became of a try, unless the event was decided meanwhile. What was kept stays so until it is
    handled."""
    values: dict[str, Any] = {"attempts": row.attempts + 1, "due_at": None, "decided_at": None}
    if isinstance(outcome, Accepted):
        values |= {"state": HANDLED, "reason": "", "decided_at": now, "sealed": ""}
    elif isinstance(outcome, Failed):
        values |= {
            "state": KEPT,
            "reason": _said(f"{outcome.code}: {outcome.reason}" if outcome.reason else outcome.code),
        }
    elif row.state == KEPT or now - row.received_at >= PATIENCE:
        values |= {"state": KEPT, "reason": _said(outcome.reason)}
    else:
        wait = min(timedelta(minutes=2 ** min(row.attempts, 10)), _LONGEST_WAIT)
        due = now + max(wait, outcome.after or timedelta(0))
        values |= {"state": RECEIVED, "reason": _said(outcome.reason), "due_at": due}
    with transaction():
        WebhookEvent.update(values).where(WebhookEvent.id == row.id, WebhookEvent.state.in_(OPEN)).execute()


def _said(reason: str) -> str:
    return storable(one_line(reason), LONGEST_REASON)


def handle_due(engine: Engine, services: Services) -> int:
    """Try the events whose time has come, the longest overdue first. Returns how many were tried.

    Several workers share them. A plugin that does not answer is asked once in a sweep.
    """
    now, tried, silent = services.clock(), 0, set[str]()
    due = (
        WebhookEvent.select()
        .where(WebhookEvent.due_at <= now, WebhookEvent.state == RECEIVED)
        .order_by(WebhookEvent.due_at)
        .limit(_AT_ONCE)
    )
    for row in list(due):
        if row.plugin not in silent and _is_ours(row, now):
            tried += 1
            if handle(services, row).state == RECEIVED:
                silent.add(row.plugin)
    return tried


def _is_ours(row: WebhookEvent, now: datetime) -> bool:
    """Whether this worker tries the event: nobody else has taken it since it was read."""
    with transaction():
        taken = WebhookEvent.update(due_at=now + _MEANWHILE).where(
            WebhookEvent.id == row.id, WebhookEvent.due_at == row.due_at
        )
        return bool(taken.execute())


def purge(engine: Engine, services: Services) -> int:
    """Delete the events that were handled or settled longer ago than `[retention] payment_reports` says. Returns how
    many."""
    old = WebhookEvent.select(WebhookEvent.id).where(
        WebhookEvent.decided_at < services.clock() - timedelta(days=services.payment_reports_days)
    )
    numbers = [row.id for row in old.limit(_DELETED_AT_ONCE)]
    if not numbers:
        return 0
    with transaction():
        return int(WebhookEvent.delete().where(WebhookEvent.id.in_(numbers)).execute())
