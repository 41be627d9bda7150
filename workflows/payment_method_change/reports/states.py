"""The states of a report, and the reasons for which one is tried again or kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

SEALED_FOR = "payment report"  # the vault's purpose
MOST_OPEN = 10_000  # reports of a provider that are neither applied nor settled

RECEIVED = "received"  # it is applied in a moment, or tried again
APPLIED = "applied"  # its request went on by it
KNOWN = "known"  # it says nothing that its request does not know
UNRELATED = "unrelated"  # it concerns no request, by what the method says
KEPT = "kept"  # it cannot be applied; staff decide
SETTLED = "settled"  # staff have dealt with it by hand

STATES = (RECEIVED, KEPT, APPLIED, KNOWN, UNRELATED, SETTLED)
OPEN = (RECEIVED, KEPT)

FOR_LONG = timedelta(hours=24)

# Why a report is tried again, and for how long before it is kept for staff; None is for as long as it takes.
PATIENCE: Mapping[str, timedelta | None] = {
    "to_ask": FOR_LONG,  # the provider must be asked, which a worker does
    "early": FOR_LONG,  # its request is not so far
    "unknown_request": timedelta(hours=1),  # a provider is fast, but not as fast as that
    "no_plugin": FOR_LONG,
    "no_answer": FOR_LONG,  # the method raised, hung, or answered nonsense
    "undefined": FOR_LONG,  # the provider was asked, and does not know
    "busy": FOR_LONG,
    "broken": FOR_LONG,  # a rule or a timer of the request
    "paused": None,
}

# Why a report is kept at once.
FINAL_REASONS = (
    "no_request",  # it names none
    "other_method",  # its request is about another payment method
    "other_reference",  # it is about another page or payment than its request's
    "over",  # its request is over
    "twice",  # it was paid before
    "contradicts",  # its request has gone on in the belief of the contrary
    "no_step",  # nothing in the procedure follows from it
    "refused",  # a rule of the procedure refuses it
    "unreadable",  # none of the site's keys opens what was stored
)

REASONS = (*PATIENCE, *FINAL_REASONS)


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a report. `reason` is why, where it is kept or, with the state `RECEIVED`, tried again."""

    state: str
    reason: str = ""


def again(reason: str) -> Decision:
    """Try the report again."""
    return Decision(RECEIVED, reason)


def keep(reason: str) -> Decision:
    """Keep the report for staff."""
    return Decision(KEPT, reason)
