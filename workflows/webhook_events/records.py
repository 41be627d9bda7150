"""The rows of events, their states, and what operators did about them."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField

SEALED_FOR = "webhook event"  # the vault's purpose

RECEIVED = "received"  # it is handled in a moment, or tried again
HANDLED = "handled"  # the plugin has done what follows from it
KEPT = "kept"  # the plugin refuses it, or could not handle it in time; an operator decides
SETTLED = "settled"  # an operator has dealt with it

STATES = (RECEIVED, KEPT, HANDLED, SETTLED)
OPEN = (RECEIVED, KEPT)

MOST_OPEN = 10_000  # events of a webhook that are neither handled nor settled
LONGEST_REASON = 200


class WebhookEvent(Record):
    """A genuine event that came to `/webhooks/<plugin>/<webhook>`.

    `event` is the sender's name for it, the same when it is sent again (`times`, `last_at`), and `kind` the sender's
    word for what it is. `sealed` holds what it brought, encrypted by the vault, and is empty once it is handled or
    settled. `reason` is why it is tried again or kept; one that is tried again is due at `due_at`.
    """

    id = pw.BigAutoField()
    plugin = pw.CharField(64)
    webhook = pw.CharField(32)
    event = pw.CharField(255)
    kind = pw.CharField(64)
    received_at = UtcField()
    times = pw.IntegerField(default=1)
    last_at = UtcField()
    sealed = pw.TextField()
    state = pw.CharField(16)
    reason = pw.CharField(LONGEST_REASON, default="")
    attempts = pw.IntegerField(default=0)
    due_at = UtcField(null=True, index=True)
    decided_at = UtcField(null=True, index=True)

    class Meta:
        indexes = ((("plugin", "webhook", "event"), True), (("state", "id"), False))

    @property
    def address(self) -> str:
        """The plugin and its webhook, as in `http_mailer/events`."""
        return f"{self.plugin}/{self.webhook}"


class WebhookEventAct(Record):
    """What an operator did about an event that was kept: `again` or `settle`. `outcome` is its state after that."""

    id = pw.BigAutoField()
    event_id: int
    event = pw.ForeignKeyField(WebhookEvent, on_delete="CASCADE")
    act = pw.CharField(16)
    actor = pw.CharField(128)
    reason = pw.CharField(1000)
    at = UtcField()
    outcome = pw.CharField(16)


RECORDS: tuple[type[Record], ...] = (WebhookEvent, WebhookEventAct)
