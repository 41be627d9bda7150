"""A database that a test gives back is like new for the next one, or is gone."""

from __future__ import annotations

import psycopg
import pytest

from tests.kit.postgres import Postgres


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
