"""Extensions of plugins: part of the step and of its commit, named in history, and nobody's harm (I1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.authoring.release import digest
from engine.definition import Actor, Attempt, ExtensionPoint, Refusal, Retry, Timer, Workflow
from engine.delivery import Accepted, Delivery, Outcome
from engine.errors import ConfigurationError, ExtensionFailed, InvalidDefinition, Refused
from engine.extension import Extension, ExtensionContext, ExtensionEffect
from engine.migration import Migration
from engine.operations import extension_times
from engine.operations.incidents import incidents
from engine.operations.rollout import carry_out
from engine.runtime.engine import Engine
from engine.runtime.extending import SLOW, ExtensionStanding
from engine.runtime.history import TookPart, extensions_of
from engine.store.base import SiteDatabase
from engine.testing import Clock
from tests.kit.extended import (
    ONE_EACH,
    PING,
    TAKEN,
    TITLE,
    Bonus,
    bonuses,
    extended_by,
    lending,
    loan,
    make_bonus_table,
    note,
)
from tests.kit.handlers import VISITOR, Handler
from tests.kit.raw_sql import sql

NOT_NOW = Refusal("not_now", TITLE)


@pytest.fixture(autouse=True)
def _table(db: SiteDatabase) -> None:
    make_bonus_table(db)


def no(context: ExtensionContext) -> Refusal | None:
    return NOT_NOW


def yes(context: ExtensionContext) -> Refusal | None:
    return None


def breaks(context: ExtensionContext) -> None:
    note(context)
    raise ZeroDivisionError("its words are not told")


def breaks_a_guard(context: ExtensionContext) -> Refusal | None:
    raise ZeroDivisionError


def took_part(engine: Engine, number: int) -> list[tuple[str, ...]]:
    return [tuple(str(one) for one in extensions_of(entry)) for entry in engine.history(number)]


def rows(db: SiteDatabase) -> tuple[int, int, int]:
    """How many rows there are of history, of the outbox and of the plugin."""
    counted = [sql(db, f"SELECT count(*) FROM {table}")[0][0] for table in ("history", "outbox", "bonus")]
    return counted[0], counted[1], counted[2]


# -- what it is --------------------------------------------------------------------------------------------------------


def test_its_write_and_its_effect_are_of_the_same_commit_and_history_names_it(db: SiteDatabase, clock: Clock) -> None:
    told: list[Delivery] = []

    def takes(delivery: Delivery) -> Outcome:
        told.append(delivery)
        return Accepted()

    handler = Handler(answer=takes)
    dispatcher = extended_by(db, clock, handler, bonus=lending(), also=lending(writes=(), effects=(), guards=(yes,)))
    engine = dispatcher.engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    engine.fire(number, "lend", VISITOR, "gladly")
    assert bonuses(db) == [(number, "lend", "asked>lent gladly")]
    assert took_part(engine, number) == [(), ("bonus (points 1.2)", "also (points 1.2)")]
    dispatcher.drain()
    assert [(one.kind, one.name, one.figures) for one in told] == [
        ("ping", "bonus", {"about": "device:1", "to": "lent"})
    ]
    assert len(handler.keys) == 1
    assert engine.verify(number) == []


def test_a_point_is_no_part_of_the_digest() -> None:
    without = loan()
    object.__setattr__(without, "extension_points", ())
    assert digest(loan()) == digest(without)


def test_an_extension_takes_part_at_its_own_point_alone(db: SiteDatabase, clock: Clock) -> None:
    everywhere = {point: Extension("loan", point, writes=(note,)) for point in ("asking", "lending", "ending")}
    engine = extended_by(db, clock, Handler(), loan(), loan(name="other"), extensions=everywhere).engine
    for name in ("loan", "other"):
        for end in ("return", "keep"):
            number = engine.start(name, "device:1", VISITOR, "words").instance_id
            engine.fire(number, "lend", VISITOR)
            engine.fire(number, end, VISITOR)
    told = [(event, words) for _number, event, words in bonuses(db)]
    assert told == [
        ("start", ">asked words"),
        ("lend", "asked>lent nothing"),
        ("return", "lent>back None"),
        ("start", ">asked words"),
        ("lend", "asked>lent nothing"),
    ]


def test_it_sees_who_acts_and_no_proof(db: SiteDatabase, clock: Clock) -> None:
    seen: list[ExtensionContext] = []
    engine = extended_by(db, clock, Handler(), bonus=lending(writes=(seen.append,), effects=())).engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    engine.fire(number, "lend", Actor("account", "5", proof="secret"))
    (context,) = seen
    assert (context.actor, context.actor.proof) == (Actor("account", "5"), "")
    assert (context.workflow, context.version, context.instance_id, context.about) == ("loan", 1, number, "device:1")
    assert (context.point, context.event, context.source, context.target) == ("lending", "lend", "asked", "lent")
    assert context.at == clock()


def test_facts_are_told_anew_after_the_writes_of_the_workflow(db: SiteDatabase, clock: Clock) -> None:
    def write(attempt: Attempt) -> None:
        attempt.records.insert(Bonus, instance=attempt.instance.id, event="of the workflow")

    def facts(attempt: Attempt) -> bool:
        return attempt.records.exists(Bonus, instance=attempt.instance.id)

    def see(context: ExtensionContext) -> None:
        seen.append(context.facts)

    seen: list[bool] = []
    ways = tuple(replace(way, writes=(write,)) for way in loan().transitions)
    points = (ExtensionPoint("lending", ("lend",), facts=facts),)
    workflow = replace(loan(), transitions=ways, extension_points=points)
    engine = extended_by(db, clock, Handler(), workflow, bonus=lending(guards=(see,), writes=(see,), effects=())).engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    engine.fire(number, "lend", VISITOR)
    assert seen == [False, True]


def test_an_effect_without_figures_for_a_step_is_not_put(db: SiteDatabase, clock: Clock) -> None:
    maybe = ExtensionEffect("ping", "maybe", lambda context: {} if context.about == "device:2" else None)
    handler = Handler()
    dispatcher = extended_by(db, clock, handler, bonus=lending(writes=(), effects=(maybe,)))
    for about in ("device:1", "device:2"):
        number = dispatcher.engine.start("loan", about, VISITOR).instance_id
        dispatcher.engine.fire(number, "lend", VISITOR)
    dispatcher.drain()
    assert len(handler.keys) == 1


# -- guards ------------------------------------------------------------------------------------------------------------


def test_a_guard_refuses_in_the_words_of_the_plugin_and_nothing_is_kept(db: SiteDatabase, clock: Clock) -> None:
    engine = extended_by(db, clock, Handler(), bonus=lending(guards=(no,))).engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    before = rows(db)
    with pytest.raises(Refused) as refused:
        engine.fire(number, "lend", VISITOR)
    assert refused.value.refusals == (NOT_NOW,)
    assert rows(db) == before
    assert engine.look(number).state.name == "asked"


def test_guards_of_a_start_are_asked(db: SiteDatabase, clock: Clock) -> None:
    engine = extended_by(db, clock, Handler(), bonus=Extension("loan", "asking", guards=(no,))).engine
    with pytest.raises(Refused):
        engine.start("loan", "device:1", VISITOR)
    with pytest.raises(Refused):
        engine.preview_start("loan", "device:1", VISITOR)
    assert rows(db) == (0, 0, 0)


def test_guards_count_where_somebody_looks_and_reading_changes_nothing(db: SiteDatabase, clock: Clock) -> None:
    engine = extended_by(db, clock, Handler(), bonus=lending(guards=(no,))).engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    before = rows(db)
    assert engine.allowed(number, VISITOR) == ()
    assert engine.choices(number, VISITOR).refusals == (NOT_NOW,)
    (explained,) = [one for one in engine.explain(number, VISITOR) if one.event == "lend"]
    assert explained.reasons == (NOT_NOW,)
    with pytest.raises(Refused):
        engine.preview(number, "lend", VISITOR)
    assert rows(db) == before


def test_a_preview_goes_the_whole_way_and_leaves_nothing(db: SiteDatabase, clock: Clock) -> None:
    engine = extended_by(db, clock, Handler(), bonus=lending(), other=lending(writes=(breaks,), effects=())).engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    before = rows(db)
    assert engine.preview(number, "lend", VISITOR).target == "lent"
    assert rows(db) == before
    assert all(one.reason == "" and one.steps == 0 for one in engine.extensions.standings())


def test_guards_of_the_workflow_come_first(db: SiteDatabase, clock: Clock) -> None:
    asked: list[ExtensionContext] = []

    def counts(context: ExtensionContext) -> None:
        asked.append(context)

    engine = extended_by(db, clock, Handler(), bonus=lending(guards=(counts,))).engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    with pytest.raises(Refused):
        engine.fire(number, "lend", VISITOR, "late")
    assert asked == []


def test_what_the_site_does_by_itself_no_guard_refuses(db: SiteDatabase, clock: Clock) -> None:
    engine = extended_by(db, clock, Handler(), bonus=lending(guards=(no,))).engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    clock.forward(days=2)
    engine.run_due()
    assert engine.look(number).state.name == "lent"
    assert bonuses(db) == [(number, "lend_by_itself", "asked>lent nothing")]


def test_the_refusals_of_two_stand_in_the_order_of_their_plugins(db: SiteDatabase, clock: Clock) -> None:
    second = Refusal("second", TITLE)
    extensions = {"z": lending(guards=(no,)), "a": lending(guards=(lambda context: second,))}
    engine = extended_by(db, clock, Handler(), extensions=extensions).engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    with pytest.raises(Refused) as refused:
        engine.fire(number, "lend", VISITOR)
    assert refused.value.refusals == (NOT_NOW, second)


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def told() -> list[ExtensionStanding]:
    return []


def watched(engine: Engine, told: list[ExtensionStanding]) -> Engine:
    engine.extensions.told = told.append
    return engine


@pytest.mark.parametrize(
    "broken",
    [
        lending(writes=(breaks,)),
        lending(guards=(breaks_a_guard,)),
        lending(guards=(lambda context: "no",)),
        lending(effects=(ExtensionEffect("ping", "bonus", lambda context: {"a": object()}),)),
        lending(effects=(ExtensionEffect("ping", "bonus", lambda context: [1]),)),  # type: ignore[arg-type,return-value]
        lending(writes=(lambda context: context.records.insert(Workflow, name="x"),)),
        lending(writes=(note, lambda context: context.records.insert(Bonus, instance=None, event="null"))),
        lending(writes=(note, note)),
    ],
    ids=["write", "guard", "verdict", "figures", "list", "foreign table", "no value", "its own index"],
)
def test_a_step_is_done_without_one_that_raises_and_an_incident_names_it(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding], broken: Extension
) -> None:
    handler = Handler()
    dispatcher = extended_by(db, clock, handler, broken=broken, sound=lending(writes=(), effects=(PING,)))
    engine = watched(dispatcher.engine, told)
    number = engine.start("loan", "device:1", VISITOR).instance_id
    engine.fire(number, "lend", VISITOR)
    assert engine.look(number).state.name == "lent"
    assert bonuses(db) == []
    entry = engine.history(number)[-1]
    assert [one for one in extensions_of(entry) if one.left_out] == [TookPart("broken", "points", "1.2", left_out=True)]
    (standing,) = told
    assert standing.installed.name == "broken"
    assert f"instance {number}" in standing.reason
    assert "words" not in standing.reason
    assert not standing.is_left_out
    dispatcher.drain()
    assert len(handler.keys) == 1
    assert engine.verify(number) == []


def test_a_start_is_done_without_one_that_raises(db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]) -> None:
    engine = watched(
        extended_by(db, clock, Handler(), broken=Extension("loan", "asking", writes=(breaks,))).engine, told
    )
    number = engine.start("loan", "device:1", VISITOR, key="once").instance_id
    assert engine.start("loan", "device:1", VISITOR, key="once").repeated
    assert rows(db)[2] == 0
    assert [one.left_out for one in extensions_of(engine.history(number)[0])] == [True]
    assert "a start of loan" in told[0].reason


def test_timers_of_many_fire_without_one_that_raises_at_one_of_them(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]
) -> None:
    def breaks_once(context: ExtensionContext) -> None:
        note(context)
        if context.about == "device:3":
            raise ZeroDivisionError

    engine = watched(extended_by(db, clock, Handler(), broken=lending(writes=(breaks_once,))).engine, told)
    numbers = [engine.start("loan", f"device:{number}", VISITOR).instance_id for number in range(6)]
    clock.forward(days=2)
    assert engine.run_due() == 6
    assert [engine.look(number).state.name for number in numbers] == ["lent"] * 6
    assert [number for number, _event, _words in bonuses(db)] == [one for one in numbers if one != numbers[3]]
    assert len(told) == 1


def test_a_timer_that_has_failed_before_fires_without_one_that_raises(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]
) -> None:
    """Such an instance has a savepoint of its own among others."""
    engine = watched(extended_by(db, clock, Handler(), broken=lending(writes=(breaks,))).engine, told)
    numbers = [engine.start("loan", f"device:{number}", VISITOR).instance_id for number in range(2)]
    sql(db, "UPDATE timer SET failures = 1 WHERE instance_id = ?", numbers[0])
    clock.forward(days=2)
    assert engine.run_due() == 2
    assert len(told) == 2


def test_timers_of_many_fire_where_the_commit_tells_of_the_fault(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]
) -> None:
    """On PostgreSQL the writes of many travel together: the database tells of a wrong one when all are sent."""

    def breaks_late(context: ExtensionContext) -> None:
        instance = None if context.about == "device:3" else context.instance_id
        context.records.insert(Bonus, instance=instance, event=context.event)

    engine = watched(extended_by(db, clock, Handler(), broken=lending(writes=(breaks_late,))).engine, told)
    numbers = [engine.start("loan", f"device:{number}", VISITOR).instance_id for number in range(6)]
    clock.forward(days=2)
    assert engine.run_due() == 6
    assert [engine.look(number).state.name for number in numbers] == ["lent"] * 6
    assert [number for number, _event, _words in bonuses(db)] == [one for one in numbers if one != numbers[3]]
    assert len(told) == 1


@pytest.mark.parametrize(
    "wrong", [{"instance": None}, {"instance": 1, "words": "twice"}], ids=["no value", "its own index"]
)
def test_what_the_database_says_late_is_the_fault_of_who_wrote_it(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding], wrong: dict[str, Any]
) -> None:
    """On PostgreSQL a rule of the workflow that reads, a preview, or the COMMIT is who hears of it."""

    def writes(context: ExtensionContext) -> None:
        context.records.insert(Bonus, **{"event": "lend", **wrong})

    def reads(attempt: Attempt) -> datetime:
        attempt.records.exists(Bonus, event="nothing")
        return attempt.at + timedelta(days=1)

    sql(db, "INSERT INTO bonus (instance, event, words) VALUES (1, 'lend', '')")
    for workflow in (loan(), lent_until(reads)):
        engine = watched(extended_by(db, clock, Handler(), workflow, late=lending(writes=(writes,))).engine, told)
        number = engine.start("loan", "device:1", VISITOR).instance_id
        assert engine.preview(number, "lend", VISITOR).target == "lent"
        engine.fire(number, "lend", VISITOR)
        assert engine.look(number).state.name == "lent"
    assert [one.installed.name for one in told] == ["late", "late"]
    assert len(bonuses(db)) == 1


def lent_until(rule: Callable[[Attempt], datetime]) -> Workflow:
    """The loan, with a timer whose rule reads."""
    made = loan()
    states = [replace(one, timers=(Timer("keep", at=rule),)) if one.name == "lent" else one for one in made.states]
    return replace(made, states=tuple(states))


def test_one_that_is_indispensable_refuses_the_step_where_it_raises(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]
) -> None:
    broken = lending(writes=(breaks,), indispensable=True)
    engine = watched(extended_by(db, clock, Handler(), needed=broken).engine, told)
    number = engine.start("loan", "device:1", VISITOR).instance_id
    for _time in range(5):
        with pytest.raises(ExtensionFailed) as refused:
            engine.fire(number, "lend", VISITOR)
    assert refused.value.refusal.code == "extension_failed"
    assert "needed" in refused.value.in_full
    assert "needed" not in str(refused.value)
    assert rows(db) == (1, 0, 0)
    assert len(told) == 5
    assert not told[-1].is_left_out


def test_a_timer_that_an_indispensable_one_cannot_do_without_is_an_incident_that_names_it(
    db: SiteDatabase, clock: Clock
) -> None:
    engine = extended_by(db, clock, Handler(), needed=lending(writes=(breaks,), indispensable=True)).engine
    engine.start("loan", "device:1", VISITOR)
    clock.forward(days=2)
    engine.run_due()
    (incident,) = incidents(engine)
    assert "needed" in incident.error


def test_a_guard_that_raises_in_a_look_is_left_out_and_an_indispensable_one_closes(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]
) -> None:
    for indispensable in (False, True):
        broken = lending(guards=(breaks_a_guard,), indispensable=indispensable)
        engine = watched(extended_by(db, clock, Handler(), broken=broken).engine, told)
        number = engine.start("loan", "device:1", VISITOR).instance_id
        assert [one.event for one in engine.allowed(number, VISITOR)] == ([] if indispensable else ["lend"])
    assert told == []


def test_an_index_that_it_declares_is_its_refusal(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]
) -> None:
    engine = watched(extended_by(db, clock, Handler(), bonus=lending(conflicts=(ONE_EACH,))).engine, told)
    number = engine.start("loan", "device:1", VISITOR).instance_id
    sql(db, "INSERT INTO bonus (instance, event, words) VALUES (?, 'lend', '')", number)
    with pytest.raises(Refused) as refused:
        engine.fire(number, "lend", VISITOR)
    assert refused.value.refusals == (TAKEN,)
    assert told == []


def test_an_index_that_the_workflow_violates_is_its_own_refusal(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]
) -> None:
    """On PostgreSQL its write is sent with what the extension reads."""

    def writes(attempt: Attempt) -> None:
        attempt.records.insert(Bonus, instance=1, event="lend")

    def reads(context: ExtensionContext) -> None:
        context.records.exists(Bonus, instance=2)

    sql(db, "INSERT INTO bonus (instance, event, words) VALUES (1, 'lend', '')")
    ways = tuple(replace(way, writes=(writes,), conflicts=(ONE_EACH,)) for way in loan().transitions)
    workflow = replace(loan(), transitions=ways)
    engine = watched(extended_by(db, clock, Handler(), workflow, bonus=lending(writes=(reads,))).engine, told)
    number = engine.start("loan", "device:1", VISITOR).instance_id
    with pytest.raises(Refused) as refused:
        engine.fire(number, "lend", VISITOR)
    assert refused.value.refusals == (TAKEN,)
    assert told == []


def test_an_error_of_the_workflow_is_no_fault_of_an_extension(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]
) -> None:
    def hurts(attempt: object) -> None:
        raise KeyError("of the workflow")

    broken = loan()
    ways = tuple(replace(way, writes=(hurts,)) for way in broken.transitions)
    engine = watched(extended_by(db, clock, Handler(), replace(broken, transitions=ways), bonus=lending()).engine, told)
    number = engine.start("loan", "device:1", VISITOR).instance_id
    with pytest.raises(KeyError):
        engine.fire(number, "lend", VISITOR)
    assert told == []
    assert rows(db) == (1, 0, 0)


def test_a_guard_may_raise_its_refusal_as_a_write_may(db: SiteDatabase, clock: Clock) -> None:
    def raises(context: ExtensionContext) -> Refusal | None:
        raise Refused([NOT_NOW])

    engine = extended_by(db, clock, Handler(), bonus=lending(guards=(raises,))).engine
    number = engine.start("loan", "device:1", VISITOR).instance_id
    assert engine.choices(number, VISITOR).refusals == (NOT_NOW,)
    with pytest.raises(Refused):
        engine.fire(number, "lend", VISITOR)


# -- time, and being left out ------------------------------------------------------------------------------------------


class Seconds:
    """Seconds that go on by `each` with every look."""

    def __init__(self) -> None:
        self.now, self.each = 0.0, 0.001

    def __call__(self) -> float:
        self.now += self.each
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def lend(engine: Engine, times: int) -> int:
    for _time in range(times):
        number = engine.start("loan", "device:1", VISITOR).instance_id
        engine.fire(number, "lend", VISITOR)
    return number


def test_its_time_under_the_lock_is_counted(db: SiteDatabase, clock: Clock, seconds: Seconds) -> None:
    engine = extended_by(db, clock, Handler(), bonus=lending(guards=(yes,)), seconds=seconds).engine
    lend(engine, 3)
    (standing,) = engine.extensions.standings()
    assert standing.steps == 3
    assert standing.seconds == pytest.approx(3 * 3 * seconds.each)  # a guard, a write and the figures
    extension_times.keep(engine)
    extension_times.keep(engine)
    lend(engine, 1)
    extension_times.keep(engine)
    (kept,) = extension_times.kept(engine.store)
    assert (kept.name, kept.version, kept.steps, kept.since) == ("bonus", "1.2", 4, clock())
    assert kept.mean == pytest.approx(3 * seconds.each)
    assert kept.slowest == pytest.approx(3 * seconds.each)


def test_one_that_is_slow_three_times_is_left_out_until_it_is_admitted(
    db: SiteDatabase, clock: Clock, seconds: Seconds, told: list[ExtensionStanding]
) -> None:
    engine = watched(extended_by(db, clock, Handler(), bonus=lending(effects=()), seconds=seconds).engine, told)
    seconds.each = SLOW * 2
    lend(engine, 2)
    assert [one.is_left_out for one in told] == [False, False]
    lend(engine, 1)
    assert told[-1].is_left_out
    assert "under the lock" in told[-1].reason
    number = lend(engine, 1)
    assert len(bonuses(db)) == 3
    assert [one.left_out for one in extensions_of(engine.history(number)[-1])] == [True]
    engine.extensions.admit("bonus")
    seconds.each = 0.001
    number = lend(engine, 1)
    assert len(bonuses(db)) == 4
    assert [one.left_out for one in extensions_of(engine.history(number)[-1])] == [False]


def test_three_slow_steps_count_together_within_an_hour(
    db: SiteDatabase, clock: Clock, seconds: Seconds, told: list[ExtensionStanding]
) -> None:
    engine = watched(extended_by(db, clock, Handler(), bonus=lending(effects=()), seconds=seconds).engine, told)
    seconds.each = SLOW * 2
    for _time in range(4):
        lend(engine, 1)
        seconds.now += 3000
    assert [one.is_left_out for one in told] == [False] * 4


def test_one_that_is_indispensable_is_slow_and_stays(
    db: SiteDatabase, clock: Clock, seconds: Seconds, told: list[ExtensionStanding]
) -> None:
    needed = lending(indispensable=True)
    engine = watched(extended_by(db, clock, Handler(), needed=needed, seconds=seconds).engine, told)
    seconds.each = SLOW * 2
    lend(engine, 4)
    assert len(bonuses(db)) == 4
    assert [one.is_left_out for one in told] == [False] * 4


def test_one_that_is_slow_to_refuse_is_told_too(
    db: SiteDatabase, clock: Clock, seconds: Seconds, told: list[ExtensionStanding]
) -> None:
    engine = watched(extended_by(db, clock, Handler(), bonus=lending(guards=(no,)), seconds=seconds).engine, told)
    seconds.each = SLOW * 2
    number = engine.start("loan", "device:1", VISITOR).instance_id
    with pytest.raises(Refused):
        engine.fire(number, "lend", VISITOR)
    assert "under the lock" in told[0].reason


def test_one_that_raises_three_times_is_left_out_and_is_not_asked_again(
    db: SiteDatabase, clock: Clock, told: list[ExtensionStanding]
) -> None:
    asked: list[int] = []

    def breaks_always(context: ExtensionContext) -> None:
        asked.append(context.instance_id)
        raise ZeroDivisionError

    engine = watched(extended_by(db, clock, Handler(), broken=lending(writes=(breaks_always,))).engine, told)
    lend(engine, 5)
    assert len(asked) == 3
    assert told[-1].is_left_out


# -- without the plugin ------------------------------------------------------------------------------------------------


def test_histories_verify_and_effects_wait_without_the_plugin(db: SiteDatabase, clock: Clock) -> None:
    retry = Retry(first=timedelta(minutes=5), deadline=timedelta(days=2))
    effect = ExtensionEffect("bell", "ring", retry=retry)
    number = lend(extended_by(db, clock, Handler(), bonus=lending(effects=(effect,))).engine, 1)
    without = extended_by(db, clock, Handler())
    assert without.engine.verify(number) == []
    assert took_part(without.engine, number) == [(), ("bonus (points 1.2)",)]
    clock.forward(days=9)
    without.drain()
    assert not incidents(without.engine)
    without.engine.fire(number, "return", VISITOR)
    again = extended_by(db, clock, Handler(), bonus=lending(effects=(effect,)))
    bell = Handler()
    again.handlers = {"bell": bell}
    clock.forward(hours=2)
    again.drain()
    assert len(bell.keys) == 1


def test_an_effect_goes_along_to_another_version(db: SiteDatabase, clock: Clock) -> None:
    handler = Handler()
    number = lend(extended_by(db, clock, handler, bonus=lending()).engine, 1)
    both = extended_by(db, clock, handler, loan(), loan(2), bonus=lending())
    carry_out(both.engine, Migration("loan", (1,), 2), Actor("operator", "root"), "the new version")
    assert both.engine.look(number).instance.version == 2
    both.drain()
    assert len(handler.keys) == 1
    assert both.engine.verify(number) == []
    both.engine.fire(number, "return", VISITOR)


# -- what is refused where it is written -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Extension("loan", "lending"),
        lambda: Extension("loan", "lending", guards=(no)),  # type: ignore[arg-type]
        lambda: Extension("loan", "lending", writes=("note",)),  # type: ignore[arg-type]
        lambda: Extension("loan", "lending", effects=(PING, PING)),
        lambda: ExtensionEffect("mail", "hello"),
        lambda: ExtensionEffect("ping", "a name: with a colon"),
        lambda: ExtensionEffect("ping", "x" * 60),
    ],
)
def test_what_cannot_be_an_extension_is_refused_where_it_is_made(wrong: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError):
        wrong()


@pytest.mark.parametrize(
    ("points", "code"),
    [
        ((ExtensionPoint("lending", ("lnd",)),), "UNKNOWN_POINT"),
        ((ExtensionPoint("lending", ("lend",), ("back",)),), "UNKNOWN_POINT"),
        ((ExtensionPoint("lending", ()),), "UNKNOWN_POINT"),
        ((ExtensionPoint("lending", ("lend",), ("lnt",)),), "UNKNOWN_POINT"),
        ((ExtensionPoint("one", ("lend",)), ExtensionPoint("one", ("keep",))), "DUPLICATE_POINT"),
        ((ExtensionPoint("", ("lend",)),), "BAD_NAME"),
        ((ExtensionPoint("lending", ("lend")),), "NOT_A_TUPLE"),  # type: ignore[arg-type]
        (("lending",), "WRONG_TYPE"),
    ],
)
def test_a_point_that_stands_on_nothing_is_a_problem_of_the_definition(
    db: SiteDatabase, points: tuple[ExtensionPoint, ...], code: str
) -> None:
    with pytest.raises(InvalidDefinition, match=code):
        Engine(db, (replace(loan(), extension_points=points),), secret=b"x" * 32)
