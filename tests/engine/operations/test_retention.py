"""What has served is deleted when its period is over, and nothing that somebody still needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.operations.retention import EVERY, Purger, Retention
from tests.kit.receipts import ACCEPTED, CC, REFUSED, TO, VISITOR, Counter

PERIODS = Retention(outbox=90, request_keys=30)
DAY = timedelta(days=1)


def purge(counter: Counter) -> int:
    return Purger(counter.engine, PERIODS)()


def words(counter: Counter, number: int) -> list[Any]:
    return list(counter.sql("SELECT DISTINCT answer, error FROM outbox WHERE instance_id = ?", number))


def ended(counter: Counter) -> int:
    counter.answers |= {TO: ACCEPTED, CC: ACCEPTED}
    number = counter.ask()
    counter.engine.fire(number, "close", VISITOR, key=f"close-{number}")
    counter.dispatcher.drain()
    return number


def test_effects_of_what_has_ended_are_deleted_after_their_period(counter: Counter) -> None:
    number = ended(counter)
    assert set(counter.rows(number).values()) == {"done"}
    counter.clock.now += 90 * DAY
    assert purge(counter) == 1  # the request key
    counter.clock.now += timedelta(seconds=1)
    assert purge(counter) == 3
    assert counter.rows(number) == {}
    assert counter.engine.verify(number) == []
    assert purge(counter) == 0


def test_open_effects_and_those_of_what_goes_on_are_kept_without_the_words(counter: Counter) -> None:
    going_on = counter.ask()
    counter.answers[CC] = REFUSED
    waiting = counter.ask()
    counter.engine.fire(waiting, "close", VISITOR)
    counter.dispatcher.drain()
    before = counter.rows(going_on), counter.rows(waiting)
    assert "incident" in before[1].values()
    counter.clock.now += 91 * DAY
    assert purge(counter) > 0
    assert (counter.rows(going_on), counter.rows(waiting)) == before
    assert words(counter, going_on) == [("", "")]
    assert any(REFUSED.reply in answer for answer, _error in words(counter, waiting))  # nobody has settled it


def test_request_keys_are_deleted_after_their_period(counter: Counter) -> None:
    first = counter.engine.start("request", "request:1", VISITOR, key="once")
    counter.clock.now += 30 * DAY
    counter.engine.start("request", "request:1", VISITOR, key="again")
    assert purge(counter) == 0
    counter.clock.now += timedelta(seconds=1)
    assert purge(counter) == 1
    second = counter.engine.start("request", "request:1", VISITOR, key="once")
    assert (second.repeated, second.instance_id == first.instance_id) == (False, False)
    assert counter.engine.start("request", "request:1", VISITOR, key="again").repeated


def test_a_pass_goes_on_where_the_last_sweep_stopped_and_then_rests(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.operations.retention.INSTANCES_AT_ONCE", 2)
    monkeypatch.setattr("engine.operations.retention.PIECES_A_SWEEP", 1)
    numbers = [ended(counter) for _number in range(5)]
    counter.clock.now += 91 * DAY
    purger = Purger(counter.engine, PERIODS)
    assert purger() == 5 + 2 * 3
    assert [bool(counter.rows(number)) for number in numbers] == [False, False, True, True, True]
    other = Purger(counter.engine, PERIODS)  # another worker, or this one after it has died
    assert [other(), other()] == [6, 3]
    assert [purger(), other()] == [0, 0]
    late = ended(counter)
    counter.clock.now += 91 * DAY
    assert other() > 0  # the rest is over
    assert counter.rows(late) == {}
    again = ended(counter)
    counter.clock.now += 91 * DAY
    assert other() > 0
    assert counter.rows(again) == {}


def test_it_looks_once_an_hour(counter: Counter) -> None:
    purger = Purger(counter.engine, Retention(7, 1))
    assert purger() == 0
    number = ended(counter)
    counter.clock.now += EVERY - timedelta(seconds=1)
    assert purger() == 0
    counter.clock.now += 8 * DAY
    assert purger() == 4
    assert counter.rows(number) == {}


def test_an_instance_whose_definition_is_gone_is_left_alone(counter: Counter) -> None:
    number = ended(counter)
    counter.db.execute_sql(f"UPDATE instance SET version = 9 WHERE id = {number}")
    counter.clock.now += 91 * DAY
    purge(counter)
    assert counter.rows(number) != {}
