"""Where many effects wait, several are claimed in one commit, and each is still delivered once (I5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.delivery import Accepted, Delivery, Failed
from engine.operations.incidents import incidents, retry
from engine.outbox import claims
from engine.outbox.claims import MOST_AHEAD, Ahead
from engine.outbox.dispatcher import Dispatcher
from engine.outcomes import Claim, Committed
from engine.store import outbox_rows
from engine.store.base import SiteDatabase
from engine.testing import Clock
from tests.kit.handlers import VISITOR, Handler, dispatcher_of, told
from tests.kit.reviews import OPERATOR


@dataclass
class Seconds:
    """The seconds that a worker counts by itself."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    found = Seconds()
    monkeypatch.setattr(claims, "monotonic", found)
    return found


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many effects each claiming commit took."""
    found: list[int] = []
    original = outbox_rows.claim

    def claim(*arguments: Any) -> list[tuple[Claim, int]]:
        claimed = original(*arguments)
        found.append(len(claimed))
        return claimed

    monkeypatch.setattr(outbox_rows, "claim", claim)
    return found


def waiting(db: SiteDatabase, clock: Clock, handler: Handler, count: int) -> Dispatcher:
    """A dispatcher of an outbox in which so many effects wait."""
    dispatcher = dispatcher_of(db, clock, handler, told())
    for number in range(count):
        dispatcher.engine.start("told", f"x:{number}", VISITOR)
    return dispatcher


def test_many_effects_are_claimed_in_few_commits_and_each_is_delivered_once(
    db: SiteDatabase, clock: Clock, seconds: Seconds, taken: list[int]
) -> None:
    handler = Handler()
    dispatcher = waiting(db, clock, handler, 40)
    assert dispatcher.drain() == 40
    assert taken == [2, 4, 8, 16, 10]
    assert len(handler.keys) == len(set(handler.keys)) == 40
    assert db.execute_sql("SELECT DISTINCT state, attempts, claims FROM outbox").fetchall() == [("done", 1, 1)]


def test_effects_that_take_long_are_claimed_one_by_one(
    db: SiteDatabase, clock: Clock, seconds: Seconds, taken: list[int]
) -> None:
    def slow(delivery: Delivery) -> Accepted:
        seconds.now += 2
        return Accepted()

    dispatcher = waiting(db, clock, Handler(slow), 8)
    assert dispatcher.drain() == 8
    assert taken == [2, 1, 1, 1, 1, 1, 1]


@given(st.lists(st.floats(0, 10), max_size=60))
def test_never_more_than_the_most_and_never_none_are_claimed(waits: list[float]) -> None:
    now, before = 0.0, 1
    ahead = Ahead(now)
    for wait in waits:
        now += wait
        many = ahead.many(now)
        assert 1 <= many <= MOST_AHEAD
        assert many in (before, min(before * 2, MOST_AHEAD), max(before // 2, 1))
        assert many <= before or wait < 0.25
        before = many


def test_a_drain_leaves_nothing_leased_beyond_its_limit(db: SiteDatabase, clock: Clock, seconds: Seconds) -> None:
    dispatcher = waiting(db, clock, Handler(), 20)
    assert dispatcher.drain(limit=9) == 9
    counts = dict(db.execute_sql("SELECT state, COUNT(*) FROM outbox GROUP BY state").fetchall())
    assert counts == {"done": 9, "waiting": 11}


def test_what_was_ended_after_it_was_claimed_is_not_delivered(db: SiteDatabase, clock: Clock, seconds: Seconds) -> None:
    handler = Handler()
    dispatcher = waiting(db, clock, handler, 4)
    first = dispatcher.next_claim(MOST_AHEAD)
    assert first is not None
    leased = db.execute_sql("SELECT instance_id FROM outbox WHERE state = 'leased'").fetchall()
    (other,) = {number for (number,) in leased} - {first.instance_id}
    db.execute_sql(f"UPDATE outbox SET state = 'cancelled' WHERE instance_id = {other}")
    dispatcher.deliver(first)
    dispatcher.drain()
    assert len(handler.keys) == 3
    assert db.execute_sql(f"SELECT state FROM outbox WHERE instance_id = {other}").fetchone() == ("cancelled",)


def test_what_another_worker_has_by_now_is_left_to_it(db: SiteDatabase, clock: Clock, seconds: Seconds) -> None:
    handler, others = Handler(), Handler()
    dispatcher = waiting(db, clock, handler, 2)
    first = dispatcher.next_claim(MOST_AHEAD)
    assert first is not None
    clock.forward(seconds=dispatcher.engine.lease.total_seconds())
    dispatcher_of(db, clock, others, told(), worker="two").drain()
    assert len(others.keys) == 2
    dispatcher.drain()
    assert handler.keys == []


def test_who_stops_gives_back_what_it_has_not_begun_as_if_it_had_never_been_claimed(
    db: SiteDatabase, clock: Clock, seconds: Seconds
) -> None:
    handler = Handler()
    dispatcher = waiting(db, clock, handler, 2)
    first = dispatcher.next_claim(MOST_AHEAD)
    assert first is not None
    dispatcher.give_back()
    states = db.execute_sql("SELECT state, attempts FROM outbox ORDER BY state").fetchall()
    assert states == [("leased", 1), ("waiting", 0)]
    dispatcher.deliver(first)
    dispatcher_of(db, clock, handler, told(), worker="two").drain()
    assert len(set(handler.keys)) == len(handler.keys) == 2


def test_effects_of_a_new_commit_come_before_what_was_claimed_ahead(
    db: SiteDatabase, clock: Clock, seconds: Seconds
) -> None:
    dispatcher = waiting(db, clock, Handler(), 2)
    first = dispatcher.next_claim(MOST_AHEAD)

    def take(committed: Committed) -> None:
        dispatcher.take_over(committed.handed_over or [])

    dispatcher.engine.hands_over, dispatcher.engine.on_commit = True, take
    new = dispatcher.engine.start("told", "new:1", VISITOR).instance_id
    second, third = dispatcher.next_claim(MOST_AHEAD), dispatcher.next_claim(MOST_AHEAD)
    assert first is not None
    assert second is not None
    assert third is not None
    assert (second.instance_id, third.waited) == (new, True)


def test_what_waited_for_half_of_its_lease_is_claimed_anew_as_if_it_had_never_been_before(
    db: SiteDatabase, clock: Clock, seconds: Seconds
) -> None:
    handler = Handler()
    dispatcher = waiting(db, clock, handler, 2)
    first = dispatcher.next_claim(MOST_AHEAD)
    assert first is not None
    seconds.now += dispatcher.engine.lease / timedelta(seconds=2)
    dispatcher.deliver(first)
    second = dispatcher.next_claim(MOST_AHEAD)
    assert second is not None
    assert (second.claims, second.attempts, second.waited) == (2, 1, False)
    dispatcher.deliver(second)
    assert len(set(handler.keys)) == len(handler.keys) == 2


def test_who_is_held_up_again_and_again_delivers_each_once_all_the_same(
    db: SiteDatabase, clock: Clock, seconds: Seconds
) -> None:
    def held_up(delivery: Delivery) -> Accepted:
        if len(handler.keys) % 3 == 0:
            seconds.now += 2 * dispatcher.engine.lease.total_seconds()
        return Accepted()

    handler = Handler(held_up)
    dispatcher = waiting(db, clock, handler, 40)
    assert dispatcher.drain() == 40
    assert len(set(handler.keys)) == len(handler.keys) == 40
    assert db.execute_sql("SELECT DISTINCT state, attempts FROM outbox").fetchall() == [("done", 1)]


def test_an_effect_that_failed_holds_up_none_that_was_claimed_with_it(
    db: SiteDatabase, clock: Clock, seconds: Seconds
) -> None:
    handler = Handler(lambda delivery: Failed("550") if delivery.about == "x:1" else Accepted())
    dispatcher = waiting(db, clock, handler, 4)
    dispatcher.drain()
    (incident,) = incidents(dispatcher.engine)
    assert len(handler.keys) == 4
    handler.answer = lambda delivery: Accepted()
    retry(dispatcher.engine, incident.ref, OPERATOR, "again")
    dispatcher.drain()
    assert len(handler.keys) == 5
