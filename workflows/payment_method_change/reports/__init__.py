"""Reports of payment providers: stored before they are answered, applied once, and never lost.

A provider may say anything at any time: early, late, twice, out of order, for a request that is over. An event with a
genuine signature becomes a row (`PaymentReport`) before the provider is answered, one row for each event however often
it is sent. From then on the row is the truth, and the site answers for it:

- whoever stored it tries to apply it at once; a process that is killed in between leaves it to the chore of every
  worker, and the key under which the event is fired makes twice once (I10);
- what cannot be applied yet, because its request is not so far, or because a provider does not answer, is tried again;
- what cannot be applied at all is kept with the reason and shown to staff, who try it again or settle it by hand.

What is not genuine is stored nowhere: anybody can send. What is stored is bounded in size and number (`receiving`).
"""

from workflows.payment_method_change.reports.acts import acts_of, settle, try_again
from workflows.payment_method_change.reports.chores import apply_due, purge
from workflows.payment_method_change.reports.lists import MOST_COUNTED, counts, full, of_request, overdue, reports
from workflows.payment_method_change.reports.receiving import FORGED, Full, receive
from workflows.payment_method_change.reports.states import (
    APPLIED,
    KEPT,
    KNOWN,
    MOST_OPEN,
    OPEN,
    REASONS,
    RECEIVED,
    SETTLED,
    STATES,
    UNRELATED,
)

__all__ = [
    "APPLIED",
    "FORGED",
    "KEPT",
    "KNOWN",
    "MOST_COUNTED",
    "MOST_OPEN",
    "OPEN",
    "REASONS",
    "RECEIVED",
    "SETTLED",
    "STATES",
    "UNRELATED",
    "Full",
    "acts_of",
    "apply_due",
    "counts",
    "full",
    "of_request",
    "overdue",
    "purge",
    "receive",
    "reports",
    "settle",
    "try_again",
]
