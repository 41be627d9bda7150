"""What a report means for its request. Pure: what was said and how things stand in, a decision out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.payment_method_change.reports.states import KNOWN, Decision, again, keep
from workflows.ports.payments import FAILED, GIVEN_UP, SUCCEEDED, Status

# The events that a report fires, by its status: the first one that the request can take, in its version and state. A
# version that can do more with a report adds its event here.
EVENTS: Mapping[Status, tuple[str, ...]] = {
    "processed": ("confirmed",),
    "paid": ("confirmed",),
}

_NOT_SO_FAR = frozenset({"requested", "in_review", "accepted", "activating"})
_GONE_ON = frozenset({"scheduled", "applying", "applied"})  # in the belief that the method works


@dataclass(frozen=True, slots=True)
class Standing:
    """How a request stands: its state, whether that is its end, the provider's name for its mandate, whether a payment
    of it was applied before, and whether its method works already, as that of an order does before it is decided on."""

    state: str
    is_over: bool
    reference: str
    paid: bool
    registered: bool = False


def before_firing(status: Status, reference: str, standing: Standing) -> Decision | None:
    """What is clear without an event; None where one is to be fired."""
    if status == "pending":
        return Decision(KNOWN)
    if not standing.reference and reference and not standing.is_over:
        return again("early")  # the provider was faster than the commit that keeps the reference
    if standing.reference and reference != standing.reference:
        # Of a page that was given up for another one nothing is expected; what succeeded there, somebody must see.
        return Decision(KNOWN) if status in GIVEN_UP | FAILED else keep("other_reference")
    return None


def without_event(status: Status, standing: Standing) -> Decision:
    """What becomes of a report of which the request can take no event."""
    has_gone_on = standing.state in _GONE_ON or (standing.registered and not standing.is_over)
    if standing.state in _NOT_SO_FAR and not has_gone_on:
        return again("early")
    if has_gone_on:
        return _of_one_that_went_on(status, standing)
    if status in GIVEN_UP:
        return Decision(KNOWN)  # it is over already, or ends by its own time
    if standing.is_over:
        return Decision(KNOWN) if status in FAILED else keep("over")
    return keep("no_step")


def _of_one_that_went_on(status: Status, standing: Standing) -> Decision:
    if status in GIVEN_UP | FAILED:
        return keep("contradicts")
    if status not in SUCCEEDED:
        return keep("no_step")
    # The provider was asked before its report came; or one thing is told in two events. Money may have come twice.
    return keep("twice") if status == "paid" and standing.paid else Decision(KNOWN)
