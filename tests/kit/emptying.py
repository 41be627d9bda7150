"""A PostgreSQL database that a test has used, made like new for the next one.

To make a database of the template and to drop it takes longer than most tests do (20 ms of processor time); to empty
one over a connection that knows it already takes two, and some more where much was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
        WHERE datname = current_database()),
    (SELECT concat_ws(' ', datallowconn, datconnlimit) FROM pg_database WHERE datname = current_database())
))
"""
_OWN_TABLES = """
SELECT format('%I.%I', nspname, relname)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = 'public' AND relkind = 'r'
"""
# The site's tables, and those of Procrastinate.
_WRITTEN = r"""
SELECT format('%I.%I', nspname, relname), pg_relation_size(pg_class.oid)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname !~ '^(pg_|information_schema)' AND relkind = 'r' AND pg_relation_size(pg_class.oid) > 0
"""
_COUNTING = "SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences WHERE last_value IS NOT NULL"
_FROM_ONE = """
SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
WHERE last_value IS NOT NULL AND format('%%I.%%I', schemaname, sequencename) <> ALL (%s)
"""
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_LOOKS = 10
_LARGE = 1 << 20  # bytes of all tables; deleted rows stay in their files and would slow the next tests down


@dataclass(frozen=True)
class New:
    """How a new database of one template looks: its shape, its tables, the rows that it has by table, the sequences in
    use."""

    shape: str
    tables: frozenset[str]
    rows: Mapping[str, Sequence[str]]
    counting: list[str]


def look(connection: psycopg.Connection[Any]) -> New:
    """Look at a new database."""
    rows = {name: _rows(connection, name) for name in _written(connection)}
    return New(_shape(connection), _tables(connection), rows, [name for (name,) in connection.execute(_COUNTING)])


def is_emptied(connection: psycopg.Connection[Any], new: New) -> bool:
    """Make the rows of the database those of a new one, if nobody else uses it, and nothing but rows is there."""
    if not _is_left_alone(connection):
        return False
    if others := _tables(connection) - new.tables:  # of a test's own procedures
        connection.execute(f"DROP TABLE {', '.join(sorted(others))}")
    if _shape(connection) != new.shape:
        return False
    written = _written(connection)
    if sum(written.values()) > _LARGE:
        return False
    filled = [name for name in written if name not in new.rows or _rows(connection, name) != new.rows[name]]
    if filled:
        # Not TRUNCATE, which makes new files of each table and of each index: some milliseconds a table.
        deletions = "; ".join(f"DELETE FROM {name}" for name in sorted(filled))
        # As a replica does: no trigger runs, and no foreign key asks which refers to which.
        connection.execute(f"SET session_replication_role = replica; {deletions}")
        # Rows of equal rank come in the order of the file, so it begins with the first one again.
        connection.execute(f"VACUUM (INDEX_CLEANUP ON) {', '.join(sorted(filled))}")
        for name in filled:
            for row in new.rows.get(name, ()):
                connection.execute(f"INSERT INTO {name} SELECT (%s::{name}).*", [row])
    connection.execute(_FROM_ONE, [new.counting])  # a number may have been drawn for a row that was never written
    return True


def _shape(connection: psycopg.Connection[Any]) -> str:
    return str(connection.execute(_SHAPE).fetchall())


def _tables(connection: psycopg.Connection[Any]) -> frozenset[str]:
    return frozenset(name for (name,) in connection.execute(_OWN_TABLES))


def _written(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """The tables that have or had rows, with the bytes of each."""
    return dict(connection.execute(_WRITTEN).fetchall())


def _rows(connection: psycopg.Connection[Any], name: str) -> list[str]:
    return [row for (row,) in connection.execute(f"SELECT found::text FROM {name} found ORDER BY 1")]


def _is_left_alone(connection: psycopg.Connection[Any]) -> bool:
    """Whether nobody else is connected; a backend whose client has gone takes a moment to go too."""
    for _ in range(_LOOKS):
        if connection.execute(_OTHERS).fetchone() == (0,):
            return True
        connection.execute("SELECT pg_sleep(0.005)")
    return False
