"""Carrying bulk acts on: each incident in a commit of its own, in slices that a worker does between other work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from engine.definition import Actor, Address, Instance, Workflow
from engine.errors import Busy, DatabaseAway, EngineError, EventNotPossible, OutcomeUnknown, UnknownInstance
from engine.operations import incidents
from engine.operations.bulk_acts.looking import ACT, BulkAct, act_of
from engine.outcomes import effect_ref, host_of
from engine.runtime.engine import Engine
from engine.store import incident_rows, outbox_rows
from engine.store.base import Row, Unit, from_db, storable, to_db

log = logging.getLogger("tetsuzuki.engine")

LEASE = timedelta(seconds=30)
"""For how long a worker that says nothing has an act: after that, another one goes on with it."""
KEPT = timedelta(days=30)
"""For how long the items of an act are kept that has ended."""
AT_ONCE = 50
"""How many incidents one slice settles."""
REST = 0.05
"""For how many seconds a worker rests after a slice: pages and mails have the machine for that long."""
_FORGOTTEN_AT_ONCE = 5_000

_RUNNING = "SELECT number, leased_until FROM bulk_act WHERE state = 'running' ORDER BY number LIMIT 100"
_LEASE = (
    "UPDATE bulk_act SET leased_by = ?, leased_until = ? WHERE number = ? AND state = 'running' "
    "AND (leased_until <= ? OR leased_by = ?)"
)
_GIVE_BACK = "UPDATE bulk_act SET leased_by = '', leased_until = ? WHERE number = ? AND leased_by = ?"
_OPEN_ITEMS = (
    "SELECT place, instance_id, seq, position, event, since FROM bulk_act_item WHERE act_number = ? AND outcome = '' "
    "ORDER BY place LIMIT ?"
)
_STATE = "SELECT state FROM bulk_act WHERE number = ?"
_OUTCOME = "SELECT outcome FROM bulk_act_item WHERE act_number = ? AND place = ?"
_SETTLED = "UPDATE bulk_act_item SET outcome = ?, why = ? WHERE act_number = ? AND place = ? AND outcome = ''"
_END = (
    "UPDATE bulk_act SET state = 'ended', done = ?, settled = ?, refused = ?, changed_at = ?, leased_by = '' "
    "WHERE number = ? AND state = 'running'"
)
_OVER = (
    "SELECT b.number, (SELECT MIN(i.place) FROM bulk_act_item i WHERE i.act_number = b.number) FROM bulk_act b "
    "WHERE b.state = 'ended' AND b.changed_at < ? AND EXISTS "
    "(SELECT 1 FROM bulk_act_item i WHERE i.act_number = b.number) ORDER BY b.number LIMIT 1"
)
_PASSING = (Busy, DatabaseAway, OutcomeUnknown)


class _NotOurs(Exception):
    """The act was stopped, or another worker has settled the item."""


class _SettledBefore(Exception):
    """Somebody else has settled the incident since the act began."""


def carry_on(engine: Engine, stopped: Callable[[], bool] = lambda: False, at_once: int = AT_ONCE) -> timedelta | None:
    """Settle the next incidents of the oldest act that no other worker has, at most `at_once`.

    Returns after how long there may be more to do: nothing where this worker goes on, or the rest of another worker's
    lease. None where no act is running. `stopped` is asked before each incident. Raises Busy, DatabaseAway,
    OutcomeUnknown.
    """
    with engine.store.reading() as unit:
        running = unit.rows(_RUNNING)
    if not running:
        return None
    now = engine.store.now()
    for number, _ in running:
        if (act := _taken(engine, number, now)) is not None:
            _slice(engine, act, stopped, at_once)
            return timedelta(0)
    return max(timedelta(seconds=1), min(from_db(until) for _, until in running) - now)


def _taken(engine: Engine, number: int, now: datetime) -> BulkAct | None:
    """The act, leased to this worker; None where another one has it or it is not running any more."""
    with engine.store.begin() as unit:
        worker = engine.worker
        if not unit.changed(_LEASE, (worker, to_db(now + LEASE), number, to_db(now), worker)):
            return None
        act = act_of(unit, unit.rows(f"SELECT {ACT} FROM bulk_act b WHERE b.number = ?", (number,))[0])
        engine.store.commit(unit)
    return act


def _slice(engine: Engine, act: BulkAct, stopped: Callable[[], bool], at_once: int) -> None:
    with engine.store.reading() as unit:
        items = unit.rows(_OPEN_ITEMS, (act.number, at_once))
    for item in items:
        if stopped():
            break
        _settle(engine, act, item)
    with engine.store.begin() as unit:  # its commit flushes those of the incidents
        if not unit.rows(_OPEN_ITEMS, (act.number, 1)):
            now = engine.store.now()
            counts = act_of(unit, unit.rows(f"SELECT {ACT} FROM bulk_act b WHERE b.number = ?", (act.number,))[0])
            if unit.changed(_END, (counts.done, counts.settled, counts.refused, to_db(now), act.number)):
                said = (act.number, counts.done, counts.settled, counts.refused)
                log.warning("bulk act %d has ended: %d done, %d settled before, %d refused", *said)
        else:
            unit.write(_GIVE_BACK, (to_db(engine.store.now()), act.number, engine.worker))
        engine.store.commit(unit)


def _settle(engine: Engine, act: BulkAct, item: Row) -> None:
    place, number, seq, position, event, since = item
    within: incidents.Within = event or (seq, position)
    ref = f"{number}.{event}" if event else effect_ref(number, seq, position)
    known: list[Row] = []
    name, decide = _decisions(engine, act, lambda unit, effect_id: known[0])

    def do(unit: Unit, instance: Instance, within: incidents.Within, now: datetime) -> None:
        # The instance is locked: whoever settles the same incident comes before this or after it.
        state, outcome, open_since, known[:] = unit.rows_of(
            [
                (_STATE, (act.number,)),
                (_OUTCOME + unit.lock_suffix, (act.number, place)),
                incident_rows.since(number, within),
                (outbox_rows.ADDRESSED, (number, seq, position)),
            ]
        )
        if not state or state[0][0] != "running" or not outcome or outcome[0][0]:
            raise _NotOurs
        if not open_since or open_since[0][0] != since:
            raise _SettledBefore
        decide(unit, instance, within, now)
        unit.write(_SETTLED, ("done", "", act.number, place))

    said = {"incident": ref, "reason": act.reason, "bulk": act.number}
    try:
        incidents.decide(engine, number, within, _actor_of(act), name, said, do, flushes=False)
    except _NotOurs:
        pass
    except (_SettledBefore, UnknownInstance):
        _mark(engine, act.number, place, "settled", "")
    except _PASSING:
        raise
    except EngineError as error:
        _mark(engine, act.number, place, "refused", error.in_full)
    except Exception as error:  # a rule of an author: it must not hold up the others
        log.exception("bulk act %d: incident %s could not be settled", act.number, ref)
        _mark(engine, act.number, place, "refused", f"{type(error).__name__}: {error}")


def _actor_of(act: BulkAct) -> Actor:
    kind, _, name = act.actor.partition(":")
    return Actor(kind, name)


def _mark(engine: Engine, number: int, place: int, outcome: str, why: str) -> None:
    with engine.store.begin(flushes=False) as unit:
        unit.write(_SETTLED, (outcome, storable(why), number, place))
        engine.store.commit(unit)


def _decisions(engine: Engine, act: BulkAct, addressed: incidents.Addressed) -> tuple[str, incidents.Decide]:
    """What history calls the act on each incident, and what does it."""
    if act.act == "retry":
        return incidents.RETRY_EVENT, incidents.retrying(engine, addressed)
    if act.act == "skip":
        return incidents.SKIP_EVENT, incidents.skipping

    def corrected(workflow: Workflow, to: str, instance: Instance, unit: Unit) -> str:
        """The address at the new host; empty where the one of another incident of this act was corrected before."""
        found = workflow.recipients[to].address(instance, unit)
        address = found.email if isinstance(found, Address) else ""
        local, _, _ = address.rpartition("@")
        if host_of(address) == act.new_host:
            return ""
        if host_of(address) != act.criteria.host:
            raise EventNotPossible("The address of this recipient has another mail host by now.")
        return f"{local}@{act.new_host}"

    return incidents.AMEND_EVENT, incidents.amending(engine, corrected, addressed)


def forget(engine: Engine) -> int:
    """Delete items of an act that ended more than `KEPT` ago, some thousands at a time. Returns how many; 0 where none
    is left."""
    with engine.store.reading() as unit:
        over = unit.rows(_OVER, (to_db(engine.store.now() - KEPT),))
    if not over:
        return 0
    number, first = over[0]
    with engine.store.begin() as unit:
        done: int = unit.changed(
            "DELETE FROM bulk_act_item WHERE act_number = ? AND place < ?", (number, first + _FORGOTTEN_AT_ONCE)
        )
        engine.store.commit(unit)
    return done
