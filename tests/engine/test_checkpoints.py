"""I8: what was set back, removed or moved shows by due times under seal and by checkpoints."""

from __future__ import annotations

import json

import pytest

from engine import checkpoints
from engine.checkpoints import CHANGES, REMOVAL, NotCheckpoints, exported, imported
from engine.delivery import Failed
from engine.errors import EventNotPossible, UnknownInstance
from engine.incidents import skip
from engine.runtime import Engine
from engine.verification import all_faults
from tests.reviews import AUTHOR, OPERATOR, REVIEW, REVIEWER, Office, Verdict


def decided(office: Office, title: str) -> int:
    """An instance that has come to its end in three entries."""
    number = office.invited(title)
    office.engine.fire(number, "decide", REVIEWER, Verdict(5))
    return number


def written(office: Office) -> int:
    """All that happened is old enough and listed."""
    office.clock.forward(minutes=2)
    return checkpoints.write(office.engine)


def found(office: Office) -> dict[int, list[str]]:
    return {number: faults for number, faults in all_faults(office.engine) if faults}


def set_back(office: Office, number: int, seq: int = 2) -> None:
    """What somebody does who can write the database: remove the last entries, and put the row to the one before."""
    office.sql("DELETE FROM history WHERE instance_id = ? AND seq > ?", number, seq)
    office.sql(
        "UPDATE instance SET seq = ?, state = (SELECT target FROM history h WHERE h.instance_id = instance.id AND "
        "h.seq = ?), head = (SELECT mac FROM history h WHERE h.instance_id = instance.id AND h.seq = ?) WHERE id = ?",
        seq,
        seq,
        seq,
        number,
    )
    times = json.loads(office.sql("SELECT timers FROM history WHERE instance_id = ? AND seq = ?", number, seq)[0][0])
    office.sql("DELETE FROM timer WHERE instance_id = ?", number)
    for event, due in times.items():
        office.sql("INSERT INTO timer VALUES (?, ?, ?, ?, 0, '')", number, event, due, due)


def test_i8_an_instance_that_was_set_back_whole_shows_by_a_checkpoint(office: Office) -> None:
    number, other = decided(office, "One"), decided(office, "Two")
    assert written(office) == 1
    assert found(office) == {}
    set_back(office, number)
    assert found(office) == {
        number: ["it was set back: checkpoint 1 of 2026-04-01 09:02:00 UTC knew its entry 3, the last one is now 2"]
    }
    assert office.engine.verify(other) == []


def test_i8_an_instance_that_was_set_back_and_led_elsewhere_shows(office: Office) -> None:
    number = decided(office, "One")
    written(office)
    set_back(office, number)
    office.engine.fire(number, "withdraw", AUTHOR)
    assert office.engine.verify(number) == [
        "its history is another one than checkpoint 1 of 2026-04-01 09:02:00 UTC knew"
    ]


def test_i8_an_instance_that_is_gone_shows_and_stops_nobody(office: Office) -> None:
    first, second, third = (decided(office, title) for title in ("One", "Two", "Three"))
    written(office)
    office.sql("DELETE FROM instance WHERE id = ?", first)
    office.sql("DELETE FROM history WHERE instance_id = ?", first)
    office.sql("DELETE FROM instance WHERE id = ?", second)
    office.sql("DELETE FROM history WHERE instance_id = ?", third)
    faults = found(office)
    gone = "it is gone: checkpoint 1 of 2026-04-01 09:02:00 UTC knew its entry 3"
    assert faults[first] == [gone]
    assert faults[second] == ["its row is gone, its history still there", gone]
    assert faults[third][0] == "there is no history"
    assert set(faults) == {first, second, third}


def test_i8_what_cannot_even_be_read_shows_and_stops_nobody(sqlite_office: Office) -> None:
    office = sqlite_office  # PostgreSQL takes nothing into a column of times that is none
    first, second = decided(office, "One"), decided(office, "Two")
    office.sql("UPDATE history SET at = 'yesterday' WHERE instance_id = ? AND seq = 2", first)
    office.sql("UPDATE history SET event = 'cite' WHERE instance_id = ? AND seq = 2", second)
    faults = found(office)
    assert faults[first][0].startswith("it cannot be read: ValueError")
    assert "entry 2" in faults[second][0]


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "UPDATE timer SET due_at = '2030-01-01 00:00:00.000000' WHERE instance_id = ? AND event = 'lapse'",
            "the timer 'lapse' is due at 2030-01-01 00:00:00.000000, history says 2026-04-04 09:00:00.000000",
        ),
        (
            "DELETE FROM timer WHERE instance_id = ? AND event = 'lapse'",
            "the timer 'lapse' is due at no time, history says 2026-04-04 09:00:00.000000",
        ),
        (
            "INSERT INTO timer VALUES (?, 'remind', '2026-04-02 09:00:00.000000', '2026-04-02 09:00:00.000000', 0, '')",
            "the timer 'remind' is due at 2026-04-02 09:00:00.000000, history says no time",
        ),
        (
            "UPDATE timer SET wake_at = '2030-01-01 00:00:00.000000' WHERE instance_id = ? AND event = 'lapse'",
            "the timer 'lapse' is due at 2026-04-04 09:00:00.000000, and put off until 2030-01-01 00:00:00.000000",
        ),
    ],
)
def test_i8_a_timer_that_was_moved_removed_or_added_shows(office: Office, statement: str, fault: str) -> None:
    number = office.invited()
    assert office.engine.verify(number) == []
    office.sql(statement, number)
    assert office.engine.verify(number) == [fault]


def test_i8_sealed_times_cannot_be_changed_or_taken_away(office: Office) -> None:
    for text in ("{}", None):
        number = office.invited(f"Paper {text}")
        office.sql("UPDATE history SET timers = ? WHERE instance_id = ? AND seq = 2", text, number)
        assert any("entry 2" in fault for fault in office.engine.verify(number))


def test_a_history_from_before_due_times_were_sealed_holds(office: Office) -> None:
    """What an older version writes, before and meanwhile: entries that say nothing of timers."""
    from dataclasses import replace

    from engine import chain
    from engine.histories import entries_of
    from engine.store import to_db

    number = office.invited()
    with office.engine.store.reading() as unit:
        instance, entries = office.engine.look(number).instance, entries_of(unit, number)
    before = b""
    for entry in entries:
        before = chain.seal_of(office.engine.history_keys[0], instance, 1, replace(entry, timers=None), before, to_db)
        office.sql(
            "UPDATE history SET timers = NULL, mac = ? WHERE instance_id = ? AND seq = ?", before, number, entry.seq
        )
    office.sql("UPDATE instance SET head = ? WHERE id = ?", before, number)
    assert office.engine.verify(number) == []
    office.engine.fire(number, "decide", REVIEWER, Verdict(5))
    assert office.engine.verify(number) == []


def test_each_checkpoint_lists_what_went_on_since_the_one_before(office: Office) -> None:
    first = office.invited("One")
    assert written(office) == 1
    assert written(office) == 0
    second = office.invited("Two")
    office.engine.fire(first, "decide", REVIEWER, Verdict(5))
    assert written(office) == 1
    with office.engine.store.reading() as unit:
        listed = [[(i.instance, i.seq) for i in one.items] for one in checkpoints.checkpoints(unit)]
    assert listed == [[(first, 2)], [(first, 3), (second, 2)]]
    assert found(office) == {}


def test_the_chore_looks_every_ten_minutes(office: Office) -> None:
    keeper = checkpoints.Keeper(office.engine)
    office.invited("One")
    assert keeper() == 1
    office.invited("Two")
    office.clock.forward(minutes=9)
    assert keeper() == 0
    office.clock.forward(minutes=1)
    assert keeper() == 1
    office.clock.forward(minutes=10)
    assert keeper() == 0


def test_a_checkpoint_that_was_changed_or_removed_shows(office: Office) -> None:
    for title in ("One", "Two", "Three"):
        office.invited(title)
        written(office)
    office.sql("UPDATE checkpoint_item SET seq = 1 WHERE number = 1")
    assert any("checkpoint 1 of 2026-04-01 09:02:00 UTC was changed" in fault for fault in found(office)[0])
    office.sql("UPDATE checkpoint_item SET seq = 2 WHERE number = 1")
    office.sql("DELETE FROM checkpoint WHERE number = 2")
    assert found(office)[0] == ["checkpoint 3 of 2026-04-01 09:06:00 UTC: the one before it is missing"]


def test_an_export_shows_that_the_whole_database_is_an_older_copy(office: Office) -> None:
    number = office.invited("One")
    written(office)
    early = [office.sql(f"SELECT * FROM {table}") for table in ("checkpoint", "checkpoint_item")]
    office.engine.fire(number, "decide", REVIEWER, Verdict(5))
    written(office)
    kept = list(imported(exported(office.engine)))
    assert list(checkpoints.against(office.engine, kept)) == []
    set_back(office, number)
    for table, rows in zip(("checkpoint", "checkpoint_item"), early, strict=True):
        office.sql(f"DELETE FROM {table} WHERE number > ?", len(rows))
    assert found(office) == {}  # by itself it is whole
    assert list(checkpoints.against(office.engine, kept)) == [
        "the database was set back: the file ends with checkpoint 2 of 2026-04-01 09:04:00 UTC, "
        "the database with checkpoint 1 of 2026-04-01 09:02:00 UTC",
        f"instance {number}: it was set back: checkpoint 2 of 2026-04-01 09:04:00 UTC knew its entry 3, "
        "the last one is now 2",
    ]


def test_an_export_that_somebody_wrote_who_has_no_key_counts_for_nothing(office: Office) -> None:
    office.invited("One")
    written(office)
    lines = list(exported(office.engine))
    forged = lines[1].replace('"kind": "changes"', '"kind": "restore"')
    assert any(
        "the file: checkpoint 1" in one
        for one in checkpoints.against(office.engine, list(imported([lines[0], forged])))
    )


@pytest.mark.parametrize(
    "lines", [[], ["{}"], ["no JSON"], ['{"format": "tetsuzuki checkpoints", "version": 1}', "{}"]]
)
def test_a_file_that_is_no_export_is_named_with_its_line(lines: list[str]) -> None:
    with pytest.raises(NotCheckpoints, match=f"line {max(len(lines), 1)}: expected what"):
        list(imported(lines))


def test_a_lawful_removal_is_an_entry_of_its_own(office: Office) -> None:
    number, running = decided(office, "One"), office.invited("Two")
    written(office)
    kept = list(imported(exported(office.engine)))
    with pytest.raises(EventNotPossible, match="has not ended"):
        checkpoints.remove(office.engine, running, OPERATOR, "no reason")
    checkpoints.remove(office.engine, number, OPERATOR, "kept for ten years")
    assert found(office) == {}
    assert list(checkpoints.against(office.engine, kept)) == []
    with pytest.raises(UnknownInstance):
        office.engine.look(number)
    for table in ("history", "timer", "outbox"):
        assert office.sql(f"SELECT * FROM {table} WHERE instance_id = ?", number) == []
    with office.engine.store.reading() as unit:
        kinds = [one.kind for one in checkpoints.checkpoints(unit)]
        said = json.loads(list(checkpoints.checkpoints(unit))[-1].said)
    assert kinds == [CHANGES, REMOVAL]
    assert said == {"instance": number, "workflow": "review", "by": "operator:root", "reason": "kept for ten years"}
    office.sql("DELETE FROM checkpoint WHERE kind = ?", REMOVAL)
    assert found(office) == {number: ["it is gone: checkpoint 1 of 2026-04-01 09:02:00 UTC knew its entry 3"]}


def test_a_checkpoint_survives_another_key(office: Office) -> None:
    number = office.invited("One")
    written(office)
    both = type(office.engine)(
        office.db,
        (REVIEW,),
        secret=[b"another key " * 4, b"a secret of the tests, long enough for everybody"],
        clock=office.clock,
    )
    assert [faults for _, faults in all_faults(both) if faults] == []
    both.fire(number, "decide", REVIEWER, Verdict(5))
    assert both.verify(number) == []


def test_more_than_one_checkpoint_holds_go_into_the_next(office: Office) -> None:
    numbers = [office.submit(f"Paper {n}") for n in range(5)]
    assert checkpoints.write(office.engine, most=2) == 3
    assert checkpoints.write(office.engine, most=2) == 0
    with office.engine.store.reading() as unit:
        listed = [[item.instance for item in one.items] for one in checkpoints.checkpoints(unit)]
    assert listed == [numbers[:2], numbers[2:4], numbers[4:]]
    assert found(office) == {}


def test_what_has_no_history_and_what_stands_far_off_keeps_nobody_from_being_listed(office: Office) -> None:
    broken, second = office.submit("One"), office.submit("Two")
    office.sql("DELETE FROM history WHERE instance_id = ?", broken)
    for table, column in (("instance", "id"), ("history", "instance_id")):
        office.sql(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", 2**40, second)
    third = office.submit("Three")
    assert checkpoints.write(office.engine, most=1) >= 1
    with office.engine.store.reading() as unit:
        listed = {item.instance for one in checkpoints.checkpoints(unit) for item in one.items}
    assert {2**40, third} <= listed
    assert broken not in listed


def test_what_lost_its_last_entries_is_not_listed_again_and_again(office: Office) -> None:
    number = office.invited("One")
    office.sql("DELETE FROM history WHERE instance_id = ? AND seq = 2", number)
    assert checkpoints.write(office.engine) == 0
    assert found(office)[number][0].endswith("the tail is missing")


FORGER = b"a secret that somebody made up to forge with"


def test_a_removal_counts_where_the_site_sealed_it(office: Office) -> None:
    number = decided(office, "One")
    written(office)
    kept = list(imported(exported(office.engine)))
    checkpoints.remove(Engine(office.db, (REVIEW,), secret=FORGER, clock=office.clock), number, OPERATOR, "no reason")
    gone = "it is gone: checkpoint 1 of 2026-04-01 09:02:00 UTC knew its entry 3"
    assert office.engine.verify(number) == [gone]
    assert gone in "".join(checkpoints.against(office.engine, kept))


@pytest.mark.parametrize("said", ["", "{}", '{"instance": 0}'])
def test_a_removal_that_was_changed_counts_for_nothing_and_stops_nobody(office: Office, said: str) -> None:
    number = decided(office, "One")
    written(office)
    kept = list(imported(exported(office.engine)))
    checkpoints.remove(office.engine, number, OPERATOR, "kept for ten years")
    office.sql("UPDATE checkpoint SET said = ? WHERE kind = ?", said, REMOVAL)
    assert "it is gone" in office.engine.verify(number)[0]
    assert "it is gone" in "".join(checkpoints.against(office.engine, kept))
    assert set(found(office)) == {0, number}


def test_checkpoints_that_cannot_be_read_are_told_of(sqlite_office: Office) -> None:
    office = sqlite_office
    office.invited("One")
    written(office)
    office.sql("UPDATE checkpoint SET at = 'yesterday'")
    assert found(office)[0][0].startswith("checkpoints cannot be read: ValueError")


def test_what_is_still_to_be_delivered_keeps_an_instance(office: Office) -> None:
    number = office.submit("One")
    office.clock.forward(hours=25)
    office.engine.run_due()
    office.engine.fire(number, "withdraw", AUTHOR)
    office.letters.answer = Failed("refused")
    for state in ("waiting", "incident"):
        assert ("reminder", state) in {(row[2], row[3]) for row in office.outbox(number)}
        with pytest.raises(EventNotPossible, match="has 1 effects that were not delivered"):
            checkpoints.remove(office.engine, number, OPERATOR, "kept for ten years")
        office.dispatcher.drain()
    skip(office.engine, f"{number}.2.0", OPERATOR, "nobody waits for it")
    checkpoints.remove(office.engine, number, OPERATOR, "kept for ten years")
    assert found(office) == {}
