"""What guards declare to read is read for many at once, and changes no answer (engine.rules.reads; I1, I9)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import psycopg
import pytest

from engine.attempt import Actor, Attempt, Instance, Refusal
from engine.definition import (
    ANYONE,
    SYSTEM,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
    Write,
    instance_number,
    only,
    reads,
)
from engine.errors import Refused, UnknownInstance
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase, UtcField
from engine.testing import Clock
from engine.text import _
from tests.kit.databases import opened_database, round_trips, until_a_lock_is_waited_for
from tests.kit.timers import SECRET
from workflows.business.records import Throttle

FULL = Refusal("full", _("期限切れ"))
OPEN_ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def bucket_of(instance: Instance) -> str:
    """The bucket that an instance is about."""
    return instance.about.partition(":")[2]


@reads(only(Throttle, "full_at"), bucket=bucket_of)
def there_is_room(attempt: Attempt) -> Refusal | None:
    """There is a bucket, and it is not full yet."""
    found = attempt.records.get(only(Throttle, "full_at"), bucket=bucket_of(attempt.instance))
    return None if found is not None and found.full_at > attempt.now else FULL


@reads(Throttle, bucket=bucket_of)
def there_is_a_bucket(attempt: Attempt) -> Refusal | None:
    """There is a bucket."""
    return None if attempt.records.exists(Throttle, bucket=bucket_of(attempt.instance)) else FULL


@reads(Throttle, bucket=lambda instance: 1 / 0)
def asks_by_itself(attempt: Attempt) -> Refusal | None:
    """Its declaration cannot name the row."""
    return there_is_a_bucket(attempt)


def ending(guard: Callable[[Attempt], Refusal | None], *writes: Write) -> Workflow:
    """A procedure that ends after an hour: well where the guard agrees, else badly."""
    return Workflow(
        name="ending",
        version=1,
        title=_("申込"),
        start=Start("open"),
        states=(
            State("open", timers=(Timer("end", timedelta(hours=1)),)),
            State("well", final=True),
            State("badly", final=True),
        ),
        transitions=(
            Transition("end", ("open",), "well", SYSTEM, guards=(guard,), writes=writes),
            Transition("end", ("open",), "badly", SYSTEM),
        ),
    )


def put(engine: Engine, clock: Clock, *buckets: str, hours: int = 9) -> None:
    with engine.store.begin() as unit:
        for bucket in buckets:
            unit.insert(Throttle, bucket=bucket, full_at=clock.now + timedelta(hours=hours))
        engine.store.commit(unit)


def ended(db: SiteDatabase, clock: Clock, workflow: Workflow, *about: str) -> list[str]:
    """How each of them has ended, all at once."""
    engine = Engine(db, [workflow], secret=SECRET, clock=clock)
    put(engine, clock, "a", "b")
    numbers = [engine.start("ending", one, Actor("visitor")).instance_id for one in about]
    clock.forward(hours=1)
    assert engine.run_due() == len(numbers)
    assert [engine.verify(number) for number in numbers] == [[]] * len(numbers)
    return [engine.look(number).state.name for number in numbers]


@pytest.mark.parametrize("guard", [there_is_room, there_is_a_bucket, asks_by_itself])
def test_a_guard_is_answered_as_if_it_declared_nothing(db: SiteDatabase, clock: Clock, guard: Any) -> None:
    assert ended(db, clock, ending(guard), "in:a", "in:nowhere", "in:b", "in:a") == ["well", "badly", "well", "well"]


def taking(attempt: Attempt) -> None:
    attempt.records.delete(Throttle, bucket=bucket_of(attempt.instance))


def filling(attempt: Attempt) -> None:
    attempt.records.update(Throttle, {"bucket": bucket_of(attempt.instance)}, full_at=attempt.now)


def making(attempt: Attempt) -> None:
    if not attempt.records.exists(Throttle, bucket="nowhere"):
        attempt.records.insert(Throttle, bucket="nowhere", full_at=attempt.now + timedelta(hours=1))


def querying(attempt: Attempt) -> None:
    Throttle.update(full_at=attempt.now).where(Throttle.bucket == bucket_of(attempt.instance)).execute()


@pytest.mark.parametrize(
    ("write", "then"),
    [
        (taking, ["well", "badly", "badly"]),
        (filling, ["well", "badly", "badly"]),
        (querying, ["well", "badly", "badly"]),
        (making, ["well", "well", "well"]),
    ],
)
def test_a_guard_sees_what_those_before_it_in_the_batch_have_written(
    db: SiteDatabase, clock: Clock, write: Write, then: list[str]
) -> None:
    about = ("in:a", "in:a", "in:nowhere")
    assert ended(db, clock, ending(there_is_room, write), *about) == then


@OPEN_ON_POSTGRESQL  # on SQLite nobody else writes meanwhile
def test_the_rows_of_a_batch_are_read_at_once(db: SiteDatabase, clock: Clock, postgres_url: str) -> None:
    """What somebody else changes after the instances were locked comes after what is done to them: who reads
    then sees it, and what was read before does not."""
    asked: list[bool] = []

    @reads(Throttle, bucket=bucket_of)
    def is_there_until_somebody_looks(attempt: Attempt) -> Refusal | None:
        if not asked:
            with psycopg.connect(postgres_url, autocommit=True) as other:
                other.execute("DELETE FROM throttle")
        asked.append(attempt.records.exists(Throttle, bucket=bucket_of(attempt.instance)))
        return there_is_room(attempt)  # which names other columns, and so reads by itself

    assert ended(db, clock, ending(is_there_until_somebody_looks), "in:a", "in:b") == ["badly", "badly"]
    assert asked == [True, True]


@OPEN_ON_POSTGRESQL  # on SQLite the second one begins after the first has ended
def test_a_guard_sees_what_the_lock_protects(db: SiteDatabase, clock: Clock, postgres_url: str) -> None:
    """Two at once: a rule waits for a row that somebody else fills, and the guard behind it sees that it is full."""

    def turn(attempt: Attempt) -> None:
        attempt.records.lock_rows(Throttle, bucket="a")

    engine = Engine(db, [ending(there_is_room, turn)], secret=SECRET, clock=clock)
    put(engine, clock, "a", "b")
    numbers = [engine.start("ending", about, Actor("visitor")).instance_id for about in ("in:b", "in:a")]
    clock.forward(hours=1)

    def run() -> None:
        engine.run_due()
        db.give_back()

    worker = Thread(target=run)
    with opened_database(postgres_url) as other, engine_of(other, clock).store.begin() as unit:
        unit.write("UPDATE throttle SET full_at = ? WHERE bucket = ?", (UtcField().db_value(clock.now), "a"))
        unit.flush()
        worker.start()
        until_a_lock_is_waited_for(unit, "the timers to wait")
        engine_of(other, clock).store.commit(unit)
    worker.join()
    assert [engine.look(number).state.name for number in numbers] == ["well", "badly"]


def engine_of(db: SiteDatabase, clock: Clock) -> Engine:
    return Engine(db, [], secret=SECRET, clock=clock)


# -- with the lock of one instance -------------------------------------------------------------------------------------


@reads(Throttle, bucket=instance_number)
def its_bucket_is_there(attempt: Attempt) -> Refusal | None:
    """The bucket that the instance's number names."""
    return None if attempt.records.exists(Throttle, bucket=attempt.instance.id) else FULL


def taking_its_own(attempt: Attempt) -> None:
    attempt.records.delete(Throttle, bucket=attempt.instance.id)


PRESSED = Workflow(
    name="pressed",
    version=1,
    title=_("申込"),
    start=Start("open"),
    states=(
        State("open", timers=(Timer("take", timedelta(hours=1)),)),
        State("taken"),
        State("over", final=True),
    ),
    transitions=(
        Transition("press", ("open", "taken"), "over", ANYONE, guards=(its_bucket_is_there,)),
        Transition("take", ("open",), "taken", SYSTEM, writes=(taking_its_own,)),
        Transition("end", ("taken",), "over", ANYONE),
    ),
)
ANYBODY = Actor("visitor")


@pytest.fixture
def pressed(db: SiteDatabase, clock: Clock) -> Engine:
    return Engine(db, [PRESSED], secret=SECRET, clock=clock)


def test_a_row_that_is_read_with_the_lock_decides(pressed: Engine, clock: Clock) -> None:
    first, second = (pressed.start("pressed", about, ANYBODY).instance_id for about in ("a", "b"))
    put(pressed, clock, str(first))
    assert pressed.fire(first, "press", ANYBODY).target == "over"
    with pytest.raises(Refused):
        pressed.fire(second, "press", ANYBODY)


def test_a_guard_sees_what_a_due_timer_has_written_before_it(pressed: Engine, clock: Clock) -> None:
    number = pressed.start("pressed", "a", ANYBODY).instance_id
    put(pressed, clock, str(number))
    clock.forward(hours=1)
    with pytest.raises(Refused):
        pressed.fire(number, "press", ANYBODY)
    assert pressed.look(number).state.name == "taken"


def test_who_is_no_instance_is_unknown_also_where_a_row_is_read_with_its_lock(pressed: Engine) -> None:
    with pytest.raises(UnknownInstance):
        pressed.fire(4711, "press", ANYBODY)


@OPEN_ON_POSTGRESQL
def test_a_row_that_is_read_with_the_lock_costs_no_round_trip(pressed: Engine, clock: Clock, db: Any) -> None:
    """One to lock and read, one to write and commit."""
    numbers = [pressed.start("pressed", about, ANYBODY).instance_id for about in ("a", "b")]
    put(pressed, clock, *map(str, numbers))
    pressed.fire(numbers[0], "press", ANYBODY)
    with round_trips(db) as counted:
        pressed.fire(numbers[1], "press", ANYBODY)
    assert counted == [2]


@OPEN_ON_POSTGRESQL
def test_what_is_read_with_the_lock_is_read_after_it_is_held(
    pressed: Engine, db: SiteDatabase, clock: Clock, postgres_url: str
) -> None:
    """Two at once: one takes the bucket while the other waits for the instance."""
    number = pressed.start("pressed", "a", ANYBODY).instance_id
    put(pressed, clock, str(number))
    heard: list[type[Exception]] = []

    def press() -> None:
        try:
            pressed.fire(number, "press", ANYBODY)
        except Refused as refused:
            heard.append(type(refused))
        db.give_back()

    worker = Thread(target=press)
    with opened_database(postgres_url) as other, engine_of(other, clock).store.begin() as unit:
        store = engine_of(other, clock).store
        store.open(unit, number)
        unit.delete(Throttle, bucket=str(number))
        unit.flush()
        worker.start()
        until_a_lock_is_waited_for(unit, "the event to wait")
        store.commit(unit)
    worker.join()
    assert heard == [Refused]
