"""A PostgreSQL database that a test has used, made like new for the next one.

To make a database of the template and to drop it takes longer than most tests do (some 40 ms of processor time); to
empty one takes a quarter of that.
"""

from __future__ import annotations

from typing import Any

import psycopg

# What a database is besides the rows of its tables: what a test may have changed there is not undone here.
_SHAPE = """
SELECT md5(concat_ws(
    '/',
    (SELECT string_agg(concat_ws(' ', oid, relname, relnatts, relchecks, relhastriggers, reloptions), ',' ORDER BY oid)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    (SELECT string_agg(concat_ws(' ', attrelid, attname, atttypid, attnotnull), ',' ORDER BY attrelid, attnum)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'),
    (SELECT concat_ws(' ', count(*), max(oid)) FROM pg_attrdef),
    (SELECT concat_ws(' ', count(*), max(oid)) FROM pg_constraint),
    (SELECT concat_ws(' ', count(*), max(oid)) FROM pg_namespace WHERE nspname NOT LIKE 'pg_%'),
    (SELECT concat_ws(' ', count(*), max(oid)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    (SELECT concat_ws(' ', count(*), max(oid)) FROM pg_trigger),
    (SELECT concat_ws(' ', count(*), max(oid)) FROM pg_statistic_ext),
    (SELECT count(*) FROM pg_db_role_setting JOIN pg_database ON setdatabase = pg_database.oid
        WHERE datname = current_database())
))
"""
_FILLED = ("migration_engine", "migration_workflows")  # the tables that a new database has something in
_WRITTEN = """
SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
"""
_FROM_ONE = """
SELECT setval(format('%I', sequencename)::regclass, start_value, false) FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL AND sequencename NOT LIKE 'migration%'
"""
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_LOOKS = 10
_LARGE = 1 << 20  # bytes of all tables; deleted rows stay in their files and would slow the next tests down


def look(connection: psycopg.Connection[Any]) -> list[Any]:
    """What all new databases of one template have in common."""
    asked = (_SHAPE, *(f"SELECT {name}::text FROM {name} ORDER BY 1" for name in _FILLED))
    return [connection.execute(statement).fetchall() for statement in asked]


def is_emptied(connection: psycopg.Connection[Any], new: list[Any]) -> bool:
    """Empty the database, if it then is like a new one: nobody else uses it, and nothing but rows is there."""
    if not _is_left_alone(connection) or look(connection) != new:
        return False
    written: dict[str, int] = dict(connection.execute(_WRITTEN).fetchall())
    if sum(written.values()) > _LARGE:
        return False
    if tables := sorted(written.keys() - set(_FILLED)):
        # Not TRUNCATE, which makes new files of each table and of each index: some milliseconds a table.
        deletions = "; ".join(f"DELETE FROM {name}" for name in tables)
        connection.execute(f"SET session_replication_role = replica; {deletions}")  # whichever refers to which
        connection.execute(_FROM_ONE)
    return True


def _is_left_alone(connection: psycopg.Connection[Any]) -> bool:
    """Whether nobody else is connected; a backend whose client has gone takes a moment to go too."""
    for _ in range(_LOOKS):
        if connection.execute(_OTHERS).fetchone() == (0,):
            return True
        connection.execute("SELECT pg_sleep(0.005)")
    return False
