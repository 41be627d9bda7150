"""Hands a mail to those of its recipients who still wait for it, and tells what became of each (I5).

A row of the outbox stands for all recipients of a mail until a try gives them different outcomes. Then the copy (Cc)
gets a row of its own, and each row goes on for its recipient alone: with its own tries, backoff and incident, under the
one Message-ID. The headers name everybody all the same.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.definition import Address, Effect, Instance, Records, Workflow
from engine.delivery import AnyMailer, Message, Outcome, hand_over
from engine.errors import NobodyLeft
from engine.outbox.renderer import Renderer
from engine.outcomes import Claim
from engine.store import outbox_rows
from engine.store.base import Unit


class Tried(NamedTuple):
    """The outcome of a try: for a mail that of its recipient in To, or of its copy where only that waited.

    `copy` is the outcome for the Cc where it is another one.
    """

    outcome: Outcome
    copy: Outcome | None = None


def envelope_of(
    message: Message,
    claim: Claim,
    renderer: Renderer,
    workflow: Workflow,
    effect: Effect,
    instance: Instance,
    unit: Unit,
) -> tuple[str, ...]:
    """The recipients for whom the row of `claim` stands. Raises NobodyLeft where it is a copy for which there is no
    address any more."""
    if claim.is_copy:
        return (_address_of_copy(renderer, workflow, effect, instance, unit),)
    if message.cc and claim.claims > 1 and outbox_rows.has_copy(unit, claim):
        return message.to
    return message.to + message.cc


def _address_of_copy(
    renderer: Renderer, workflow: Workflow, effect: Effect, instance: Instance, records: Records
) -> str:
    found = renderer.address(workflow, effect, effect.cc, instance, records)
    if not isinstance(found, Address):
        raise NobodyLeft
    return found.email


def sent(mailer: AnyMailer, message: Message, key: str, recipients: tuple[str, ...]) -> Tried:
    """Hand the mail over."""
    outcomes = hand_over(mailer, message, key, recipients)
    first, copy = outcomes[recipients[0]], outcomes[recipients[-1]]
    return Tried(first) if copy is first or copy == first else Tried(first, copy)
