"""The backlog: which work is due and waits, for how long, and what was given up. Read-only.

It is polled every few seconds. So each query reads an index of open work from its beginning and counts up to `MOST`: it
costs the same with a million instances, and a flood of work cannot make the polling a burden of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from engine.operations import pauses
from engine.runtime.engine import Engine
from engine.store import outbox_reports
from engine.store.base import from_db, to_db

MOST = 10_000

TIMERS = (
    "SELECT COUNT(*), MIN(t.wake_at) FROM "
    f"(SELECT wake_at FROM timer WHERE wake_at <= ? ORDER BY wake_at LIMIT {MOST}) t"
)
OUTBOX = outbox_reports.depths(MOST)
EFFECT_INCIDENTS = outbox_reports.count_incidents(MOST)
TIMER_INCIDENTS = f"SELECT COUNT(*) FROM (SELECT 1 FROM timer WHERE failures > 0 LIMIT {MOST}) t"


@dataclass(frozen=True, slots=True)
class Backlog:
    """The backlog at one moment. Each count stops at `MOST`; a lag is zero where nothing is late.

    `outbox` counts effects by `due` (to be tried now), `later` (deferred), `leased` (being tried), `paused` and
    `blocked` (behind an earlier one of their instance and channel). `outbox_lag` is for how long the oldest due effect
    has been due. `pauses` counts lasting pauses, by "instance", "workflow" and "channel". `mails_put_off` counts mails
    that were tried often and wait to be tried again, as where the mail server is down: none of them is late.
    """

    timers_due: int
    timer_lag: timedelta
    outbox: Mapping[str, int]
    outbox_lag: timedelta
    effect_incidents: int
    timer_incidents: int
    pauses: Mapping[str, int]
    mails_put_off: int = 0


def why_put_off(engine: Engine) -> str:
    """What the last of the mails that were put off has heard; "" where there is none."""
    with engine.store.reading() as unit:
        rows = unit.rows(outbox_reports.LAST_PUT_OFF)
    return str(rows[0][0]) if rows else ""


def backlog(engine: Engine) -> Backlog:
    """The present backlog, by the database's clock. Read-only."""
    now = engine.store.now()
    with engine.store.reading() as unit:
        timers, outbox, effects, broken, *paused = unit.rows_of(
            [
                (TIMERS, (to_db(now),)),
                (OUTBOX, (to_db(now),)),
                (EFFECT_INCIDENTS, ()),
                (TIMER_INCIDENTS, ()),
                *((pauses.COUNT, (kind,)) for kind in pauses.KINDS),
            ]
        )
    depth = dict.fromkeys(("due", "later", "leased", "blocked", "paused"), 0)
    oldest, put_off = now, 0
    for state, blocked, due, halted, count, due_at, tried in outbox:
        # A lease that ran out is work again: its worker died.
        waiting = "leased" if state == "leased" else "paused" if halted else "later"
        kind = "blocked" if blocked else "due" if due else waiting
        depth[kind] += count
        put_off += int(tried)
        if kind == "due":
            oldest = min(oldest, from_db(due_at))
    return Backlog(
        timers_due=timers[0][0],
        timer_lag=_lag(timers[0][1], now),
        outbox=depth,
        outbox_lag=now - oldest,
        effect_incidents=effects[0][0],
        timer_incidents=broken[0][0],
        pauses={kind: rows[0][0] for kind, rows in zip(pauses.KINDS, paused, strict=True)},
        mails_put_off=put_off,
    )


def _lag(since: Any, now: datetime) -> timedelta:
    return max(now - from_db(since), timedelta(0)) if since is not None else timedelta(0)
