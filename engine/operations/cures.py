"""Cures for instances that `stuck` found: each is an act of an operator, in one commit, with an entry in history.

An instance that must go on from another state is migrated by `Engine.migrate`, to its own version or another one. An
act needs the permission of operators (`operators`) and a reason, which is kept for ever: it must name no person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine.definition import SYSTEM_ACTOR, Actor, Attempt, Effect, Instance, Workflow
from engine.errors import EventNotPossible
from engine.operations.reasons import given_reason
from engine.operations.stuck import mails_of_links
from engine.outcomes import Committed
from engine.runtime import answers, deadlines, history
from engine.runtime.engine import Engine
from engine.runtime.history_rows import entries_of
from engine.store import outbox_rows
from engine.store.base import Due, Unit, from_db, to_db

TIMERS_EVENT = "cure.timers"
LINK_EVENT = "cure.link"


def restore_timers(engine: Engine, instance_id: int, actor: Actor, reason: str) -> dict[str, datetime]:
    """Put back the timers that an instance lost. Returns their due times.

    The due times are those that history has sealed. Where history is older than that, they are counted anew from when
    the state was entered. A time that has passed fires at once. Raises EventNotPossible where no timer is lost, or its
    time cannot be known; Forbidden, UnknownInstance, UnknownWorkflow.
    """
    reason = given_reason(reason)
    with engine.store.begin() as unit:
        opened_now = engine.store.open(unit, instance_id)
        assert opened_now is not None  # None only where locked rows are skipped
        instance, timers, now = opened_now
        engine.operators.require(unit, instance, actor, TIMERS_EVENT, now)
        lost = _lost(engine, unit, instance, timers, now)
        if not lost:
            raise EventNotPossible(f"Instance {instance_id} has lost no timer.")
        for event, due in lost.items():
            unit.write(
                "INSERT INTO timer (instance_id, event, due_at, wake_at, failures, error) VALUES (?, ?, ?, ?, 0, '')",
                (instance.id, event, to_db(due), to_db(due)),
            )
        restored = {event: to_db(due) for event, due in lost.items()}
        said = {"timers": restored, "reason": reason}
        times = {timer.event: to_db(timer.due_at) for timer in timers} | restored
        passed = deadlines.passed(unit, (instance.id,))[instance.id]
        definition = engine.workflows.get((instance.workflow, instance.version))
        deadline = deadlines.deadline(definition, instance.state, times, passed)
        engine.note(unit, instance, TIMERS_EVENT, actor, said, now, history.AS_BEFORE, deadline)
        engine.store.commit(unit)
    engine.tell(Committed(instance=instance, next_due=min(lost.values())))
    return lost


def _lost(engine: Engine, unit: Unit, instance: Instance, timers: Sequence[Due], now: datetime) -> dict[str, datetime]:
    """The timers that history sets and the table lacks, with their due times. Raises EventNotPossible where history
    does not verify."""
    entries = entries_of(unit, instance.id)
    faults = history.verified(engine.history_keys, instance, entries, to_db).faults
    if faults:
        raise EventNotPossible(f"The history of instance {instance.id} does not verify: {faults[0]}.")
    there = {timer.event for timer in timers}
    said = history.due_times(entries)
    if said is not None:
        return {event: from_db(due) for event, due in said.items() if event not in there}
    workflow = engine.workflow(instance)
    entered = next(
        entry
        for entry in reversed(entries)
        if entry.event in (history.START_EVENT, history.MIGRATE_EVENT)
        or (entry.source, entry.event) in workflow.outgoing
    )
    at = entered.due_at or entered.at
    attempt = Attempt(instance, entered.event, SYSTEM_ACTOR, None, now, at, unit, services=engine.definitions.services)
    state = workflow.by_name.get(instance.state)
    if state is None:
        raise EventNotPossible(f"The definition of instance {instance.id} has no state {instance.state!r}.")
    return {timer.event: answers.due(timer, attempt) for timer in state.timers if timer.event not in there}


def mail_link(engine: Engine, instance_id: int, actor: Actor, reason: str, mail: str = "") -> str:
    """Mail a new link to the role that could act with one; the old link is dead. Returns the name of the mail.

    `mail` names the effect, where several carry such a link. Due timers are applied first (I3). The last mail of this
    name lends its language and its figures. Raises EventNotPossible where no mail of this state carries such a link,
    Forbidden, UnknownInstance, UnknownWorkflow.
    """
    reason = given_reason(reason)
    with engine.held(instance_id) as held:
        unit, instance, now = held.unit, held.instance, held.now
        engine.operators.require(unit, instance, actor, LINK_EVENT, now)
        workflow = engine.workflow(instance)
        effect = _chosen(workflow, instance, mail)
        before = outbox_rows.put_last(unit, instance.id, effect.name)
        if before is not None:
            workflow, effect = _as_before(workflow, effect, before[0], json.loads(before[1]))
        engine.renew_link(unit, instance)
        said = {"mail": effect.name, "reason": reason, history.LINK: instance.generation}
        engine.note(unit, instance, LINK_EVENT, actor, said, now)
        attempt = Attempt(
            instance, LINK_EVENT, SYSTEM_ACTOR, None, now, now, unit, services=engine.definitions.services
        )
        engine.recording.put_effects(held, workflow, attempt, (effect,))
    return effect.name


def _chosen(workflow: Workflow, instance: Instance, mail: str) -> Effect:
    state = workflow.by_name.get(instance.state)
    if state is not None and state.final:
        raise EventNotPossible(f"Instance {instance.id} has come to its end in {instance.state!r}: no link leads on.")
    names = mails_of_links(workflow, instance.state) if state is not None else []
    if not names:
        raise EventNotPossible(
            f"No mail brings a link with which somebody could lead instance {instance.id} out of {instance.state!r}; "
            "migrate it into a state that goes on."
        )
    if (mail and mail not in names) or (not mail and len(names) > 1):
        raise EventNotPossible(f"Which mail? Expected one of {', '.join(names)}.")
    return workflow.effects[mail or names[0]]


def _as_before(
    workflow: Workflow, effect: Effect, language: str, figures: Mapping[str, Any]
) -> tuple[Workflow, Effect]:
    """The effect with the language and figures of its last mail, because its rules may need data that only the first
    event had."""
    recipients = dict(workflow.recipients)
    if effect.to in recipients:
        recipients[effect.to] = replace(recipients[effect.to], language=lambda attempt: language)
    return replace(workflow, recipients=recipients), replace(effect, figures=lambda attempt: figures)
