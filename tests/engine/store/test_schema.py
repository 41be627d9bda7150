"""The tables come from migrations: the same as the records say, however many start at once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peewee as pw
import pytest

from engine.store.base import Record
from engine.store.opening import open_database
from engine.store.schema import ENGINE_MIGRATIONS, alone, migrate, pending
from tests.kit.databases import close_database
from tests.kit.dumps import dump
from tests.kit.postgres import Postgres
from tests.kit.waiting import PATIENCE
from workflows.registry import MIGRATIONS, RECORDS


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """A database without tables, of the same kind as `database_url`."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create()
    yield url
    server.drop(url)


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    db = open_database(empty_url)
    todo = pending(db, MIGRATIONS)
    assert todo
    made = migrate(db, MIGRATIONS)
    assert made[: len(todo)] == todo
    assert len(made) - len(todo) == db.is_shared  # the jobs of workers
    before = dump(db)
    assert migrate(db, MIGRATIONS) == []
    assert pending(db, MIGRATIONS) == []
    assert dump(db) == before
    close_database(db)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("def up(migrator, db):\n    db.execute_sql('CREATE TABLE instance (id BIGINT)')\n", pw.DatabaseError),
        ("def up(migrator, db):\n    raise KeyError('x')\n", KeyError),
        ("no python", SyntaxError),
    ],
)
def test_a_step_that_fails_is_named_with_its_folder_and_the_others_are_kept(
    database_url: str, tmp_path: Path, step: str, kind: type[Exception]
) -> None:
    folder = tmp_path / "vouchers" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_first.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE voucher (id BIGINT)')\n"
    )
    (folder / "0002_second.py").write_text(step)
    db = open_database(database_url)
    with pytest.raises(kind) as raised:
        migrate(db, (*MIGRATIONS, folder))
    assert raised.value.__notes__ == [f"raised by the step 0002_second of {folder}, of which nothing is kept"]
    assert pending(db, (*MIGRATIONS, folder)) == ["0002_second"]
    close_database(db)


def test_when_several_migrate_at_once_one_does_it_and_all_are_content(empty_url: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "TETSUZUKI_DATABASE_URL": empty_url,
        "TETSUZUKI_SECRET_KEY": "a secret of the tests, long enough",
        "TETSUZUKI_VAR": str(tmp_path / "var"),
    }
    commands = [
        subprocess.Popen([sys.executable, "-m", "web", "migrate"], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)  # in tests/trials/test_race.py more of them begin at one moment
    ]
    said = sorted(command.communicate(timeout=PATIENCE)[0] for command in commands)
    assert [command.returncode for command in commands] == [0, 0]
    assert sum("applied" in text for text in said) == 1
    assert said.count("the database is up to date\n") == 1


class ToldToStop(Exception):
    """What ends a wait here."""


def test_who_waits_for_another_ones_migration_can_be_told_to_stop(database_url: str) -> None:
    one, other = open_database(database_url), open_database(database_url)
    looks = 0

    def stop_at_the_third_look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise ToldToStop

    with alone(one, lambda: None), pytest.raises(ToldToStop):
        migrate(other, MIGRATIONS, stop_at_the_third_look)
    assert migrate(other, MIGRATIONS, stop_at_the_third_look) == []
    close_database(one)
    close_database(other)


def _is_free(db: pw.Database) -> bool:
    """Whether somebody else could migrate, as processes of every release ask for it."""
    if isinstance(db, pw.SqliteDatabase):
        with Path(f"{db.database}.migrate-lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
    if not db.execute_sql("SELECT pg_try_advisory_lock(7380214915)").fetchone()[0]:
        return False
    db.execute_sql("SELECT pg_advisory_unlock(7380214915)")
    return True


def test_who_migrates_is_alone_until_it_is_done_or_has_failed(database_url: str) -> None:
    one, other = open_database(database_url), open_database(database_url)
    looks: list[int] = []

    def fail() -> None:
        with alone(one, lambda: looks.append(1)):
            assert not _is_free(other)
            raise ToldToStop

    for _time in range(2):
        assert _is_free(other)
        with pytest.raises(ToldToStop):
            fail()
    assert _is_free(other)
    assert looks == []  # nobody was waited for
    close_database(one)
    close_database(other)


def test_what_is_pending_is_told_in_the_order_in_which_it_is_applied(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/new.db")
    steps = sorted(path.stem for path in ENGINE_MIGRATIONS.glob("[0-9]*.py"))
    assert pending(db, (ENGINE_MIGRATIONS,)) == steps
    assert migrate(db, ()) == []
    assert migrate(db, (ENGINE_MIGRATIONS,)) == steps
    assert pending(db, (ENGINE_MIGRATIONS,)) == []
    assert "migration_engine" in db.get_tables()
    db.execute_sql("DELETE FROM migration_engine WHERE name = ?", (steps[-1],))
    assert pending(db, (ENGINE_MIGRATIONS,)) == steps[-1:]
    db.close()


def _columns(db: pw.Database, table: str) -> dict[str, tuple[Any, ...]]:
    found = {
        column.name: (column.data_type.upper(), column.null, column.primary_key) for column in db.get_columns(table)
    }
    if isinstance(db, pw.SqliteDatabase):  # there every integer has 64 bits, and a key that is one is never null
        return {
            name: (kind.replace("BIGINT", "INTEGER"), null and not primary, primary)
            for name, (kind, null, primary) in found.items()
        }
    return found


def _indexes(db: pw.Database, table: str) -> set[tuple[tuple[str, ...], bool]]:
    primary = set(db.get_primary_keys(table))
    found = {(tuple(index.columns), index.unique) for index in db.get_indexes(table)}
    return {(columns, unique) for columns, unique in found if set(columns) != primary}


def _foreign_keys(db: pw.Database, table: str) -> set[tuple[str, str, str]]:
    return {(key.column, key.dest_table, key.dest_column) for key in db.get_foreign_keys(table)}


def _lengths(db: pw.Database, table: str) -> dict[str, Any]:
    if isinstance(db, pw.SqliteDatabase):  # there the length is part of the type
        return {}
    rows = db.execute_sql(
        "SELECT column_name, character_maximum_length FROM information_schema.columns WHERE table_name = %s", (table,)
    )
    return dict(rows.fetchall())


def _described(db: pw.Database, record: type[Record]) -> tuple[object, ...]:
    table = record._meta.table_name
    return _columns(db, table), _indexes(db, table), _foreign_keys(db, table), _lengths(db, table)


def test_migrated_tables_are_those_that_the_records_describe(database_url: str, empty_url: str) -> None:
    migrated = open_database(database_url)
    as_migrated = {record.__name__: _described(migrated, record) for record in RECORDS}
    close_database(migrated)
    made = open_database(empty_url)
    made.create_tables(RECORDS)
    as_described = {record.__name__: _described(made, record) for record in RECORDS}
    close_database(made)
    assert as_migrated == as_described


def test_deleting_a_customer_deletes_what_is_the_customers(database_url: str) -> None:
    from workflows.account_creation.records import Application
    from workflows.business.records import Account, Contract, Customer, Session

    db = open_database(database_url)
    customer = Customer.create(
        number="A00000001", company="a", channel="direct", contractor_name="b", contractor_email="c"
    )
    Application.create(instance=1, customer=customer, email="e", user_name="u", password_hash="h", language="ja")
    customer.delete_instance()
    assert Application.select().count() == Account.select().count() == Contract.select().count() == 0
    assert Session.select().count() == 0
    close_database(db)


@pytest.mark.parametrize("word", ["", "atomic = False\n"])
def test_steps_of_an_empty_database_share_a_transaction_unless_one_stands_outside_of_any(
    empty_url: str, tmp_path: Path, word: str
) -> None:
    folder = tmp_path / "vouchers" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_first.py").write_text(
        f"{word}def up(migrator, db):\n    db.execute_sql('CREATE TABLE voucher (id BIGINT)')\n"
    )
    (folder / "0002_second.py").write_text("def up(migrator, db):\n    raise KeyError('x')\n")
    db = open_database(empty_url)
    with pytest.raises(KeyError):
        migrate(db, (folder,))
    assert db.table_exists("voucher") == bool(word)
    assert pending(db, (folder,)) == (["0002_second"] if word else ["0001_first", "0002_second"])
    close_database(db)
