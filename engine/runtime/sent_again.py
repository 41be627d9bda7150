"""Mails that an operator had sent again: they fire no event, and do not lose their point with the one of the first."""

from __future__ import annotations

from dataclasses import replace

from engine.definition import Effect, Workflow
from engine.outcomes import Claim
from engine.runtime.exits import exits
from engine.store.base import Unit

AGAIN_EVENT = "mail.again"

_ENTRY = "SELECT 1 FROM history WHERE instance_id = ? AND seq = ? AND event = ?"


def without_event(unit: Unit, workflow: Workflow, state: str, effect: Effect, claim: Claim) -> Effect:
    """The effect to deliver: without its `done` where the mail was sent again after that event, and its link, where it
    has one, still leads on. One query, and only where the state waits for the event no more."""
    if effect.done is None or effect.done in workflow.events[state]:
        return effect
    if effect.link and effect.link not in exits(workflow, state).roles:
        return effect
    again = unit.rows(_ENTRY, (claim.instance_id, claim.seq, AGAIN_EVENT))
    return replace(effect, done=None) if again else effect
