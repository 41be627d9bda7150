"""A database that a test gives back is like new for the next one, or is gone."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from engine.store.schema import pending
from engine.testing import MemoryMailer
from tests.kit.databases import opened_database
from tests.kit.postgres import Postgres
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


def test_rows_of_a_new_database_are_there_again(postgres: Postgres) -> None:
    first, again = lent_and_changed(
        postgres, "DELETE FROM migration_engine WHERE id = 1", "UPDATE search_seen SET upto = 7"
    )
    assert again == first
    assert execute(again, "SELECT count(*) FROM migration_engine WHERE id = 1") == [(1,)]
    assert execute(again, "SELECT DISTINCT upto FROM search_seen") == [(0,)]
    postgres.give_back(again)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE instance ADD COLUMN more integer",
        "CREATE TABLE more (id integer)",
        "CREATE INDEX more ON instance (state)",
        "ALTER TABLE instance ALTER COLUMN state DROP NOT NULL",
        "CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$",
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


def test_a_database_is_dropped_although_who_is_thrown_out_takes_longer_than_the_server_waits(
    postgres: Postgres,
) -> None:
    """As on a machine that is busy: the backend of a client that was killed does not get to its end."""
    url = postgres.lend()
    with closing(psycopg.connect(url)) as used, ThreadPoolExecutor(1) as pool:
        ((backend,),) = used.execute("SELECT pg_backend_pid()").fetchall()
        os.kill(backend, signal.SIGSTOP)
        try:
            dropping = pool.submit(postgres.drop, url)
            refused = f'{used.info.dbname}" is being accessed by other users'
            until(lambda: refused in postgres.log(), "the server to give up")
        finally:
            os.kill(backend, signal.SIGCONT)
        dropping.result(PATIENCE)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        execute(url, "SELECT 1")


def test_a_site_finds_nothing_to_migrate_in_a_database_of_tests(database_url: str, tmp_path: Path) -> None:
    """Each of some thousand sites would migrate it for itself."""
    settings = Settings(database_url=database_url, secret_key=SECRET, base_url="http://localhost", var=tmp_path)
    with opened_database(database_url) as db:
        assert pending(db, (*MIGRATIONS, *plugins_with(settings, MemoryMailer()).migrations())) == []
