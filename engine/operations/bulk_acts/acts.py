"""Beginning, stopping and resuming a bulk act, each in one commit."""

from __future__ import annotations

import logging
from dataclasses import replace

from engine.configuration import one_line
from engine.definition import Actor
from engine.errors import EventNotPossible
from engine.operations.bulk_acts.looking import ACT, BulkAct, act_of, criteria_text
from engine.operations.incidents import Criteria
from engine.operations.reasons import given_reason
from engine.outcomes import Committed
from engine.runtime.engine import Engine
from engine.store import incident_rows
from engine.store.base import Unit, storable, to_db

log = logging.getLogger("tetsuzuki.engine")

MOST = 100_000
"""How many incidents one act may settle: they are written down in one commit."""
ACTS = ("retry", "skip", "amend")
_LONGEST_HOST = 255
_BEGIN = (
    "INSERT INTO bulk_act (act, criteria, new_host, actor, reason, begun_at, total, done, settled, refused, state, "
    "changed_at, changed_by, changed_reason, leased_by, leased_until) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 'running', ?, '', '', '', ?) RETURNING number"
)
_ITEMS = (
    "INSERT INTO bulk_act_item (act_number, place, instance_id, seq, position, event, since, outcome, why) "
    f"SELECT {{}}, ROW_NUMBER() OVER (ORDER BY {incident_rows.ORDER}), instance_id, seq, position, event, due_at, '', "
    "'' FROM ({}) k"
)
_CHANGE = (
    "UPDATE bulk_act SET state = ?, changed_at = ?, changed_by = ?, changed_reason = ?, leased_by = '', "
    "leased_until = ? WHERE number = ? AND state = ?"
)


def begin(engine: Engine, act: str, criteria: Criteria, actor: Actor, reason: str, *, new_host: str = "") -> BulkAct:
    """Begin to retry, skip or amend all incidents that meet the criteria now; the workers carry it on.

    Amending needs `criteria.host`, and replaces it by `new_host` in the address of each recipient. `reason` is kept for
    ever, so it must name no person. Raises EventNotPossible where there is no reason, no such act, no incident that it
    can settle, or more than `MOST`; Busy.
    """
    reason = given_reason(one_line(reason) and reason)
    if act not in ACTS:
        raise EventNotPossible(f"There is no act {act!r}: expected one of {', '.join(ACTS)}.")
    new_host = new_host.strip().lower()
    if act == "amend" and not (criteria.host and new_host):
        raise EventNotPossible("Amending many needs the wrong mail host and the correct one.")
    if act == "amend" and ("@" in new_host or len(new_host) > _LONGEST_HOST or new_host != storable(new_host)):
        raise EventNotPossible(f"{new_host!r} is no mail host: expected one as in example.jp.")
    narrowed = replace(criteria, act=act)
    with engine.store.begin() as unit:
        now = engine.store.now()
        total = incident_rows.count(unit, narrowed)
        if not total:
            raise EventNotPossible("There is no such incident (any more).")
        if total > MOST:
            raise EventNotPossible(f"There are {total} such incidents: one act may settle {MOST}. Narrow the criteria.")
        written = to_db(now)
        host = new_host if act == "amend" else ""
        number = unit.rows(
            _BEGIN, (act, criteria_text(narrowed), host, str(actor), reason, written, total, written, written)
        )[0][0]
        sql, params = incident_rows.keys(narrowed)
        count = unit.changed(_ITEMS.format(int(number), sql), params)
        if count != total:  # where others have settled one in between
            unit.write("UPDATE bulk_act SET total = ? WHERE number = ?", (count, number))
        begun = _read(unit, number)
        engine.store.commit(unit)
    log.warning("bulk act %d begins: %s %d incidents, by %s: %s", number, act, count, actor, one_line(reason))
    engine.tell(Committed(next_due=now))
    return begun


def stop(engine: Engine, number: int, actor: Actor, reason: str) -> BulkAct:
    """Stop an act: no further incident is settled, besides one that is being settled at this moment.

    Raises EventNotPossible where it is not running or there is no reason.
    """
    return _change(engine, number, "running", "stopped", actor, reason)


def resume(engine: Engine, number: int, actor: Actor, reason: str) -> BulkAct:
    """Let a stopped act go on with what is left. Raises EventNotPossible where it is not stopped or there is no
    reason."""
    resumed = _change(engine, number, "stopped", "running", actor, reason)
    engine.tell(Committed(next_due=resumed.changed_at))
    return resumed


def _change(engine: Engine, number: int, before: str, after: str, actor: Actor, reason: str) -> BulkAct:
    reason = given_reason(one_line(reason) and reason, "it is kept with the act")
    with engine.store.begin() as unit:
        now = to_db(engine.store.now())
        if not unit.changed(_CHANGE, (after, now, str(actor), reason, now, number, before)):
            raise EventNotPossible(f"There is no bulk act {number} that is {before}.")
        changed = _read(unit, number)
        engine.store.commit(unit)
    log.warning("bulk act %d is %s by %s: %s", number, after, actor, one_line(reason))
    return changed


def _read(unit: Unit, number: int) -> BulkAct:
    return act_of(unit, unit.rows(f"SELECT {ACT} FROM bulk_act b WHERE b.number = ?", (number,))[0])
