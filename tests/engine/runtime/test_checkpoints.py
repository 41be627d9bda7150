"""I8: what was set back, removed or moved shows by due times under seal and by checkpoints."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from engine.delivery import Failed
from engine.errors import EventNotPossible, UnknownInstance
from engine.operations import kept_checkpoints
from engine.operations.incidents import skip
from engine.operations.kept_checkpoints import NotCheckpoints, exported, imported
from engine.runtime import checkpoints
from engine.runtime.checkpoints import CHANGES, REMOVAL
from engine.runtime.engine import Engine
from engine.runtime.verification import all_faults
from tests.kit.reviews import AUTHOR, OPERATOR, REVIEW, REVIEWER, SECRET, Office, Submission, Verdict


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

    from engine.runtime import history
    from engine.runtime.history_rows import entries_of
    from engine.store.base import to_db

    number = office.invited()
    with office.engine.store.reading() as unit:
        instance, entries = office.engine.look(number).instance, entries_of(unit, number)
    before = b""
    for entry in entries:
        before = history.seal_of(office.engine.history_keys[0], instance, 1, replace(entry, timers=None), before, to_db)
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
        listed = [[(i.instance_id, i.seq) for i in one.items] for one in checkpoints.checkpoints(unit)]
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
    assert list(kept_checkpoints.against(office.engine, kept)) == []
    set_back(office, number)
    for table, rows in zip(("checkpoint", "checkpoint_item"), early, strict=True):
        office.sql(f"DELETE FROM {table} WHERE number > ?", len(rows))
    assert found(office) == {}  # by itself it is whole
    assert list(kept_checkpoints.against(office.engine, kept)) == [
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
        for one in kept_checkpoints.against(office.engine, list(imported([lines[0], forged])))
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
    assert list(kept_checkpoints.against(office.engine, kept)) == []
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
        listed = [[item.instance_id for item in one.items] for one in checkpoints.checkpoints(unit)]
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
        listed = {item.instance_id for one in checkpoints.checkpoints(unit) for item in one.items}
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
    assert gone in "".join(kept_checkpoints.against(office.engine, kept))


@pytest.mark.parametrize("said", ["", "{}", '{"instance": 0}'])
def test_a_removal_that_was_changed_counts_for_nothing_and_stops_nobody(office: Office, said: str) -> None:
    number = decided(office, "One")
    written(office)
    kept = list(imported(exported(office.engine)))
    checkpoints.remove(office.engine, number, OPERATOR, "kept for ten years")
    office.sql("UPDATE checkpoint SET said = ? WHERE kind = ?", said, REMOVAL)
    assert "it is gone" in office.engine.verify(number)[0]
    assert "it is gone" in "".join(kept_checkpoints.against(office.engine, kept))
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


# -- the whole of what is written, and each limit ----------------------------------------------------------------------


def listed(office: Office) -> list[tuple[int, str, list[tuple[int, int]]]]:
    """Number, kind and items of every checkpoint."""
    with office.engine.store.reading() as unit:
        return [(c.number, c.kind, [(i.instance_id, i.seq) for i in c.items]) for c in checkpoints.checkpoints(unit)]


def chained(office: Office, known: dict[int, bytes] | None = None) -> list[str]:
    with office.engine.store.reading() as unit:
        return list(checkpoints.faults_of_chain(office.engine, checkpoints.checkpoints(unit), known))


def test_a_checkpoint_is_kept_as_it_was_written(sqlite_office: Office) -> None:
    office = sqlite_office
    number = decided(office, "One")
    at = office.clock.now
    assert checkpoints.write(office.engine) == 1
    office.clock.forward(minutes=1)
    checkpoints.remove(office.engine, number, OPERATOR, "kept for ten years")
    office.clock.forward(minutes=1)
    with office.engine.store.begin() as unit:
        noted = checkpoints.note_restore(office.engine, unit, OPERATOR, "the disk died", office.clock.now)
        office.engine.store.commit(unit)
    with office.engine.store.reading() as unit:
        one, two, three = checkpoints.checkpoints(unit)
        assert checkpoints.removals(office.engine, unit) == {number: two}
    (item,) = one.items
    assert (one.number, one.kind, one.at, one.said) == (1, "changes", at, "{}")
    assert (item.instance_id, item.seq, len(item.digest)) == (number, 3, 32)
    assert (two.number, two.kind, two.at, two.items) == (2, "removal", at + timedelta(minutes=1), ())
    said = f'{{"by":"operator:root","instance":{number},"reason":"kept for ten years","workflow":"review"}}'
    assert (two.said, two.removes, one.removes, three.removes) == (said, number, None, None)
    assert (three.number, three.kind, three.at) == (3, "restore", at + timedelta(minutes=2))
    assert three.said == '{"by":"operator:root","reason":"the disk died"}'
    assert (noted.number, noted.kind, noted.said) == (3, "restore", three.said)
    before = b""
    for found in (one, two, three):
        assert found.counted(before) == found.digest
        assert found.mac == checkpoints.mac_of(office.engine.history_keys[0], found.digest)
        before = found.digest
    assert chained(office) == []
    kept = list(imported(exported(office.engine)))
    assert kept == [one, two, three]


def test_what_a_removal_takes_with_it_is_all_that_the_engine_keeps(sqlite_office: Office) -> None:
    office = sqlite_office
    number, other = decided(office, "One"), decided(office, "Two")
    tables = ("timer", "outbox", "trace", "request", "pause", "history")
    office.sql("INSERT INTO timer VALUES (?, 'a', '2026-04-02 09:00:00.000000', '2026', 0, '')", number)
    office.sql("INSERT INTO timer VALUES (?, 'a', '2026-04-02 09:00:00.000000', '2026', 0, '')", other)
    counts = {table: office.sql(f"SELECT COUNT(*) FROM {table} WHERE instance_id = ?", other) for table in tables}
    checkpoints.remove(office.engine, number, OPERATOR, "x")
    for table in tables:
        assert office.sql(f"SELECT COUNT(*) FROM {table} WHERE instance_id = ?", number) == [(0,)]
        assert office.sql(f"SELECT COUNT(*) FROM {table} WHERE instance_id = ?", other) == counts[table]
    assert office.sql("SELECT id FROM instance") == [(other,)]
    assert office.sql("SELECT COUNT(*) FROM paper") == [(2,)]  # which is the procedure's own


def test_what_has_not_ended_or_is_under_way_is_not_removed(sqlite_office: Office) -> None:
    office = sqlite_office
    running, done = office.invited("One"), decided(office, "Two")
    with pytest.raises(EventNotPossible, match=rf"^Procedure {running} has not ended: it is in 'in_review'\.$"):
        checkpoints.remove(office.engine, running, OPERATOR, "x")
    for state, allowed in (("waiting", 0), ("leased", 0), ("incident", 0), ("skipped", 1), ("cancelled", 1)):
        office.sql("UPDATE outbox SET state = ? WHERE instance_id = ?", state, done)
        if not allowed:
            with pytest.raises(EventNotPossible, match=f"Procedure {done} has 1 effects that were not delivered"):
                checkpoints.remove(office.engine, done, OPERATOR, "x")
    assert listed(office) == []
    checkpoints.remove(office.engine, done, OPERATOR, "x")
    assert listed(office) == [(1, "removal", [])]
    with pytest.raises(UnknownInstance):
        checkpoints.remove(office.engine, done, OPERATOR, "x")


def test_the_chore_asks_the_table_every_ten_minutes_and_writes_when_the_last_is_as_old(sqlite_office: Office) -> None:
    office = sqlite_office
    number = decided(office, "One")
    one, other = checkpoints.Keeper(office.engine), checkpoints.Keeper(office.engine)
    assert one() == 1
    office.clock.forward(minutes=4)
    decided(office, "Two")
    assert other() == 0  # somebody has written four minutes ago
    office.clock.forward(minutes=6)
    decided(office, "Three")
    assert other() == 0  # it looked six minutes ago
    assert one() == 1
    checkpoints.remove(office.engine, number, OPERATOR, "x")
    decided(office, "Four")
    assert checkpoints.Keeper(office.engine)() == 1  # no matter how new one of another kind is
    assert [kind for _, kind, _ in listed(office)] == ["changes", "changes", "removal", "changes"]


def test_all_are_listed_once_however_they_are_cut(sqlite_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office = sqlite_office
    numbers = [office.submit(f"Paper {n}") for n in range(5)]
    for most, piece, sizes in (
        (1, 100, [1, 1, 1, 1, 1]),
        (2, 100, [2, 2, 1]),
        (5, 100, [5]),
        (6, 5, [5]),
        (3, 4, [3, 2]),
        (4, 3, [3, 2]),
        (2, 2, [2, 2, 1]),
        (9, 1, [1, 1, 1, 1, 1]),
    ):
        monkeypatch.setattr(checkpoints, "_PIECE", piece)
        assert checkpoints.write(office.engine, most) == len(sizes)
        found_now = [items for _, _, items in listed(office)]
        assert [len(items) for items in found_now] == sizes
        assert [item for items in found_now for item in items] == [(number, 1) for number in numbers]
        assert checkpoints.write(office.engine, most) == 0
        for table in ("checkpoint", "checkpoint_item"):
            office.sql(f"DELETE FROM {table}")


def test_an_instance_whose_last_entries_are_not_its_own_is_left_out(sqlite_office: Office) -> None:
    office = sqlite_office
    whole, behind, gap, ahead, unread = (office.invited(title) for title in ("a", "b", "c", "d", "e"))
    office.sql("DELETE FROM history WHERE instance_id = ? AND seq = 2", behind)
    office.sql("DELETE FROM history WHERE instance_id = ? AND seq = 1", gap)
    office.sql("UPDATE instance SET seq = 1 WHERE id = ?", ahead)  # an entry newer than the row that was read
    office.sql("UPDATE history SET at = 'yesterday' WHERE instance_id = ?", unread)
    assert checkpoints.write(office.engine) == 1
    assert listed(office) == [(1, "changes", [(whole, 2), (ahead, 1)])]


def test_what_does_not_fit_in_the_chain_is_told_and_what_fits_is_not(sqlite_office: Office) -> None:
    office = sqlite_office
    for title in ("One", "Two", "Three"):
        office.invited(title)
        written(office)
    names = [f"checkpoint {n} of 2026-04-01 09:0{2 * n}:00 UTC" for n in (1, 2, 3)]
    digests = {n: bytes(digest) for n, digest in office.sql("SELECT number, digest FROM checkpoint")}
    office.sql("UPDATE checkpoint SET mac = ? WHERE number >= 2", b"\0" * 32)
    unsealed = [f"{name} was changed, or SECRET_KEY is another one" for name in names]
    assert chained(office) == unsealed[1:]
    assert chained(office, digests) == []
    assert chained(office, {2: digests[2]}) == unsealed[2:]
    assert chained(office, {2: digests[3], 3: digests[3]}) == unsealed[1:2]
    office.sql("UPDATE checkpoint SET said = '{ }' WHERE number = 2")
    assert chained(office) == [f"{names[1]} was changed", unsealed[2]]
    office.sql("DELETE FROM checkpoint WHERE number = 1")
    assert chained(office) == [f"{names[1]}: the one before it is missing", unsealed[2]]


def test_what_is_behind_a_removal_that_was_taken_away_is_told_of_at_its_place(sqlite_office: Office) -> None:
    office = sqlite_office
    number = decided(office, "One")
    written(office)
    assert office.engine.verify(number) == []
    decided_again = decided(office, "Two")
    written(office)
    office.engine.fire(office.invited("Three"), "withdraw", AUTHOR)
    office.sql("DELETE FROM instance WHERE id = ?", number)
    for table in ("history", "timer", "outbox"):
        office.sql(f"DELETE FROM {table} WHERE instance_id = ?", number)
    assert office.engine.verify(number) == ["it is gone: checkpoint 1 of 2026-04-01 09:02:00 UTC knew its entry 3"]
    assert office.engine.verify(decided_again) == []


def test_a_fault_names_the_newest_checkpoint_that_knows_it(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.invited("One")
    written(office)
    office.engine.fire(number, "decide", REVIEWER, Verdict(5))
    written(office)
    set_back(office, number)
    assert office.engine.verify(number) == [
        "it was set back: checkpoint 2 of 2026-04-01 09:04:00 UTC knew its entry 3, the last one is now 2"
    ]
    office.engine.fire(number, "withdraw", AUTHOR)
    written(office)
    assert office.engine.verify(number) == [
        "its history is another one than checkpoint 2 of 2026-04-01 09:04:00 UTC knew"
    ]


# -- another key, a lost one ------------------------------------------------------------------------------------------


def with_keys(office: Office, *secrets: bytes) -> Engine:
    return Engine(office.db, (REVIEW,), secret=list(secrets), clock=office.clock)


def test_checkpoints_of_older_keys_are_counted_and_sealed_anew(sqlite_office: Office) -> None:
    office = sqlite_office
    for title in ("One", "Two"):
        office.invited(title)
        written(office)
    both, alone = with_keys(office, FORGER, SECRET), with_keys(office, FORGER)
    office.invited("Three")
    office.clock.forward(minutes=2)
    assert checkpoints.write(both) == 1
    assert [checkpoints.of_older_keys(engine) for engine in (office.engine, both, alone)] == [0, 2, 0]
    before = office.sql("SELECT number, digest FROM checkpoint")
    third = office.sql("SELECT mac FROM checkpoint WHERE number = 3")
    assert checkpoints.seal_anew(both) == []
    assert checkpoints.of_older_keys(both) == 0
    assert office.sql("SELECT number, digest FROM checkpoint") == before
    assert office.sql("SELECT mac FROM checkpoint WHERE number = 3") == third
    with both.store.reading() as unit:
        assert list(checkpoints.faults_of_chain(alone, checkpoints.checkpoints(unit))) == []


def test_a_checkpoint_that_no_key_has_sealed_or_that_was_changed_stays_as_it_is(sqlite_office: Office) -> None:
    office = sqlite_office
    for title in ("One", "Two", "Three", "Four"):
        office.invited(title)
        written(office)
    office.sql("UPDATE checkpoint SET mac = ? WHERE number = 1", b"\0" * 32)
    office.sql("UPDATE checkpoint SET said = '{ }' WHERE number = 3")
    before = dict(office.sql("SELECT number, mac FROM checkpoint"))
    both = with_keys(office, FORGER, SECRET)
    assert checkpoints.seal_anew(both) == [
        f"checkpoint {n} of 2026-04-01 09:0{2 * n}:00 UTC was changed, or SECRET_KEY is another one" for n in (1, 3)
    ]
    after = dict(office.sql("SELECT number, mac FROM checkpoint"))
    assert [n for n in after if after[n] != before[n]] == [2, 4]


def test_a_loss_excuses_the_seals_before_it_and_nothing_else(sqlite_office: Office) -> None:
    office = sqlite_office
    number = decided(office, "One")
    written(office)
    checkpoints.remove(office.engine, number, OPERATOR, "kept for ten years")
    new = with_keys(office, FORGER)
    with new.store.reading() as unit:
        assert checkpoints.removals(new, unit) == {}
    checkpoints.note_loss(new, OPERATOR, "the disk died")
    assert [kind for _, kind, _ in listed(office)] == ["changes", "removal", "key loss"]
    with new.store.reading() as unit:
        assert list(checkpoints.faults_of_chain(new, checkpoints.checkpoints(unit))) == []
        assert list(checkpoints.removals(new, unit)) == [number]
        *_, last = checkpoints.checkpoints(unit)
    assert last.said == '{"by":"operator:root","reason":"the disk died"}'
    assert checkpoints.seal_anew(new) == []
    checkpoints.note_loss(new, OPERATOR, "again")  # nothing is wrong any more
    assert len(listed(office)) == 3
    office.clock.forward(minutes=1)
    office.engine.start("review", "paper:x", AUTHOR, Submission("x"))
    assert checkpoints.write(office.engine) == 1  # somebody seals with the lost key behind it
    assert checkpoints.seal_anew(new) == [
        "checkpoint 4 of 2026-04-01 09:03:00 UTC was changed, or SECRET_KEY is another one"
    ]


def test_where_there_is_no_checkpoint_no_loss_is_noted(sqlite_office: Office) -> None:
    sqlite_office.invited("One")
    checkpoints.note_loss(sqlite_office.engine, OPERATOR, "x")
    assert listed(sqlite_office) == []
    written(sqlite_office)
    checkpoints.note_loss(sqlite_office.engine, OPERATOR, "x")  # its key is there
    assert [kind for _, kind, _ in listed(sqlite_office)] == ["changes"]


# -- what is kept elsewhere --------------------------------------------------------------------------------------------


def test_an_export_is_a_header_and_a_line_for_each(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.invited("One")
    written(office)
    header, line = exported(office.engine)
    assert json.loads(header) == {"format": "tetsuzuki checkpoints", "version": 1}
    ((_, digest, mac),) = office.sql("SELECT number, digest, mac FROM checkpoint")
    ((of_item,),) = office.sql("SELECT digest FROM checkpoint_item")
    assert json.loads(line) == {
        "number": 1,
        "kind": "changes",
        "at": "2026-04-01 09:02:00.000000",
        "said": "{}",
        "items": [[number, 2, bytes(of_item).hex()]],
        "digest": bytes(digest).hex(),
        "mac": bytes(mac).hex(),
    }


def test_which_line_of_a_file_is_wrong_is_told_with_the_reason(sqlite_office: Office) -> None:
    office = sqlite_office
    office.invited("One")
    written(office)
    header, line = exported(office.engine)
    expected = "expected what `tetsuzuki workflow checkpoint --export` writes"
    for lines, said in (
        ([], f"line 1: {expected} (the file is empty)"),
        ([line], f"line 1: {expected} (not the first line of an export)"),
        ([header, header], f"line 2: {expected} ('number')"),
        ([header, line, line.replace('"mac": "', '"mac": "x')], f"line 3: {expected} (non-hexadecimal number "),
    ):
        with pytest.raises(NotCheckpoints) as raised:
            list(imported(lines))
        assert str(raised.value).startswith(said)
    assert list(imported([header])) == []


def test_progress_hears_of_each_checkpoint_of_the_file(sqlite_office: Office) -> None:
    office = sqlite_office
    for title in ("One", "Two", "Three"):
        office.invited(title)
        written(office)
    told: list[int] = []
    assert list(kept_checkpoints.against(office.engine, list(imported(exported(office.engine))), told.append)) == []
    assert told == [1, 2, 3]


def test_a_database_that_went_another_way_since_then_is_told_from_one_that_was_set_back(sqlite_office: Office) -> None:
    office = sqlite_office
    numbers = []
    for title in ("One", "Two", "Three"):
        numbers.append(office.invited(title))
        written(office)
    kept = list(imported(exported(office.engine)))
    first = "checkpoint 1 of 2026-04-01 09:02:00 UTC"
    office.sql("DELETE FROM checkpoint WHERE number > 1")
    office.sql("DELETE FROM checkpoint_item WHERE number > 1")
    back = f"the database was set back: the file ends with {kept[-1]}, the database with"
    assert list(kept_checkpoints.against(office.engine, kept)) == [f"{back} {first}"]
    with office.engine.store.begin() as unit:
        checkpoints.note_restore(office.engine, unit, OPERATOR, "the disk died", office.clock.now)
        office.engine.store.commit(unit)
    restored = "checkpoint 2 of 2026-04-01 09:06:00 UTC"
    assert list(kept_checkpoints.against(office.engine, kept)) == [
        f"the database has another {restored} than the file: since then they went different ways",
        f"{restored} says that operator:root restored the database from a backup: the disk died",
    ]
    assert list(kept_checkpoints.against(office.engine, kept[:1])) == []
    for table in ("checkpoint", "checkpoint_item"):
        office.sql(f"DELETE FROM {table}")
    office.sql("DELETE FROM instance WHERE id = ?", numbers[0])
    assert list(kept_checkpoints.against(office.engine, kept)) == [
        f"{back} no checkpoint at all",
        f"instance {numbers[0]}: it is gone: {first} knew its entry 2",
    ]


def test_a_restore_of_before_the_difference_does_not_explain_it(sqlite_office: Office) -> None:
    office = sqlite_office
    for n in range(3):
        with office.engine.store.begin() as unit:
            checkpoints.note_restore(office.engine, unit, OPERATOR, f"time {n}", office.clock.now)
            office.engine.store.commit(unit)
    kept = list(imported(exported(office.engine)))
    office.sql("DELETE FROM checkpoint WHERE number = 3")
    found_now = list(kept_checkpoints.against(office.engine, kept))
    assert len(found_now) == 2
    assert found_now[1].endswith("restored the database from a backup: time 1")


def test_whoever_writes_a_checkpoint_takes_turns_with_the_others(
    sqlite_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = sqlite_office
    number = decided(office, "One")
    turns: list[bytes] = []
    with office.engine.store.reading() as unit:
        monkeypatch.setattr(type(unit), "take_turns", lambda unit, name: turns.append(name))
    new = with_keys(office, FORGER)

    def note() -> None:
        with office.engine.store.begin() as unit:
            checkpoints.note_restore(office.engine, unit, OPERATOR, "x", office.clock.now)
            office.engine.store.commit(unit)

    for act in (
        lambda: checkpoints.write(office.engine),
        lambda: checkpoints.remove(office.engine, number, OPERATOR, "x"),
        note,
        lambda: checkpoints.note_loss(new, OPERATOR, "x"),
    ):
        act()
        assert turns == [b"checkpoints"]
        turns.clear()
    checkpoints.seal_anew(office.engine)
    assert set(turns) == {b"checkpoints"}


def test_where_nothing_went_on_nobody_waits_for_a_writer(
    sqlite_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = sqlite_office
    office.invited("One")
    checkpoints.write(office.engine)
    with monkeypatch.context() as patch:
        patch.setattr(office.engine.store, "begin", None)
        assert checkpoints.write(office.engine) == 0
