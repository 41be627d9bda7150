"""What histories say of due times and of who sealed them, as the tables hold them."""

from __future__ import annotations

from datetime import timedelta

from engine.runtime.history_rows import as_sealed, ends_with_a_seal_of, entries_of, entry_of, legible, sealed_times
from engine.store.base import to_db
from tests.kit.reviews import AUTHOR, Office


def test_sealed_times_are_those_of_the_last_entry_that_says_any(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    number = office.submit()
    due = {"remind": begun + timedelta(hours=24), "lapse": begun + timedelta(hours=72)}
    with office.engine.store.reading() as unit:
        assert sealed_times(unit, number) == due
        assert as_sealed(unit, number, ["lapse", "other"]) == {"lapse": to_db(due["lapse"])}
        assert sealed_times(unit, number + 1) is None
        assert as_sealed(unit, number + 1, ["lapse"]) == {}
    office.dispatcher.drain()
    with office.engine.store.reading() as unit:
        assert sealed_times(unit, number) == {"lapse": begun + timedelta(hours=72)}
    office.sql("UPDATE history SET timers = '' WHERE seq = 2")
    with office.engine.store.reading() as unit:
        assert sealed_times(unit, number) == due
    office.sql("UPDATE history SET timers = NULL WHERE seq = 2")
    with office.engine.store.reading() as unit:
        assert sealed_times(unit, number) is None


def test_who_sealed_the_last_entry_is_told_behind_the_entry_before(sqlite_office: Office) -> None:
    office = sqlite_office
    one, two = office.submit("One"), office.submit("Two")
    office.engine.fire(two, "withdraw", AUTHOR)
    keys = office.engine.history_keys
    with office.engine.store.reading() as unit:
        for number in (one, two):
            assert ends_with_a_seal_of(keys, unit, number)
            assert not ends_with_a_seal_of([b"another key"], unit, number)
            assert ends_with_a_seal_of([b"another key", *keys], unit, number)
        assert not ends_with_a_seal_of(keys, unit, two + 1)
    office.sql("UPDATE history SET mac = ? WHERE seq = 1", b"\0" * 32)
    with office.engine.store.reading() as unit:
        assert [ends_with_a_seal_of(keys, unit, number) for number in (one, two)] == [False, False]
    office.sql("DELETE FROM history WHERE instance_id = ?", one)
    office.sql("DELETE FROM instance WHERE id = ?", two)
    with office.engine.store.reading() as unit:
        assert [ends_with_a_seal_of(keys, unit, number) for number in (one, two)] == [False, False]


def test_an_entry_is_read_whole_or_it_is_said_why_not(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    office.clock.forward(hours=25)
    office.engine.run_due()
    columns = "seq, event, source, target, actor, at, due_at, data, mac, timers"
    rows = office.sql(f"SELECT {columns} FROM history ORDER BY seq")
    found = tuple(entry_of(row) for row in rows)
    assert legible(rows) == found == office.engine.history(number)
    assert [(one.seq, one.event, one.source, one.target, one.actor, one.due_at) for one in found] == [
        (1, "start", "", "submitted", "author:7", None),
        (2, "remind", "submitted", "reminded", "system", office.clock.now - timedelta(hours=1)),
    ]
    with office.engine.store.reading() as unit:
        assert entries_of(unit, number) == found
        assert entries_of(unit, number + 1) == ()
    assert legible([(*rows[0][:5], "yesterday", *rows[0][6:])]) == (
        "it cannot be read: ValueError: Invalid isoformat string: 'yesterday+00:00'"
    )
    said = legible([(*rows[0][:8], None, None)])
    assert isinstance(said, str)
    assert said.startswith("it cannot be read: TypeError: ")
