"""What a pause means to an effect: whether the effect is halted, and for how long it was."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from engine.definition import Effect, Instance
from engine.outcomes import Claim
from engine.runtime.engine import Engine
from engine.runtime.pauses.rows import PAUSE, alone, open_pause, pause_of, put_off_rows
from engine.runtime.pauses.scopes import OneChannel, OneInstance, Scope
from engine.store import outbox_rows
from engine.store.base import NEVER, Unit, from_db, to_db, version_target


def time_paused(unit: Unit, instance: Instance, effect: Effect, begun: datetime, now: datetime) -> timedelta:
    """For how long pauses halted an effect between `begun` and `now`. Times that overlap count once."""
    targets = _halting(instance, effect)
    marks = ", ".join("?" * len(targets))
    rows = unit.rows(
        f"SELECT since, ended_at FROM pause WHERE target IN ({marks}) AND since < ? "
        "AND (ended_at IS NULL OR ended_at > ?)",
        (*targets, to_db(now), to_db(begun)),
    )
    return covered(((from_db(since), from_db(end) if end is not None else now) for since, end in rows), begun, now)


def covered(spans: Iterable[tuple[datetime, datetime]], begun: datetime, now: datetime) -> timedelta:
    """How much of the time between `begun` and `now` lies in at least one of the spans."""
    total, reached = timedelta(0), begun
    for since, until in sorted(spans):
        start, end = max(since, reached), min(until, now)
        if end > start:
            total += end - start
            reached = end
    return total


def halting(unit: Unit, instance: Instance, effect: Effect | None) -> Scope | None:
    """The pause scope that halts an effect of this instance (its instance, its version or its channel); None where
    nothing does. Callers know already that something of the kind is paused."""
    targets = _halting(instance, effect)
    marks = ", ".join("?" * len(targets))
    rows = unit.rows(
        f"SELECT {PAUSE} FROM pause p WHERE p.ended_at IS NULL AND p.target IN ({marks}) ORDER BY p.number LIMIT 1",
        targets,
    )
    return pause_of(rows[0]).scope if rows else None


def _halting(instance: Instance, effect: Effect | None) -> tuple[str, ...]:
    of_instance = (str(OneInstance(instance.id)), version_target(instance.workflow, instance.version))
    if effect is None:
        return of_instance
    return (*of_instance, str(OneChannel(effect.kind)), str(OneChannel(effect.kind, effect.to)))


def give_back(engine: Engine, claim: Claim, scope: Scope) -> None:
    """Return the lease of a halted effect, as if it had never been claimed. Whatever else of the same scope is due is
    put off, so that it need not be claimed row by row."""
    with engine.store.begin() as unit:
        lasts = _still_lasts(engine, unit, scope)
        now = to_db(engine.store.now())
        outbox_rows.give_back(unit, claim, engine.worker, NEVER if lasts else now)
        engine.store.commit(unit)
    if lasts:
        put_off(engine, scope, now)


def put_off(engine: Engine, scope: Scope, until: str) -> None:
    """Put off what a pause halts: nothing of it that is due by `until` is looked at before the pause ends. In several
    commits; idempotent."""
    more = True
    while more:
        with engine.store.begin() as unit:
            more = _still_lasts(engine, unit, scope) and put_off_rows(unit, scope, until)
            engine.store.commit(unit)


def _still_lasts(engine: Engine, unit: Unit, scope: Scope) -> bool:
    """Whether the pause lasts, and will until the unit ends. Rows that were put off after the pause ended would stay so
    for ever."""
    if isinstance(scope, OneInstance):
        engine.store.open(unit, scope.number)
    else:
        alone(unit, scope)
    return open_pause(unit, scope) is not None
