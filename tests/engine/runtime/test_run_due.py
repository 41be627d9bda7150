"""Due timers are fired many in one commit, and each as if it were alone (engine.runtime.run_due; I1, I3, I8, I9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest

from engine.attempt import Actor, Attempt, Instance, Refusal
from engine.definition import SYSTEM, Effect, Start, State, Timer, Transition, Workflow
from engine.errors import CatchingUp, DatabaseAway, TransitionConflict, UnknownWorkflow
from engine.operations.incidents import incidents
from engine.operations.pauses.acts import pause, resume
from engine.outcomes import Committed
from engine.runtime.catching_up import CaughtUp
from engine.runtime.engine import Engine
from engine.runtime.pauses.scopes import OneInstance
from engine.store.base import NEVER, Due, SiteDatabase, to_db
from engine.store.opening import open_database
from engine.testing import Clock
from engine.text import _
from tests.kit.databases import opened_database
from tests.kit.observers import Notes
from tests.kit.waiting import PATIENCE
from workflows.business.records import Throttle

SECRET = b"a secret of the tests, long enough for everybody"
VISITOR = Actor("visitor")


def even(attempt: Attempt) -> Refusal | None:
    """Half of them take another way."""
    return None if attempt.instance.id % 2 == 0 else Refusal("odd", _("期限切れ"))


def may_break(attempt: Attempt) -> None:
    """A rule that is broken for some, before or after it has written."""
    if attempt.instance.about == "broken:early":
        raise ZeroDivisionError("early")
    if attempt.instance.about == "away":
        raise DatabaseAway
    if attempt.instance.about == "meets":
        raise TransitionConflict
    attempt.records.insert(Throttle, bucket=f"{attempt.instance.id}.{attempt.instance.seq}", full_at=attempt.at)
    if attempt.instance.about == "broken:read":
        attempt.records.exists(Throttle, bucket="x")
        raise ZeroDivisionError("after a read")
    if attempt.instance.about == "twice":  # a unique index that the first one has not violated
        attempt.records.insert(Throttle, bucket="one for all", full_at=attempt.at)


RUNNING = Workflow(
    name="running",
    version=1,
    title=_("申込"),
    start=Start("open"),
    states=(
        State("open", timers=(Timer("remind", timedelta(hours=1)), Timer("close", timedelta(hours=9)))),
        State("reminded", timers=(Timer("close", timedelta(hours=2)),)),
        State("even", timers=(Timer("close", timedelta(hours=2)), Timer("remind", timedelta(hours=5)))),
        State("closed", final=True),
    ),
    transitions=(
        Transition("remind", ("open",), "even", SYSTEM, guards=(even,), writes=(may_break,)),
        Transition("remind", ("open", "even"), "reminded", SYSTEM, writes=(may_break,)),
        Transition(
            "close", ("open", "reminded", "even"), "closed", SYSTEM, writes=(may_break,), effects=(Effect("post", "p"),)
        ),
    ),
)


def engine_on(db: SiteDatabase, clock: Clock) -> Engine:
    return Engine(db, [RUNNING], secret=SECRET, clock=clock)


def everything(db: SiteDatabase) -> dict[str, list[Any]]:
    """All that a run leaves behind, except the seals' own bytes, which `verify` judges."""
    tables = {
        "instance": "SELECT id, state, seq FROM instance ORDER BY id",
        "history": "SELECT instance_id, seq, event, source, target, at, due_at FROM history ORDER BY instance_id, seq",
        "timer": "SELECT instance_id, event, due_at, wake_at, failures FROM timer ORDER BY instance_id, event",
        "outbox": "SELECT instance_id, seq, name, state, due_at FROM outbox ORDER BY instance_id, seq",
        "throttle": "SELECT bucket, full_at FROM throttle ORDER BY bucket",
    }
    return {name: [tuple(map(str, row)) for row in db.execute_sql(sql).fetchall()] for name, sql in tables.items()}


def start(engine: Engine, subjects: list[str]) -> list[int]:
    return [engine.start("running", about, VISITOR).instance_id for about in subjects]


@pytest.mark.parametrize("hours", [1, 3, 4, 7, 20])
def test_many_in_one_commit_are_as_each_alone(db: SiteDatabase, clock: Clock, hours: int) -> None:
    """Also where several timers of one instance are due at once, and where instances go different ways."""
    engine = engine_on(db, clock)
    numbers = start(engine, [f"customer:{n}" for n in range(16)])
    alone = [number for place, number in enumerate(numbers) if place % 4 < 2]  # as many even ones as odd ones
    together = [number for number in numbers if number not in alone]
    clock.forward(hours=hours)
    assert [engine.catch_up.of(number, counts=False).moved for number in alone] == [1] * len(alone)
    assert engine.run_due() == len(together)
    rows = everything(db)

    def of(chosen: list[int]) -> dict[str, list[Any]]:
        places = {str(number): str(place) for place, number in enumerate(chosen)}
        found = {}
        for name, table in rows.items():
            ids = [(row[0].partition("."), row[1:]) for row in table]
            found[name] = sorted((places[n], dot + seq, *rest) for (n, dot, seq), rest in ids if n in places)
        return found

    assert of(together) == of(alone)
    assert all(of(alone)[name] for name in ("instance", "history", "throttle"))


def test_every_chain_holds_and_the_guards_were_asked(db: SiteDatabase, clock: Clock) -> None:
    engine = engine_on(db, clock)
    numbers = start(engine, [f"customer:{n}" for n in range(9)])
    clock.forward(hours=1)
    assert engine.run_due(limit=4) == 4
    assert engine.run_due(limit=100) == 5
    for number in numbers:
        assert engine.verify(number) == []
        assert engine.look(number).state.name == ("even" if number % 2 == 0 else "reminded")


@pytest.mark.parametrize("broken", ["broken:early", "broken:read"])
def test_a_broken_rule_costs_its_own_timer_and_no_other(db: SiteDatabase, clock: Clock, broken: str) -> None:
    engine = engine_on(db, clock)
    numbers = start(engine, ["customer:1", broken, "customer:2", "customer:3"])
    clock.forward(hours=1)
    assert engine.run_due() == 3
    states = [engine.look(number).instance.state for number in numbers]
    assert [state == "open" for state in states] == [False, True, False, False]
    assert [incident.instance_id for incident in incidents(engine)] == [numbers[1]]
    assert all(engine.verify(number) == [] for number in numbers)
    assert [row[0] for row in everything(db)["throttle"]] == [f"{n}.1" for n in numbers if n != numbers[1]]


def test_a_violated_index_costs_one_of_the_two(db: SiteDatabase, clock: Clock) -> None:
    engine = engine_on(db, clock)
    numbers = start(engine, ["customer:1", "twice", "twice", "customer:2"])
    clock.forward(hours=1)
    assert engine.run_due() == 3
    assert sorted(engine.look(number).instance.state == "open" for number in numbers) == [False, False, False, True]
    assert len(incidents(engine)) == 1


def test_nothing_due_writes_nothing(db: SiteDatabase, clock: Clock) -> None:
    engine = engine_on(db, clock)
    start(engine, ["customer:1"])
    before = everything(db)
    clock.forward(minutes=59)
    assert engine.run_due() == 0
    assert everything(db) == before


@pytest.mark.parametrize("broken", ["broken:early", "broken:read", "twice"])
@pytest.mark.parametrize("place", [0, 140])
def test_of_a_long_batch_too_only_the_broken_rule_fails(
    db: SiteDatabase, clock: Clock, broken: str, place: int
) -> None:
    """On PostgreSQL the first of them are written while the next ones are worked out."""
    engine = engine_on(db, clock)
    engine.store.at_once = 150
    with engine.store.begin() as unit:
        unit.insert(Throttle, bucket="one for all", full_at=clock.now)
        engine.store.commit(unit)
    about = [f"customer:{n}" for n in range(140)]
    numbers = start(engine, [*about[:place], broken, *about[place:]])
    clock.forward(hours=1)
    assert engine.run_due(limit=150) == len(about)
    assert [incident.instance_id for incident in incidents(engine)] == [numbers[place]]
    assert [n for n in numbers if engine.look(n).instance.state == "open"] == [numbers[place]]
    assert all(engine.verify(number) == [] for number in numbers)
    assert len(everything(db)["throttle"]) == len(about) + 1


def test_what_another_worker_holds_is_left_to_it(postgres_url: str, clock: Clock) -> None:
    """PostgreSQL: SKIP LOCKED; those behind it are fired all the same."""
    with opened_database(postgres_url) as db:
        engine = engine_on(db, clock)
        numbers = start(engine, [f"customer:{n}" for n in range(5)])
        clock.forward(hours=1)
        moved: list[int] = []
        with engine.store.begin() as unit:
            engine.store.open(unit, numbers[0])
            worker = Thread(target=lambda: moved.append(engine.run_due(limit=4)))
            worker.start()
            worker.join(PATIENCE)
        assert moved == [4]
        assert [engine.look(n).instance.state == "open" for n in numbers] == [True, False, False, False, False]
        assert engine.run_due() == 1


def test_several_workers_share_what_is_due_and_none_is_fired_twice(db: SiteDatabase, clock: Clock) -> None:
    engine = engine_on(db, clock)
    engine.store.at_once = 3
    numbers = start(engine, [f"customer:{n}" for n in range(40)])
    clock.forward(hours=1)
    moved: list[int] = []

    def work() -> None:
        while fired := engine.run_due(limit=7):
            moved.append(fired)
        db.give_back()

    workers = [Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    while fired := engine.run_due():
        moved.append(fired)
    assert sum(moved) == len(numbers)
    assert all(len(engine.history(number)) == 2 for number in numbers)


def test_the_longest_overdue_come_first(db: SiteDatabase, clock: Clock) -> None:
    engine = engine_on(db, clock)
    numbers = start(engine, ["customer:1", "customer:2"])
    db.execute_sql(f"UPDATE timer SET wake_at = '{to_db(clock.now)}' WHERE instance_id = {numbers[1]}")
    clock.forward(hours=1)
    assert engine.run_due(limit=1) == 1
    assert engine.look(numbers[1]).instance.state != "open"


def test_what_is_due_is_opened_once_with_all_its_timers(db: SiteDatabase, clock: Clock) -> None:
    """Also one of which several timers are due, and the longest overdue where not all are wanted."""
    engine = engine_on(db, clock)
    first, second = start(engine, ["customer:1", "customer:2"])
    clock.forward(hours=1)
    (third,) = start(engine, ["customer:3"])
    clock.forward(hours=9)

    def opened(limit: int) -> dict[int, list[str]]:
        with engine.store.begin() as unit:
            found, now = engine.store.open_due(unit, clock.now, limit)
        assert now == clock.now
        assert len({instance.id for instance, _ in found}) == len(found)
        return {instance.id: sorted(timer.event for timer in timers) for instance, timers in found}

    both = ["close", "remind"]
    assert opened(100) == {first: both, second: both, third: both}
    assert opened(2) == {first: both, second: both}


# -- on one kind of database: what is written, counted and told --------------------------------------------------------


@pytest.fixture
def sqlite_engine(sqlite_url: str, clock: Clock) -> Iterator[Engine]:
    db = open_database(sqlite_url)
    yield engine_on(db, clock)
    db.close()


def timers(engine: Engine, number: int) -> dict[str, tuple[Any, ...]]:
    """Each timer's due time, when it wakes, and how often it has failed with what."""
    sql = "SELECT event, due_at, wake_at, failures, error FROM timer WHERE instance_id = ? ORDER BY event"
    with engine.store.reading() as unit:
        return {event: tuple(more) for event, *more in unit.rows(sql, (number,))}


def test_a_broken_timer_is_tried_again_after_one_two_four_minutes_and_at_last_every_hour(
    sqlite_engine: Engine, clock: Clock
) -> None:
    engine = sqlite_engine
    (number,) = start(engine, ["broken:early"])
    begun = clock.now
    untouched = (to_db(begun + timedelta(hours=9)), to_db(begun + timedelta(hours=9)), 0, "")
    clock.forward(hours=1)
    for failures, minutes in enumerate((1, 2, 4, 8, 16, 32, 60, 60, 60), 1):
        assert engine.run_due() == 0
        wakes = clock.now + timedelta(minutes=minutes)
        tried = (to_db(begun + timedelta(hours=1)), to_db(wakes), failures, "ZeroDivisionError: early")
        assert timers(engine, number) == {"close": untouched, "remind": tried}
        clock.now = wakes - timedelta(microseconds=1)
        assert engine.run_due() == 0
        assert timers(engine, number)["remind"] == tried  # it was not tried
        clock.forward(microseconds=1)
    assert engine.next_due() == clock.now


@pytest.mark.parametrize("alone", [True, False])
def test_what_is_due_beside_a_broken_way_out_is_put_off_with_it_and_what_is_not_due_stays(
    sqlite_engine: Engine, clock: Clock, alone: bool
) -> None:
    engine = sqlite_engine
    for early in (timedelta(0), timedelta(microseconds=1)):
        (number,) = start(engine, ["broken:early"])
        remind, close = (to_db(clock.now + timedelta(hours=hours)) for hours in (1, 9))
        clock.now += timedelta(hours=9) - early
        assert (engine.catch_up.of(number, counts=False).moved if alone else engine.run_due()) == 0
        wakes = to_db(clock.now + timedelta(minutes=1))
        assert timers(engine, number) == {
            "close": (close, close if early else wakes, 0, ""),
            "remind": (remind, wakes, 1, "ZeroDivisionError: early"),
        }
        engine.migrate(number, 1, Actor("operator", "root"), "out of the way", "closed")


@pytest.mark.parametrize("others", [[], ["customer:2"]])
def test_a_paused_one_is_put_off_until_it_is_resumed_and_counts_for_nothing(
    sqlite_engine: Engine, clock: Clock, others: list[str]
) -> None:
    engine, operator = sqlite_engine, Actor("operator", "root")
    halted, *sound = start(engine, ["customer:1", *others])
    pause(engine, OneInstance(halted), operator, "for a while")
    with engine.store.begin() as unit:  # as where its version was paused and a timer was set meanwhile
        unit.write("UPDATE timer SET wake_at = due_at WHERE instance_id = ?", (halted,))
        engine.store.commit(unit)
    clock.forward(hours=1)
    assert engine.run_due() == len(others)
    assert [wake for _due, wake, *_more in timers(engine, halted).values()] == [NEVER, NEVER]
    assert [len(engine.history(number)) for number in (halted, *sound)] == [2] * (1 + len(others))
    resume(engine, OneInstance(halted), operator, "go on")
    assert engine.run_due() == 1


def test_no_more_instances_are_fired_than_were_asked_for_and_none_after_a_stop(
    sqlite_engine: Engine, clock: Clock
) -> None:
    engine = sqlite_engine
    engine.store.at_once = 2
    start(engine, [f"customer:{n}" for n in range(12)])
    clock.forward(hours=1)
    assert engine.run_due(limit=0) == 0
    assert engine.run_due(limit=3) == 3
    assert engine.run_due(stopped=lambda: True) == 0
    answers = iter([False, False, True])
    assert engine.run_due(stopped=lambda: next(answers)) == 4
    assert engine.run_due(now=clock.now - timedelta(microseconds=1)) == 0
    assert engine.run_due(limit=4) == 4
    assert engine.run_due() == 1
    assert engine.run_due() == 0


def test_each_commit_of_a_batch_says_what_is_to_be_done_after_it(sqlite_engine: Engine, clock: Clock) -> None:
    engine = sqlite_engine
    engine.store.at_once = 3
    numbers = start(engine, ["customer:1", "broken:early", "customer:2", "customer:3"])
    clock.forward(hours=1)
    heard: list[tuple[int, Any]] = []

    def hear(committed: Committed) -> None:
        heard.append((committed.effects, committed.next_due))

    engine.on_commit = hear
    assert engine.run_due() == 3
    assert heard == [(0, clock.now + timedelta(hours=2))] * 2
    assert [engine.look(number).instance.seq for number in numbers] == [2, 1, 2, 2]
    heard.clear()
    clock.forward(hours=2)
    assert engine.run_due() == 3
    assert heard == [(2, None), (1, None)]


def test_that_the_database_is_away_ends_a_round_and_blames_no_timer(sqlite_engine: Engine, clock: Clock) -> None:
    engine = sqlite_engine
    sound, away = start(engine, ["customer:1", "away"])
    before = timers(engine, away)
    clock.forward(hours=1)
    engine.store.at_once = 1
    assert engine.run_due() == 1  # the one before it in a commit of its own
    assert timers(engine, away) == before
    with pytest.raises(DatabaseAway):
        engine.catch_up.of(away, counts=False)
    assert timers(engine, away) == before
    assert engine.look(sound).instance.state != "open"


def test_who_was_met_by_another_leaves_its_timer_due_and_the_others_fire(
    sqlite_engine: Engine, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    engine = sqlite_engine
    first, meets, last = start(engine, ["customer:1", "meets", "customer:2"])
    before = timers(engine, meets)
    clock.forward(hours=1)
    assert engine.run_due() == 2
    assert timers(engine, meets) == before
    assert all(engine.look(number).instance.state != "open" for number in (first, last))
    assert f"timers of instance {meets} stay due" in caplog.text
    assert incidents(engine) == []


def test_catching_up_says_whether_anything_fired_and_what_cannot(sqlite_engine: Engine, clock: Clock) -> None:
    engine = sqlite_engine
    sound, broken = start(engine, ["customer:1", "broken:read"])
    assert engine.catch_up.of(sound, None) == CaughtUp(moved=False)
    assert engine.catch_up.of(sound, clock.now + timedelta(hours=1)) == CaughtUp(moved=True)
    assert len(engine.history(sound)) == 2
    clock.forward(hours=1)
    for counts, failures in ((False, 1), (False, 1), (True, 2), (False, 2)):  # somebody who comes by is only news once
        found = engine.catch_up.of(broken, None, counts=counts)
        assert (found.moved, found.broken is not None and found.broken.event) == (False, "remind")
        assert timers(engine, broken)["remind"][2] == failures
    assert found.broken is not None
    assert (found.broken.instance_id, found.broken.kept) == (broken, 0)
    assert found.broken.why == "ZeroDivisionError: after a read"


def test_the_first_timer_is_known_also_of_a_definition_that_is_not_loaded(sqlite_engine: Engine, clock: Clock) -> None:
    at = clock.now
    instance = Instance(1, "running", 1, "s", "open", 1, 0, b"")
    gone = Instance(1, "running", 9, "s", "open", 1, 0, b"")
    both = [Due("close", at), Due("remind", at)]
    assert sqlite_engine.catch_up.first_of(instance, both) == "remind"  # as they were written
    assert sqlite_engine.catch_up.first_of(gone, both) == "close"  # as they are called
    assert sqlite_engine.catch_up.first_of(gone, [Due("a", at + timedelta(hours=1)), Due("b", at)]) == "b"
    assert sqlite_engine.catch_up.first_of(instance, []) == sqlite_engine.catch_up.first_of(gone, []) == ""


def test_an_instance_whose_definition_is_not_loaded_is_an_incident_of_its_first_timer(
    sqlite_engine: Engine, clock: Clock
) -> None:
    engine = sqlite_engine
    engine.store.at_once = 1  # and the one behind it is come to
    gone, _other = start(engine, ["customer:1", "customer:2"])
    engine.db.execute_sql(f"UPDATE instance SET version = 9 WHERE id = {gone}")
    clock.forward(hours=1)
    assert engine.run_due() == 1
    found = timers(engine, gone)
    assert (found["remind"][2], found["close"][2]) == (1, 0)
    assert found["remind"][3] == (
        f"UnknownWorkflow: No definition of workflow 'running' version 9 is loaded; instance {gone} runs on it."
    )
    assert found["remind"][1] == to_db(clock.now + timedelta(minutes=1))
    engine.due_timers.piece = 5  # which is tried one by one at once
    broken = engine.catch_up.of(gone, None).broken
    assert broken is not None
    assert (broken.instance_id, broken.event, broken.kept) == (gone, "remind", 0)
    assert isinstance(broken.__cause__, UnknownWorkflow)


def test_an_instance_that_waits_for_its_definition_is_looked_at_again_and_nothing_of_it_is_broken(
    sqlite_engine: Engine, clock: Clock
) -> None:
    engine = sqlite_engine
    gone, other = start(engine, ["customer:1", "customer:2"])
    engine.definitions.awaited = frozenset({"running"})
    engine.db.execute_sql(f"UPDATE instance SET version = 9 WHERE id = {gone}")
    clock.forward(hours=1)
    assert engine.run_due() == 1
    found = timers(engine, gone)
    assert {(row[1], row[2], row[3]) for row in found.values()} == {(to_db(clock.now + timedelta(minutes=5)), 0, "")}
    assert engine.look(other).instance.seq > 1
    engine.db.execute_sql(f"UPDATE instance SET version = 1 WHERE id = {gone}")
    assert engine.run_due() == 0
    clock.forward(minutes=5)
    assert engine.run_due() == 1
    assert engine.history(gone)[-1].due_at == clock.now - timedelta(minutes=5)


def test_who_watches_hears_of_each_commit_of_due_timers_and_what_fired_in_it(
    sqlite_engine: Engine, clock: Clock
) -> None:
    engine = sqlite_engine
    notes = Notes()
    engine.observer = notes
    first, second = start(engine, ["customer:1", "broken:read"])
    third = start(engine, ["customer:2"])[0]
    notes.steps.clear()
    notes.ended.clear()
    clock.forward(hours=1)
    assert engine.catch_up.of(first, counts=False).moved == 1
    assert engine.run_due() == 1
    assert engine.catch_up.of(second, counts=False).moved == 0
    targets = [engine.look(number).instance.state for number in (first, third)]
    assert notes.steps == [("remind", target) for target in targets]
    assert notes.ended == [
        ("due", "running", ""),
        ("due", "due", "TimerBroken"),  # all together, then each apart
        ("due", "due", ""),
        ("due", "running", "TimerBroken"),
    ]


def test_who_asks_for_more_than_can_be_committed_at_once_is_told_and_what_fired_is_kept(
    sqlite_engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.runtime.catching_up.MOST_PIECES", 2)
    engine = sqlite_engine
    engine.due_timers.piece = 1
    (number,) = start(engine, ["customer:1"])
    clock.forward(hours=3)
    with pytest.raises(CatchingUp):
        engine.catch_up.of(number, counts=False)
    assert [entry.event for entry in engine.history(number)] == ["start", "remind", "close"]
    assert engine.catch_up.of(number, counts=False).moved == 0
