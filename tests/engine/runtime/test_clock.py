"""A clock that is set back or forward: what is due goes by the clock, and nothing is done twice (docs/time.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.operations.incidents import incidents, retry
from engine.store.base import to_db
from engine.testing import Clock
from engine.workers import one_machine
from tests.kit.heartbeats import NOTIFY, at_work
from tests.kit.reviews import AUTHOR, Office, open_office
from tests.kit.scale import trials
from tests.kit.timers import HOUR, OPERATOR, EngineOf, Rules, begin, begin_papers, due_in, hours, reminding
from tests.kit.waiting import PATIENCE


def test_what_fired_before_the_clock_was_set_back_does_not_fire_again(engine_of: EngineOf, clock: Clock) -> None:
    engine = engine_of(reminding(missed="each"))
    number = begin(engine)
    clock.forward(hours=3)
    engine.run_due()
    clock.now -= 2 * HOUR
    assert engine.run_due() == 0
    assert not engine.look(number).overdue
    clock.forward(hours=2, minutes=59)
    assert engine.run_due() == 0
    clock.forward(minutes=1)
    assert engine.run_due() == 1
    assert hours(engine, number) == [1, 2, 3, 4]
    assert engine.verify(number) == []


def test_what_is_begun_while_the_clock_is_back_counts_by_that_clock(office: Office) -> None:
    """A resend before the time of the entry before it: its deadline counts from what the clock says then."""
    number = office.submit()
    office.clock.forward(hours=30)
    office.engine.run_due()
    office.clock.now -= 20 * HOUR
    office.engine.fire(number, "resend", AUTHOR)
    timers = dict(office.sql("SELECT event, due_at FROM timer WHERE instance_id = ?", number))
    assert str(timers["lapse"])[:19] == to_db(office.clock.now + 72 * HOUR)[:19]
    assert office.engine.verify(number) == []
    office.clock.forward(hours=72)
    assert office.engine.look(number).state.name == "lapsed"
    assert office.engine.run_due() == 1


def test_a_broken_timer_that_was_put_off_is_brought_forward_by_a_retry(engine_of: EngineOf, clock: Clock) -> None:
    """After the clock was set back its next try is further away than ever from one try to the next."""
    rules = Rules({"close"})
    engine = engine_of(rules.workflow())
    (number,) = begin_papers(engine, "broken")
    clock.forward(hours=90)
    engine.run_due()
    clock.now -= 80 * HOUR
    (incident,) = incidents(engine)
    assert "put off until" in engine.verify(number)[0]
    rules.broken.clear()
    assert engine.run_due() == 0
    retry(engine, incident.ref, OPERATOR, "the clock was set back")
    assert engine.run_due() == 1
    assert engine.verify(number) == []


@given(steps=st.lists(st.tuples(st.integers(-30, 60), st.booleans()), min_size=1, max_size=12))
@settings(max_examples=trials(300))
def test_whatever_the_clock_does_a_look_is_what_firing_comes_to(
    sqlite_office_url: str, steps: list[tuple[int, bool]]
) -> None:
    office = open_office(sqlite_office_url, Clock())
    number = office.submit(f"On clocks {datetime.now(UTC).timestamp()}")
    seen: list[int] = []
    for jump, fires in steps:
        office.clock.now += jump * HOUR
        expected = office.engine.look(number)
        if fires:
            office.engine.catch_up.of(number, counts=False)
            assert office.state(number) == expected.state.name
        seen.append(len(office.engine.history(number)))
        assert office.engine.verify(number) == []
    assert seen == sorted(seen)
    events = [entry.event for entry in office.engine.history(number)]
    assert len(events) == len(set(events))
    office.close()


@pytest.fixture
def sqlite_office_url(sqlite_url: str) -> str:
    return sqlite_url


def test_the_heartbeat_sweeps_on_where_its_clock_was_set_back(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had planned is then an hour away, as after a clock that was set back by an hour."""
    monkeypatch.setattr(one_machine, "SWEEP", timedelta(milliseconds=100))
    swept = Event()
    with at_work(sqlite_url, NOTIFY, chores=(swept.set,)) as (_engine, heartbeat):
        heartbeat._scheduler.modify_job("sweep", next_run_time=datetime.now(UTC) + HOUR)
        swept.clear()
        assert swept.wait(PATIENCE)


def test_the_grid_stays_where_it_was(engine_of: EngineOf, clock: Clock) -> None:
    engine = engine_of(reminding())
    number = begin(engine)
    clock.forward(hours=2, minutes=30)
    engine.run_due()
    clock.now -= 10 * HOUR
    engine.run_due()
    assert due_in(engine, number) == {"remind": 3}
