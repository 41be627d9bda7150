"""The events of providers that have counted, and the numbers with which customers pay later."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField
from workflows.business.records import Mandate


class PaymentEvent(Record):
    """An event of a provider that moved a request: each counts once, however often it is sent (deduplication)."""

    id = pw.BigAutoField()
    provider = pw.CharField(32)
    event = pw.CharField(255)
    instance = pw.BigIntegerField()
    received_at = UtcField()

    class Meta:
        indexes = ((("provider", "event"), True),)


class AwaitedPayment(Record):
    """The number with which a customer pays later, keyed by the request: what the method said of it when it gave it.

    `texts` are the method's own words by language, as JSON (`workflows.payment_method_change.awaited`); `picture` is a
    `data:` URL, "" where there is none. Neither is kept once nothing can be paid with the number any more. The payment
    is due at `due_at`, the customer is reminded at `remind_at`, and the request lapses at `lapse_at`. The due time was
    put off `extended` times, and may be `extensions` times.
    """

    instance = pw.BigIntegerField(primary_key=True)
    mandate_id: int
    mandate = pw.ForeignKeyField(Mandate, unique=True, on_delete="CASCADE")
    number = pw.CharField(64)
    due_at = UtcField()
    remind_at = UtcField()
    lapse_at = UtcField()
    texts = pw.TextField()
    picture = pw.TextField(default="")
    extended = pw.IntegerField(default=0)
    extensions = pw.IntegerField(default=0)
