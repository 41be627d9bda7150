"""Events that the webhooks of plugins have taken: stored before their senders are answered, handled, and never lost.

It is the same promise as for payment providers (`workflows.payment_method_change.reports`), without a request that an
event is about: a plugin's `handle` alone says what becomes of it. An event is a row, however often it is sent. Whoever
stored it calls the plugin at once; a process that is killed in between leaves it to the chore of every worker. What the
plugin cannot do now is tried again for 24 hours; what it refuses, or cannot do by then, is kept, and an operator tries
it again or settles it. What is not genuine is stored nowhere.
"""

from workflows.webhook_events.acts import acts_of, settle, try_again
from workflows.webhook_events.handling import handle_due, purge
from workflows.webhook_events.lists import MOST_COUNTED, counts, events, late
from workflows.webhook_events.plugin_needs import webhooks
from workflows.webhook_events.receiving import FORGED, Broken, Full, receive
from workflows.webhook_events.records import (
    HANDLED,
    KEPT,
    OPEN,
    RECEIVED,
    RECORDS,
    SEALED_FOR,
    SETTLED,
    STATES,
    WebhookEvent,
)

__all__ = [
    "FORGED",
    "HANDLED",
    "KEPT",
    "MOST_COUNTED",
    "OPEN",
    "RECEIVED",
    "RECORDS",
    "SEALED_FOR",
    "SETTLED",
    "STATES",
    "Broken",
    "Full",
    "WebhookEvent",
    "acts_of",
    "counts",
    "events",
    "handle_due",
    "late",
    "purge",
    "receive",
    "settle",
    "try_again",
    "webhooks",
]
