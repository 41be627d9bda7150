"""What is found of one instance, and of all of them one after another (I8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.errors import DatabaseAway, UnknownInstance
from engine.operations.pauses.acts import pause
from engine.runtime import checkpoints
from engine.runtime.catching_up import LONGEST_WAIT
from engine.runtime.history import Finding
from engine.runtime.pauses.scopes import OneInstance
from engine.runtime.verification import all_faults, all_findings, faults, finding
from engine.store.base import NEVER, to_db
from tests.kit.reviews import AUTHOR, OPERATOR, REVIEWER, Office, Verdict


def test_every_instance_of_which_anything_is_left_is_told_in_order_and_the_checkpoints_last(
    sqlite_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = sqlite_office
    numbers = [office.submit(f"Paper {n}") for n in range(7)]
    checkpoints.write(office.engine)
    tables = ("instance", "history", "timer", "outbox", "checkpoint_item")
    for number, left in zip(numbers, tables, strict=False):  # of each something else is left
        for table in tables:
            if table != left:
                key = "id" if table == "instance" else "instance_id"
                office.sql(f"DELETE FROM {table} WHERE {key} = ?", number)
    gone = "it is gone: checkpoint 1 of 2026-04-01 09:00:00 UTC knew its entry 1"
    told = {
        numbers[0]: ["there is no history"],
        numbers[1]: ["its row is gone, its history still there"],
        numbers[2]: ["its row is gone, timers of it still there"],
        numbers[3]: ["its row and its history are gone, effects of it are still there"],
        numbers[4]: [gone],
        numbers[5]: [],
        numbers[6]: [],
    }
    for step in (1, 2, 3, 1000):
        monkeypatch.setattr("engine.runtime.verification._STEP", step)
        found = list(all_faults(office.engine))
        assert found[:-1] == list(told.items())
        assert found[-1][0] == 0
        assert list(all_findings(office.engine))[5] == (numbers[5], Finding(()))
    office.sql("DELETE FROM timer WHERE instance_id = ?", numbers[2])
    with pytest.raises(UnknownInstance, match=f"There is no procedure {numbers[2]}"):
        faults(office.engine, numbers[2])


def test_both_that_are_left_without_their_row_are_named_together(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    office.sql("DELETE FROM instance")
    assert faults(office.engine, number) == ["its row is gone, its history and timers of it still there"]
    assert finding(office.engine, number) == Finding(("its row is gone, its history and timers of it still there",))


def test_one_that_is_removed_while_all_are_told_is_left_out(sqlite_office: Office) -> None:
    office = sqlite_office
    numbers = [office.submit(f"Paper {n}") for n in range(3)]
    found = all_faults(office.engine)
    assert next(found) == (numbers[0], [])
    for table in ("history", "timer", "outbox"):
        office.sql(f"DELETE FROM {table} WHERE instance_id = ?", numbers[1])
    office.sql("DELETE FROM instance WHERE id = ?", numbers[1])
    assert list(found) == [(numbers[2], []), (0, [])]


def test_what_was_removed_on_purpose_leaves_nothing_behind(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.invited()
    office.engine.fire(number, "decide", REVIEWER, Verdict(5))
    history = office.sql("SELECT * FROM history")
    checkpoints.remove(office.engine, number, OPERATOR, "kept for ten years")
    assert faults(office.engine, number) == []
    timer = (number, "lapse", "2026-04-02 09:00:00.000000", "2026-04-02 09:00:00.000000", 0, "")
    marks = ", ".join("?" * len(history[0]))
    for put, table in (
        (lambda: office.sql("INSERT INTO timer VALUES (?, ?, ?, ?, ?, ?)", *timer), "timer"),
        (lambda: [office.sql(f"INSERT INTO history VALUES ({marks})", *row) for row in history], "history"),
    ):
        put()
        assert faults(office.engine, number) == ["it was removed on purpose, and not all of it is gone"]
        office.sql(f"DELETE FROM {table}")
    assert faults(office.engine, number) == []


def test_a_timer_is_put_off_no_longer_than_from_one_try_to_the_next_unless_it_is_paused(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.invited()
    now, due = office.clock.now, office.clock.now + timedelta(hours=72)

    def put_off_to(wake: Any) -> list[str]:
        office.sql("UPDATE timer SET wake_at = ?", wake)
        return faults(office.engine, number)

    def told(wake: str) -> list[str]:
        return [f"the timer 'lapse' is due at {to_db(due)}, and put off until {wake}"]

    after = timedelta(microseconds=1)
    for latest, at in ((due, now), (due + LONGEST_WAIT, due)):
        office.clock.now = at
        latest = max(latest, at + LONGEST_WAIT)
        assert put_off_to(to_db(latest)) == []
        assert put_off_to(to_db(latest + after)) == told(to_db(latest + after))
    assert put_off_to(NEVER) == told(NEVER)
    office.clock.now = now
    pause(office.engine, OneInstance(number), OPERATOR, "why")
    assert put_off_to(NEVER) == []
    far = to_db(now + timedelta(days=400))
    assert put_off_to(far) == told(far)


def test_timers_are_told_of_where_the_history_holds(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.invited()
    office.sql("DELETE FROM timer")
    lost = f"the timer 'lapse' is due at no time, history says {to_db(office.clock.now + timedelta(hours=72))}"
    assert faults(office.engine, number) == [lost]
    office.sql("UPDATE instance SET state = 'submitted'")
    assert faults(office.engine, number) == ["history ends in 'in_review', the instance says 'submitted'"]


def test_a_database_that_is_away_is_no_finding(sqlite_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office = sqlite_office
    number = office.submit()
    office.engine.fire(number, "withdraw", AUTHOR)

    def away(*_: object) -> Any:
        raise DatabaseAway

    for name in ("entries_of", "checkpoints.checkpoints"):
        with monkeypatch.context() as patch:
            patch.setattr(f"engine.runtime.verification.{name}", away)
            with pytest.raises(DatabaseAway):
                list(all_faults(office.engine))
