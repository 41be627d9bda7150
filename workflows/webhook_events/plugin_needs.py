"""What events need of plugins: the webhook that is to handle them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import peewee as pw

from engine.plugins.needs import PluginNeed
from engine.store.base import SiteDatabase
from workflows.webhook_events.records import OPEN, WebhookEvent


def webhooks(db: SiteDatabase, today: date) -> Iterator[PluginNeed]:
    """The plugins whose webhooks have taken events that are not handled."""
    with db.bound():
        rows: list[Any] = list(
            WebhookEvent.select(WebhookEvent.plugin, pw.fn.COUNT(WebhookEvent.id))
            .where(WebhookEvent.state.in_(OPEN))
            .group_by(WebhookEvent.plugin)
            .order_by(WebhookEvent.plugin)
            .tuples()
        )
    for plugin, count in rows:
        yield PluginNeed("register_webhooks", "webhooks of", plugin, "events that are not handled", count)
