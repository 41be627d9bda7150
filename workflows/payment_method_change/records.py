"""The events of providers that have counted."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField


class PaymentEvent(Record):
    """An event of a provider that moved a request: each counts once, however often it is sent (deduplication)."""

    id = pw.BigAutoField()
    provider = pw.CharField(32)
    event = pw.CharField(255)
    instance = pw.BigIntegerField()
    received_at = UtcField()

    class Meta:
        indexes = ((("provider", "event"), True),)
