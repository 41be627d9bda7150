"""A transition back into its own state: which of its timers run on, and which begin anew (docs/time.md)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.attempt import Attempt
from engine.authoring.release import digest, release
from engine.definition import ALL_TIMERS, ANYONE, SYSTEM, Effect, Start, State, Timer, Transition, Workflow
from engine.runtime.definitions import KEPT, RESTARTED
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase
from engine.testing import Clock
from engine.text import _
from tests.kit.timers import HOUR, SECRET, VISITOR, begin, due_in

OFFER = Workflow(
    name="offer",
    version=1,
    start=Start("open", effects=(Effect("letter", "offer", done="arrived"),)),
    states=(
        State("open", timers=(Timer("remind", 12 * HOUR), Timer("expire", 24 * HOUR))),
        State("expired", final=True),
    ),
    transitions=(
        Transition("remind", ("open",), "open", SYSTEM),
        Transition("resend", ("open",), "open", ANYONE, title=_("申込")),
        Transition("extend", ("open",), "open", ANYONE, title=_("申込"), restarts=("expire",)),
        Transition("begin_anew", ("open",), "open", ANYONE, title=_("申込"), restarts=ALL_TIMERS),
        Transition("arrived", ("open",), "open", SYSTEM),
        Transition("expire", ("open",), "expired", SYSTEM),
    ),
)
OLD = replace(OFFER, restarts_timers=True)


def engine_on(db: SiteDatabase, clock: Clock, workflow: Workflow = OFFER) -> Engine:
    return Engine(db, [workflow], secret=SECRET, clock=clock)


def come_back(engine: Engine, clock: Clock, number: int, how: str) -> None:
    """A transition into its own state: that of "a person", or that of "the reminder" when it is due."""
    if how == "a person":
        engine.fire(number, "resend", VISITOR)
    else:
        clock.forward(hours=12)
        engine.run_due()


def test_a_reminder_does_not_keep_the_end_from_coming(db: SiteDatabase, clock: Clock) -> None:
    """Remind every 12 hours, expire after 24: whether or not anything runs in between."""
    engine = engine_on(db, clock)
    watched, alone = begin(engine, "offer"), begin(engine, "offer")
    for _hour in range(25):
        clock.forward(hours=1)
        engine.catch_up.of(watched, counts=False)
    engine.run_due()
    reminders = {watched: ["remind", "remind"], alone: ["remind"]}  # at 24 hours it comes first, being written first
    for number, events in reminders.items():
        assert [entry.event for entry in engine.history(number)] == ["start", *events, "expire"]
        assert engine.verify(number) == []


def test_a_resend_every_23_hours_keeps_nothing_alive(db: SiteDatabase, clock: Clock) -> None:
    engine = engine_on(db, clock)
    number = begin(engine, "offer")
    clock.forward(hours=23)
    engine.fire(number, "resend", VISITOR)
    assert due_in(engine, number) == {"remind": 24, "expire": 24}
    clock.forward(hours=1)
    assert engine.look(number).state.name == "expired"


def test_what_is_restarted_is_named(db: SiteDatabase, clock: Clock) -> None:
    engine = engine_on(db, clock)
    number = begin(engine, "offer")
    clock.forward(hours=5)
    engine.fire(number, "extend", VISITOR)
    assert due_in(engine, number) == {"remind": 12, "expire": 29}
    clock.forward(hours=2)
    engine.fire(number, "begin_anew", VISITOR)
    assert due_in(engine, number) == {"remind": 19, "expire": 31}
    engine.complete(number, 1, 0, OFFER.effects["offer"])
    assert due_in(engine, number) == {"remind": 19, "expire": 31}
    assert engine.verify(number) == []


def test_a_person_who_reminds_by_hand_leaves_the_reminders_where_they_were(db: SiteDatabase, clock: Clock) -> None:
    by_hand = replace(OFFER.transitions[0], allow=ANYONE)
    engine = engine_on(db, clock, replace(OFFER, transitions=(by_hand, *OFFER.transitions[1:])))
    number = begin(engine, "offer")
    clock.forward(hours=5)
    engine.fire(number, "remind", VISITOR)
    assert due_in(engine, number) == {"remind": 12, "expire": 24}


@pytest.mark.parametrize("how", ["a person", "the reminder"])
def test_a_timer_that_somebody_moved_is_not_sealed_by_a_return(db: SiteDatabase, clock: Clock, how: str) -> None:
    engine = engine_on(db, clock)
    number = begin(engine, "offer")
    db.execute_sql("UPDATE timer SET due_at = '2026-09-01 00:00:00.000000' WHERE event = 'expire'")
    come_back(engine, clock, number, how)
    (fault,) = engine.verify(number)
    assert fault.startswith("the timer 'expire' is due at 2026-09-01 00:00:00.000000, history says 2026-04-02 09:00:00")


def test_a_version_of_a_database_from_before_goes_on_as_it_was(db: SiteDatabase, clock: Clock) -> None:
    """A process of the version before writes no rule; `release` of this one leaves what it wrote."""
    db.execute_sql(f"INSERT INTO definition (name, version, digest) VALUES ('offer', 1, '{digest(OFFER)}')")
    release(db, [OFFER])
    engine = engine_on(db, clock)
    number = begin(engine, "offer")
    clock.forward(hours=5)
    engine.fire(number, "resend", VISITOR)
    assert due_in(engine, number) == {"remind": 17, "expire": 29}
    clock.forward(hours=12)
    assert engine.look(number).state.name == "open"
    engine.run_due()
    assert due_in(engine, number) == {"remind": 29, "expire": 41}
    assert engine.verify(number) == []


@pytest.mark.parametrize(("workflow", "rule"), [(OFFER, KEPT), (OLD, RESTARTED)])
def test_what_is_released_now_says_which_rule_it_has(
    db: SiteDatabase, clock: Clock, workflow: Workflow, rule: int
) -> None:
    release(db, [workflow])
    assert db.execute_sql("SELECT timer_rules FROM definition WHERE name = 'offer'").fetchone()[0] == rule
    engine = engine_on(db, clock, workflow)
    number = begin(engine, "offer")
    clock.forward(hours=5)
    engine.fire(number, "resend", VISITOR)
    assert due_in(engine, number) == ({"remind": 12, "expire": 24} if rule == KEPT else {"remind": 17, "expire": 29})


def test_the_rule_is_asked_for_once(db: SiteDatabase, clock: Clock) -> None:
    release(db, [OLD])
    engine = engine_on(db, clock, OLD)
    number = begin(engine, "offer")
    engine.fire(number, "resend", VISITOR)
    db.execute_sql("DELETE FROM definition")
    clock.forward(hours=5)
    engine.fire(number, "resend", VISITOR)
    assert due_in(engine, number) == {"remind": 17, "expire": 29}


def test_the_digest_names_only_what_is_not_as_by_default() -> None:
    plain = digest(OFFER)
    assert digest(replace(OFFER, restarts_timers=True)) == plain
    state, transition = OFFER.states[0], OFFER.transitions[1]
    timer = state.timers[0]

    def of(**changes: object) -> str:
        timers = (replace(timer, **changes), *state.timers[1:])  # type: ignore[arg-type]
        return digest(replace(OFFER, states=(replace(state, timers=timers), *OFFER.states[1:])))

    assert of(missed="once", while_paused="runs") == plain
    assert len({plain, of(missed="each"), of(missed="skip"), of(while_paused="stands")}) == 4
    ways = (OFFER.transitions[0], replace(transition, restarts=("remind",)), *OFFER.transitions[2:])
    assert digest(replace(OFFER, transitions=ways)) != plain


def test_a_timer_that_was_cancelled_is_not_made_by_a_return(db: SiteDatabase, clock: Clock) -> None:
    """Its history says that it is not there; it stays so until something restarts it."""
    state = OFFER.states[0]
    without = replace(OFFER, states=(replace(state, timers=state.timers[:1]), *OFFER.states[1:]))
    number = begin(engine_on(db, clock, without), "offer")
    engine = engine_on(db, clock)
    engine.fire(number, "resend", VISITOR)
    assert due_in(engine, number) == {"remind": 12}
    engine.fire(number, "extend", VISITOR)
    assert due_in(engine, number) == {"remind": 12, "expire": 24}
    assert engine.verify(number) == []


@pytest.mark.parametrize("how", ["a person", "the reminder"])
def test_a_timer_that_was_lost_is_put_back_by_a_return(db: SiteDatabase, clock: Clock, how: str) -> None:
    """Else the entry of the return would seal that it is not there."""
    engine = engine_on(db, clock)
    number = begin(engine, "offer")
    db.execute_sql("DELETE FROM timer WHERE event = 'expire'")
    come_back(engine, clock, number, how)
    assert due_in(engine, number)["expire"] == 24
    assert engine.verify(number) == []


def test_a_rule_for_the_time_is_not_asked_where_it_runs_on(db: SiteDatabase, clock: Clock) -> None:
    asked: list[str] = []

    def tomorrow(attempt: Attempt):  # type: ignore[no-untyped-def]
        asked.append(attempt.event)
        return attempt.at + 24 * HOUR

    timers_ = (OFFER.states[0].timers[0], Timer("expire", at=tomorrow))
    engine = engine_on(db, clock, replace(OFFER, states=(replace(OFFER.states[0], timers=timers_), OFFER.states[1])))
    number = begin(engine, "offer")
    clock.forward(hours=1)
    for event in ("resend", "extend"):
        engine.fire(number, event, VISITOR)
    assert asked == ["start", "extend"]
