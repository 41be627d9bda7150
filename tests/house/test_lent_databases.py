"""A database that a test gives back is like new for the next one, or is gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from engine.store.jobs import SCHEMA
from engine.store.schema import pending
from engine.testing import MemoryMailer
from tests.kit.databases import opened_database
from tests.kit.postgres import Postgres, database_name
from tests.kit.sites import SECRET, plugins_with
from tests.kit.waiting import PATIENCE, until
from web.assembly.settings import Settings
from workflows.registry import MIGRATIONS


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def lent_and_changed(postgres: Postgres, *statements: str) -> tuple[str, str]:
    """The database that `statements` changed, and the one that is lent after it was given back."""
    url = postgres.lend()
    for statement in statements:
        execute(url, statement)
    postgres.give_back(url)
    return url, postgres.lend()


def test_rows_are_gone_and_numbers_begin_anew(postgres: Postgres) -> None:
    first, again = lent_and_changed(
        postgres,
        "INSERT INTO throttle (bucket, full_at) VALUES ('log-in', now())",
        "SELECT setval(pg_get_serial_sequence('instance', 'id'), 7)",
    )
    assert again == first
    assert execute(again, "SELECT count(*) FROM throttle") == [(0,)]
    assert execute(again, "SELECT nextval(pg_get_serial_sequence('instance', 'id'))") == [(1,)]
    postgres.give_back(again)


def test_numbers_begin_anew_where_no_row_was_written_either(postgres: Postgres) -> None:
    first, again = lent_and_changed(postgres, "SELECT nextval(pg_get_serial_sequence('instance', 'id'))")
    assert again == first
    assert execute(again, "SELECT nextval(pg_get_serial_sequence('instance', 'id'))") == [(1,)]
    postgres.give_back(again)


def test_rows_of_procrastinate_are_gone_too(postgres: Postgres) -> None:
    table = f"{SCHEMA}.procrastinate_workers"
    first, again = lent_and_changed(postgres, f"INSERT INTO {table} DEFAULT VALUES")
    assert again == first
    assert execute(again, f"SELECT count(*) FROM {table}") == [(0,)]
    postgres.give_back(again)


def test_rows_of_a_new_database_are_there_again(postgres: Postgres) -> None:
    first, again = lent_and_changed(
        postgres, "DELETE FROM migration_engine WHERE id = 1", "UPDATE search_seen SET upto = 7"
    )
    assert again == first
    assert execute(again, "SELECT count(*) FROM migration_engine WHERE id = 1") == [(1,)]
    assert execute(again, "SELECT DISTINCT upto FROM search_seen") == [(0,)]
    postgres.give_back(again)


def test_tables_of_a_tests_own_are_gone(postgres: Postgres) -> None:
    first, again = lent_and_changed(
        postgres, "CREATE TABLE more (id serial PRIMARY KEY); CREATE TABLE other (id integer REFERENCES more)"
    )
    assert again == first
    assert execute(again, "SELECT to_regclass('more'), to_regclass('other')") == [(None, None)]
    postgres.give_back(again)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE instance ADD COLUMN more integer",
        "CREATE INDEX more ON instance (state)",
        "ALTER TABLE instance ALTER COLUMN state DROP NOT NULL",
        "CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 1', current_database()); END $$",
    ],
)
def test_what_was_changed_besides_rows_is_dropped(postgres: Postgres, statement: str) -> None:
    first, next_one = lent_and_changed(postgres, statement)
    assert next_one != first
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        execute(first, "SELECT 1")
    postgres.give_back(next_one)


def test_what_somebody_uses_yet_is_dropped(postgres: Postgres) -> None:
    url = postgres.lend()
    with psycopg.connect(url) as used:
        postgres.give_back(url)
        with pytest.raises(psycopg.OperationalError):
            used.execute("SELECT 1")


@contextmanager
def halted(url: str) -> Iterator[None]:
    """A backend of the database of a URL does not get on, as on a machine that is busy."""
    with closing(psycopg.connect(url)) as used:
        ((backend,),) = used.execute("SELECT pg_backend_pid()").fetchall()
        os.kill(backend, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(backend, signal.SIGCONT)


def dropped_once_said(postgres: Postgres, url: str, used: str, refused: str) -> None:
    """Drop the database of `url` while a backend of that of `used` is halted, until the server has said so."""
    with ThreadPoolExecutor(1) as pool:
        with halted(used):
            dropping = pool.submit(postgres.drop, url)
            until(lambda: refused in postgres.log(), "the server to give up")
        dropping.result(PATIENCE)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        execute(url, "SELECT 1")


def test_a_database_is_dropped_although_who_is_thrown_out_takes_longer_than_the_server_waits(
    postgres: Postgres,
) -> None:
    """As the backend of a client that was killed."""
    url = postgres.lend()
    dropped_once_said(postgres, url, url, f'{database_name(url)}" is being accessed by other users')


def test_a_database_is_dropped_although_the_server_waits_for_another_one_without_an_end(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.kit.postgres.ATTEMPT", 500)
    url, other = postgres.lend(), postgres.lend()
    dropped_once_said(postgres, url, other, f"STATEMENT:  DROP DATABASE {database_name(url)}")
    postgres.give_back(other)


def test_a_site_finds_nothing_to_migrate_in_a_database_of_tests(database_url: str, tmp_path: Path) -> None:
    """Each of some thousand sites would migrate it for itself."""
    settings = Settings(database_url=database_url, secret_key=SECRET, base_url="http://localhost", var=tmp_path)
    with opened_database(database_url) as db:
        assert pending(db, (*MIGRATIONS, *plugins_with(settings, MemoryMailer()).migrations())) == []
