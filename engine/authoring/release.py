"""Releases: a released definition does not change (I7). Its digest is compared with that of the version's release."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import timedelta
from functools import lru_cache
from itertools import chain
from typing import Any

from engine.canonical import canonical
from engine.definition import HOLDER, Effect, Start, Timer, Transition, Workflow
from engine.errors import DefinitionChanged
from engine.rules import rule_name
from engine.runtime.definitions import KEPT, RESTARTED
from engine.store.base import SiteDatabase, transaction


def _effect(effect: Effect) -> list[Any]:
    link = effect.link if effect.link not in ("", HOLDER) else bool(effect.link)
    return [effect.kind, effect.name, effect.to, effect.done or "", link, *([effect.cc] if effect.cc else ())]


def _timer(timer: Timer) -> list[Any]:
    time = rule_name(timer.at) if timer.at is not None else (timer.after or timedelta(0)).total_seconds()
    chosen = {"missed": timer.missed, "while_paused": timer.while_paused}
    more = {name: value for name, value in chosen.items() if value != _TIMER_DEFAULTS[name]}
    return [timer.event, time, *([more] if more else ())]


_TIMER_DEFAULTS = {part.name: part.default for part in fields(Timer)}


def _way(way: Start | Transition) -> dict[str, Any]:
    return {
        "allow": way.allow.name,
        "guards": [rule_name(guard) for guard in way.guards],
        "writes": [rule_name(write) for write in way.writes],
        "effects": [_effect(effect) for effect in way.effects],
        "conflicts": [[conflict.index, conflict.refusal.code] for conflict in way.conflicts],
        "keep": list(way.keep),
    }


def _resend(transition: Transition) -> dict[str, Any]:
    """The digest's part for a resend; empty without one, because resends are younger than the first releases."""
    resend = transition.resend
    if resend is None:
        return {}
    soonest = resend.not_sooner.total_seconds() if resend.not_sooner is not None else None
    return {"resend": [resend.link, resend.most, soonest, resend.corrects]}


@lru_cache(maxsize=128)  # definitions do not change; a process that builds several sites asks each of them again
def digest(workflow: Workflow) -> str:
    """The SHA-256 of what a definition means, as 64 hexadecimal digits. Titles, docstrings and the place in a file do
    not count."""
    content = {
        "name": workflow.name,
        "version": workflow.version,
        "link": workflow.link,
        "start": {"state": workflow.start.state, **_way(workflow.start)},
        "states": [[state.name, state.final, [_timer(timer) for timer in state.timers]] for state in workflow.states],
        "transitions": [
            {
                "event": transition.event,
                "sources": list(transition.sources),
                "target": transition.target,
                "renew_link": transition.renew_link,
                **_resend(transition),
                **({"restarts": list(transition.restarts)} if transition.restarts else {}),
                **_way(transition),
            }
            for transition in workflow.transitions
        ],
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def release(db: SiteDatabase, workflows: Iterable[Workflow], *, looks: bool = False) -> None:
    """Record the digest of each definition that runs here for the first time. Idempotent. Raises DefinitionChanged
    where a version was released with another digest. Who only `looks` compares, and records nothing.

    Which timers are deadlines is no part of it. Where a definition calls others so than before, the deadlines that the
    rows of its instances hold count no more, and are worked out anew.
    """
    running = list(workflows)
    with db.bound(), transaction():
        released = _released(db)
        new = [workflow for workflow in running if (workflow.name, workflow.version) not in released]
        if looks:
            running = [workflow for workflow in running if workflow not in new]
        elif new:
            _record(db, new)
            released = _released(db)  # another machine may have recorded one of them meanwhile
        for workflow in running:
            made, deadlines = released[workflow.name, workflow.version]
            if made != digest(workflow):
                raise DefinitionChanged(
                    f"{workflow.where}: workflow {workflow.name!r} version {workflow.version} was changed after its "
                    "release, and instances run on it: give the changed definition a new version and keep the old one."
                )
            if deadlines != _deadlines(workflow) and not looks:
                _note_deadlines(db, workflow, deadlines)


def _deadlines(workflow: Workflow) -> str:
    return canonical(dict(workflow.deadlines))


def _released(db: SiteDatabase) -> dict[tuple[str, int], tuple[str, str]]:
    """The digest and the deadlines of each released definition, by its name and version."""
    rows = db.execute_sql("SELECT name, version, digest, deadlines FROM definition").fetchall()
    return {(name, version): (made, deadlines) for name, version, made, deadlines in rows}


def _record(db: SiteDatabase, workflows: Sequence[Workflow]) -> None:
    """Record definitions, unless another machine does so first. In a fixed order, so that no two machines wait for each
    other."""
    rows = [
        (one.name, one.version, digest(one), RESTARTED if one.restarts_timers else KEPT, _deadlines(one))
        for one in sorted(workflows, key=lambda one: (one.name, one.version))
    ]
    marks = ", ".join([f"({', '.join([db.param] * len(rows[0]))})"] * len(rows))
    db.execute_sql(
        f"INSERT INTO definition (name, version, digest, timer_rules, deadlines) VALUES {marks} ON CONFLICT DO NOTHING",
        tuple(chain.from_iterable(rows)),
    )


def _note_deadlines(db: SiteDatabase, workflow: Workflow, before: str) -> None:
    """Record which timers are deadlines now; `before` is empty where the version was released before that was noted."""
    mark, pinned = db.param, (workflow.name, workflow.version)
    db.execute_sql(
        f"UPDATE definition SET deadlines = {mark} WHERE name = {mark} AND version = {mark}",
        (_deadlines(workflow), *pinned),
    )
    if before:
        db.execute_sql(
            f"UPDATE instance SET deadline_seq = 0 WHERE workflow = {mark} AND version = {mark} "
            "AND deadline_seq >= seq",
            pinned,
        )
