"""What guards declare to read or to lock rides along with the lock of the instance, and changes no answer
(engine.rules; I1, I9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest

from engine.attempt import Actor, Attempt, Refusal
from engine.definition import (
    ANYONE,
    Always,
    FromData,
    FromRow,
    Start,
    State,
    Transition,
    Workflow,
    instance_number,
    locks,
    only,
    reads,
)
from engine.errors import Refused
from engine.outcomes import Outcome
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase, UtcField
from engine.testing import Clock
from engine.text import _
from tests.kit.databases import opened_database, round_trips, until_a_lock_is_waited_for
from tests.kit.timers import SECRET
from workflows.business.records import StaffMember, Throttle

FULL = Refusal("full", _("期限切れ"))
GONE = Refusal("gone", _("申込"))
OPEN_ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ANYBODY = Actor("visitor")
SOON = only(Throttle, "full_at")
OWNER = only(StaffMember, "id", "email")


@dataclass(frozen=True)
class Into:
    """What a start is given."""

    bucket: str


def _answer(attempt: Attempt, bucket: str) -> Refusal | None:
    attempt.records.lock_rows(Throttle, bucket=bucket)
    found = attempt.records.get(SOON, bucket=bucket)
    return None if found is not None and found.full_at > attempt.now else FULL


@locks(Throttle, bucket=FromData("bucket"))
@reads(SOON, bucket=FromData("bucket"))
def it_is_not_full(attempt: Attempt) -> Refusal | None:
    """The bucket of the data has room."""
    return _answer(attempt, attempt.data.bucket)


@reads(OWNER, id=instance_number)
@locks(Throttle, bucket=FromRow(StaffMember, "email"))
@reads(SOON, bucket=FromRow(StaffMember, "email"))
@reads(Throttle, bucket=Always("all"))
def its_owners_is_not_full(attempt: Attempt) -> Refusal | None:
    """The bucket of whom the instance belongs to has room, and so has that of all."""
    owner = attempt.records.get(OWNER, id=attempt.instance.id)
    if owner is None or not attempt.records.exists(Throttle, bucket="all"):
        return GONE
    return _answer(attempt, owner.email)


POURED = Workflow(
    name="poured",
    version=1,
    title=_("申込"),
    start=Start("open", guards=(it_is_not_full,)),
    states=(State("open"), State("over", final=True)),
    transitions=(Transition("pour", ("open",), "over", ANYONE, guards=(its_owners_is_not_full,)),),
)


@pytest.fixture
def engine(db: SiteDatabase, clock: Clock) -> Engine:
    made = Engine(db, [POURED], secret=SECRET, clock=clock)
    with made.store.begin() as unit:
        for bucket in ("all", "a", "b"):
            unit.insert(Throttle, bucket=bucket, full_at=clock.now + timedelta(hours=1))
        made.store.commit(unit)
    return made


def owned(engine: Engine, bucket: str) -> int:
    """An instance, and the member of staff with its number."""
    number = engine.start("poured", "x", ANYBODY, Into("a")).instance_id
    with engine.store.begin() as unit:
        unit.insert(StaffMember, id=number, email=bucket, name="佐藤 誠", created_at=engine.store.now())
        engine.store.commit(unit)
    return number


def test_rows_that_data_and_other_rows_name_decide(engine: Engine, clock: Clock) -> None:
    number, other = owned(engine, "b"), engine.start("poured", "x", ANYBODY, Into("a")).instance_id
    with pytest.raises(Refused, match="期限切れ"):
        engine.start("poured", "x", ANYBODY, Into("nowhere"))
    with pytest.raises(Refused, match="申込"):  # nobody has its number
        engine.fire(other, "pour", ANYBODY)
    with pytest.raises(Refused, match="期限切れ"):
        engine.fire(owned(engine, "nowhere"), "pour", ANYBODY)
    assert engine.fire(number, "pour", ANYBODY).target == "over"
    clock.forward(hours=1)
    with pytest.raises(Refused, match="期限切れ"):
        engine.start("poured", "x", ANYBODY, Into("a"))


def test_data_without_what_names_a_row_are_the_guards_to_refuse(engine: Engine) -> None:
    with pytest.raises(AttributeError, match="bucket"):
        engine.start("poured", "x", ANYBODY, None)


@OPEN_ON_POSTGRESQL
@pytest.mark.parametrize("event", ["start", "pour"])
def test_it_is_one_round_trip_to_lock_and_read_and_one_to_write_and_commit(engine: Engine, db: Any, event: str) -> None:
    first, second = owned(engine, "a"), owned(engine, "b")
    acts: dict[str, Callable[[int], Outcome]] = {
        "start": lambda number: engine.start("poured", "x", ANYBODY, Into("a")),
        "pour": lambda number: engine.fire(number, "pour", ANYBODY),
    }
    acts[event](first)
    with round_trips(db) as counted:
        acts[event](second)
    assert counted == [2]


@OPEN_ON_POSTGRESQL  # on SQLite the second one begins after the first has ended
@pytest.mark.parametrize("event", ["start", "pour"])
def test_what_a_declared_lock_protects_is_read_after_it_is_held(
    engine: Engine, db: SiteDatabase, clock: Clock, postgres_url: str, event: str
) -> None:
    """Two at once: somebody fills the bucket while the other waits for it."""
    number = owned(engine, "b")
    heard: list[str] = []

    def act() -> None:
        try:
            if event == "start":
                engine.start("poured", "x", ANYBODY, Into("b"))
            else:
                engine.fire(number, "pour", ANYBODY)
        except Refused as refused:
            heard.append(refused.refusal.code)
        db.give_back()

    worker = Thread(target=act)
    with opened_database(postgres_url) as other:
        store = Engine(other, [], secret=SECRET, clock=clock).store
        with store.begin() as unit:
            unit.write("UPDATE throttle SET full_at = ? WHERE bucket = ?", (UtcField().db_value(clock.now), "b"))
            unit.flush()
            worker.start()
            until_a_lock_is_waited_for(unit, "the other one to wait")
            store.commit(unit)
    worker.join()
    assert heard == ["full"]


@OPEN_ON_POSTGRESQL
def test_a_declared_lock_is_held_until_the_commit(
    engine: Engine, db: SiteDatabase, clock: Clock, postgres_url: str
) -> None:
    """Nobody else changes the row between the answer of the guard and the commit."""
    tried: list[str] = []

    def somebody_else_tries(attempt: Attempt) -> None:
        with opened_database(postgres_url) as other:
            other.execute_sql("SET lock_timeout = '50ms'")
            try:
                other.execute_sql("UPDATE throttle SET full_at = full_at WHERE bucket = 'b'")
            except Exception as error:
                tried.append(str(error))

    trying = Workflow(
        name="trying",
        version=1,
        title=_("申込"),
        start=Start("over", guards=(it_is_not_full,), writes=(somebody_else_tries,)),
        states=(State("over", final=True),),
        transitions=(),
    )
    Engine(db, [trying], secret=SECRET, clock=clock).start("trying", "x", ANYBODY, Into("b"))
    (said,) = tried
    assert "lock timeout" in said
