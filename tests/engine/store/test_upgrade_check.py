"""What an upgrade will take is said beforehand, by a sample, and nothing is changed; long work goes on in pieces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.store.base import SiteDatabase, database, transaction
from engine.store.data_steps import DataStep, carry_out
from engine.store.opening import open_database
from engine.store.schema import migrate, pending
from engine.store.upgrade_check import UpgradeCheck, check
from tests.kit.databases import close_database
from tests.kit.dumps import dump
from tests.old_sites import REVISIONS, restore
from workflows.registry import MIGRATIONS


def test_what_would_run_is_timed_on_a_sample_and_the_site_stays_as_it_was(empty_url: str) -> None:
    restore(REVISIONS[0], empty_url)
    db = open_database(empty_url)
    before, todo = dump(db), pending(db, MIGRATIONS)
    found = check(db, MIGRATIONS)
    assert found.unknown == ""
    assert [step.name for step in found.steps] == todo
    assert all(step.seconds is not None and step.seconds > 0 for step in found.steps)
    assert found.seconds is not None
    assert found.growth is not None
    assert found.growth > 0
    assert found.sampled == found.rows > 100
    assert dump(db) == before
    assert pending(db, MIGRATIONS) == todo
    migrate(db, MIGRATIONS)
    after = check(db, MIGRATIONS)
    assert (after.steps, after.fits) == ((), True)
    close_database(db)


def test_a_part_of_a_larger_site_is_tried(empty_url: str) -> None:
    restore(REVISIONS[0], empty_url)
    db = open_database(empty_url)
    found = check(db, MIGRATIONS, sample=40)
    assert found.unknown == ""
    assert [step.name for step in found.steps] == pending(db, MIGRATIONS)
    assert (found.sampled, found.rows > 100) == (40, True)
    close_database(db)


def test_what_a_sample_took_is_reckoned_up_to_all_rows(sqlite_url: str, tmp_path: Path) -> None:
    db = open_database(sqlite_url)
    db.execute_sql("CREATE TABLE parcel (id INTEGER PRIMARY KEY, text TEXT)")
    many = json.dumps(["x" * 500] * 60_000)
    db.execute_sql("INSERT INTO parcel (text) SELECT value FROM json_each(?)", (many,))
    folder = tmp_path / "parcels" / "migrations"
    folder.mkdir(parents=True)
    made = "def up(migrator, db):\n    db.execute_sql('CREATE TABLE parcel (id INTEGER PRIMARY KEY, text TEXT)')\n"
    (folder / "0001_parcels.py").write_text(made)
    copied = "CREATE TABLE copy AS SELECT * FROM parcel"
    (folder / "0002_copy.py").write_text(f"def up(migrator, db):\n    db.execute_sql('{copied}')\n")
    db.execute_sql("CREATE TABLE migration_parcels (id INTEGER PRIMARY KEY, name TEXT UNIQUE, applied DATETIME)")
    db.execute_sql("INSERT INTO migration_parcels (name, applied) VALUES ('0001_parcels', '2026-01-01')")
    found = check(db, (*MIGRATIONS, folder))
    assert [step.name for step in found.steps] == ["0002_copy"]
    assert found.growth is not None
    # The copy, and as much in the log before it is in the file.
    assert 60_000 * 500 < found.growth < 60_000 * 500 * 3
    db.close()


def test_a_disk_without_room_is_told() -> None:
    assert not UpgradeCheck((), 1, 1, growth=2, free=1).fits
    assert UpgradeCheck((), 1, 1, growth=2, free=2).fits
    assert UpgradeCheck((), 1, 1, growth=2).fits


class Killed(Exception):
    """What ends the work here, as a kill would: between two pieces."""


def _marking(pieces: list[int]) -> DataStep:
    """Marks rows of `mark`, at most three a commit."""

    def left(db: SiteDatabase) -> int:
        return int(db.execute_sql("SELECT COUNT(*) FROM mark WHERE done = 0").fetchone()[0])

    def piece(db: SiteDatabase) -> int:
        assert database.obj is db
        with transaction():
            sql = "UPDATE mark SET done = done + 1 WHERE id IN (SELECT id FROM mark WHERE done = 0 ORDER BY id LIMIT 3)"
            count = int(db.execute_sql(sql).rowcount)
        pieces.append(count)
        return count

    return DataStep("marks", left, piece)


def test_work_in_pieces_goes_on_where_it_was_killed(database_url: str) -> None:
    db = open_database(database_url)
    db.execute_sql("CREATE TABLE mark (id INTEGER PRIMARY KEY, done INTEGER NOT NULL)")
    for number in range(8):
        db.execute_sql(f"INSERT INTO mark VALUES ({number}, 0)")
    pieces: list[int] = []
    heard: list[tuple[str, int, int]] = []

    def kill_after_two() -> None:
        if len(pieces) == 2:
            raise Killed

    with pytest.raises(Killed):
        carry_out(db, [_marking(pieces)], lambda *told: heard.append(told), kill_after_two)
    close_database(db)
    db = open_database(database_url)
    assert carry_out(db, [_marking(pieces)], lambda *told: heard.append(told), lambda: None) == ["marks"]
    assert pieces == [3, 3, 2]
    assert db.execute_sql("SELECT MIN(done), MAX(done) FROM mark").fetchone() == (1, 1)
    assert heard == [("marks", 0, 8), ("marks", 3, 8), ("marks", 0, 2), ("marks", 2, 2)]
    assert carry_out(db, [_marking(pieces)], lambda *told: heard.append(told), lambda: None) == []
    close_database(db)
