"""Due timers are fired many in one commit, and each as if it were alone (engine.due; I1, I3, I8, I9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest

from engine.definition import SYSTEM, Actor, Attempt, Effect, Refusal, Start, State, Timer, Transition, Workflow
from engine.incidents import incidents
from engine.runtime import Engine
from engine.store import SiteDatabase, open_database, to_db
from engine.testing import Clock
from engine.text import _
from tests.waiting import PATIENCE
from workflows.records import Throttle

SECRET = b"a secret of the tests, long enough for everybody"
VISITOR = Actor("visitor")


def even(attempt: Attempt) -> Refusal | None:
    """Half of them take another way."""
    return None if attempt.instance.id % 2 == 0 else Refusal("odd", _("期限切れ"))


def may_break(attempt: Attempt) -> None:
    """A rule that is broken for some, before or after it has written."""
    if attempt.instance.subject == "broken:early":
        raise ZeroDivisionError("early")
    attempt.records.insert(Throttle, bucket=f"{attempt.instance.id}.{attempt.instance.seq}", full_at=attempt.at)
    if attempt.instance.subject == "broken:read":
        attempt.records.exists(Throttle, bucket="x")
        raise ZeroDivisionError("after a read")
    if attempt.instance.subject == "twice":  # a unique index that the first one has not violated
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


@pytest.fixture
def db(database_url: str) -> Iterator[SiteDatabase]:
    db = open_database(database_url)
    yield db
    db.close()
    if hasattr(db, "close_all"):
        db.close_all()


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
    return [engine.start("running", subject, VISITOR).instance for subject in subjects]


@pytest.mark.parametrize("hours", [1, 3, 4, 7, 20])
def test_many_in_one_commit_are_as_each_alone(db: SiteDatabase, clock: Clock, hours: int) -> None:
    """Also where several timers of one instance are due at once, and where instances go different ways."""
    engine = engine_on(db, clock)
    numbers = start(engine, [f"customer:{n}" for n in range(16)])
    alone = [number for place, number in enumerate(numbers) if place % 4 < 2]  # as many even ones as odd ones
    together = [number for number in numbers if number not in alone]
    clock.forward(hours=hours)
    assert [engine.settle_alone(number, None) for number in alone] == [1] * len(alone)
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
    assert [incident.instance for incident in incidents(engine)] == [numbers[1]]
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


def test_what_another_worker_holds_is_left_to_it(postgres_url: str, clock: Clock) -> None:
    """PostgreSQL: SKIP LOCKED; those behind it are fired all the same."""
    db = open_database(postgres_url)
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
    db.close_all()


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
