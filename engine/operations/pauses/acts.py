"""The acts of pausing and resuming, each in one commit."""

from __future__ import annotations

import logging
from datetime import datetime

from engine.configuration import one_line
from engine.definition import Actor, Instance
from engine.errors import EventNotPossible, UnknownWorkflow
from engine.operations.pauses import standing
from engine.operations.reasons import given_reason
from engine.outcomes import Committed
from engine.runtime.engine import Engine
from engine.runtime.listening import LISTENER
from engine.runtime.operators import nowhere
from engine.runtime.pauses.halting import put_off
from engine.runtime.pauses.rows import END, alone, begin, bring_forward, open_pause, put_off_rows
from engine.runtime.pauses.scopes import OneChannel, OneInstance, OneVersion, Pause, Scope
from engine.store.base import NEVER, Unit, to_db

log = logging.getLogger("tetsuzuki.engine")
PAUSE_EVENT = "pause.begin"


def pause(engine: Engine, scope: Scope, actor: Actor, reason: str) -> Pause:
    """Pause `scope`. `reason` is kept for ever, so it must hold nothing personal.

    Raises Forbidden, EventNotPossible (it is paused already, the instance has ended, no workflow has such a channel,
    there is no reason), UnknownInstance, UnknownWorkflow, Busy.
    """
    reason = given_reason(one_line(reason) and reason, "it is kept with the pause")
    if isinstance(scope, OneInstance):
        made = _pause_instance(engine, scope, actor, reason)
    else:
        with engine.store.begin() as unit:
            alone(unit, scope)
            now = engine.store.now()
            engine.operators.require(unit, _about(scope), actor, PAUSE_EVENT, now)
            _check_known(engine, scope)
            made = begin(unit, scope, actor, reason, now)
            engine.store.commit(unit)
        put_off(engine, scope, NEVER)
    log.warning("%s is paused by %s: %s", scope, actor, one_line(reason))  # no reason makes a line of its own
    return made


def _pause_instance(engine: Engine, scope: OneInstance, actor: Actor, reason: str) -> Pause:
    with engine.held(scope.number) as held:
        unit, instance, now = held.unit, held.instance, held.now
        engine.operators.require(unit, instance, actor, PAUSE_EVENT, now)
        definition = engine.workflows.get((instance.workflow, instance.version))
        state = definition.by_name.get(instance.state) if definition is not None else None
        if state is not None and state.final:
            raise EventNotPossible(f"Procedure {instance.id} has ended: it is in {instance.state!r}.")
        made = begin(unit, scope, actor, reason, now)
        engine.note(unit, instance, PAUSE_EVENT, actor, {"reason": reason}, now)
        put_off_rows(unit, scope, NEVER)
    return made


def resume(engine: Engine, scope: Scope, actor: Actor, reason: str) -> Pause:
    """Resume `scope`: in one commit the pause ends, standing timers are put off, and what waited is due.

    Standing timers are put off by the length of the pause. What another pause halts as well stays halted. Returns the
    pause with its end. Raises Forbidden, EventNotPossible (it is not paused, there is no reason), UnknownInstance,
    Busy.
    """
    reason = given_reason(one_line(reason) and reason, "it is kept with the pause")
    committed = Committed()

    def work(unit: Unit) -> Pause:
        if isinstance(scope, OneInstance):
            instance, now = _lock_instance(engine, unit, scope)
        else:
            alone(unit, scope)
            instance, now = _about(scope), engine.store.now()
        engine.operators.require(unit, instance, actor, standing.RESUME_EVENT, now)
        lasting = open_pause(unit, scope)
        if lasting is None:
            raise EventNotPossible(f"There is no pause of {scope}.")
        unit.owner = instance.id
        unit.write(END, (to_db(now), str(actor), reason, lasting.number))
        said = {"reason": reason, "paused": str(scope)}
        noted = standing.restart(engine, unit, lasting, actor, said, now)
        if isinstance(scope, OneInstance) and instance.id not in noted:
            engine.note(unit, instance, standing.RESUME_EVENT, actor, said, now)
        bring_forward(unit, scope, now)
        committed.effects, committed.next_due = 1, now
        return Pause(lasting.number, scope, lasting.since, lasting.actor, lasting.reason, now, str(actor), reason)

    ended: Pause = engine.store.run(work, many=True)
    log.warning("%s is resumed by %s: %s", scope, actor, one_line(reason))
    engine.tell(committed)
    return ended


def _lock_instance(engine: Engine, unit: Unit, scope: OneInstance) -> tuple[Instance, datetime]:
    opened_one = engine.store.open(unit, scope.number)
    assert opened_one is not None  # None only where locked rows are skipped
    instance, _timers, now = opened_one
    return instance, now


def _about(scope: OneVersion | OneChannel) -> Instance:
    return nowhere(scope.workflow, scope.version) if isinstance(scope, OneVersion) else nowhere()


def _check_known(engine: Engine, scope: OneVersion | OneChannel) -> None:
    if isinstance(scope, OneVersion):
        if (scope.workflow, scope.version) not in engine.workflows:
            raise UnknownWorkflow(f"No definition of workflow {scope.workflow!r} version {scope.version} is loaded.")
        return
    known = channels(engine)
    if scope not in known:
        named = ", ".join(str(one).removeprefix("channel ") for one in known)
        raise EventNotPossible(f"No workflow has an effect of {scope}; there are {named}.")


def channels(engine: Engine) -> tuple[OneChannel, ...]:
    """Every channel that may be paused: each kind of effects of the loaded workflows, each kind to one recipient, and
    each listener."""
    effects = [effect for workflow in engine.workflows.values() for effect in workflow.all_effects()]
    found = {OneChannel(effect.kind) for effect in effects} | {OneChannel(one.kind, one.to) for one in effects}
    found |= {OneChannel(LISTENER, name) for name in engine.definitions.listening.listeners}
    return tuple(sorted(found, key=str))
