"""Rows by the hundred thousand for benchmarks: bulk loading, and mailed links that are long overdue.

The links' history is sealed as the engine seals it, so that every chain verifies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import peewee as pw

from engine.attempt import Instance
from engine.runtime import history
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase, to_db
from engine.store.opening import open_database
from engine.store.schema import migrate
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.records import Customer
from workflows.registry import MIGRATIONS

SECRET = "a secret of the benchmark, long enough"
_AT_ONCE = 10_000

INSTANCE = ("id", "workflow", "version", "subject", "state", "seq", "generation", "head")
HISTORY = ("instance_id", "seq", "event", "source", "target", "actor", "at", "due_at", "data", "mac")
TIMER = ("instance_id", "event", "due_at", "wake_at", "failures", "error")
APPLICATION = ("instance", "customer_id", "email", "user_name", "password_hash", "language", "terms_version")


def load(db: pw.Database, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Put rows into a table the fast way: one transaction on SQLite, COPY on PostgreSQL."""
    connection = db.connection()
    names = ", ".join(columns)
    if isinstance(db, pw.SqliteDatabase):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})", rows)
        connection.execute("COMMIT")
        return
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def give_up(db: pw.Database) -> None:
    """Make incidents of all waiting effects with an error, as a site does: in a step that counts them."""
    db.execute_sql("UPDATE outbox SET state = 'incident' WHERE state = 'waiting' AND error <> ''")


def analyze(db: pw.Database) -> None:
    """What a server does by itself sooner or later: learn how many rows there are; and on SQLite empty the log."""
    if isinstance(db, pw.SqliteDatabase):
        db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return
    db.connection().execute("VACUUM ANALYZE")


def opened(url: str) -> SiteDatabase:
    """A migrated database with one customer."""
    db = open_database(url)
    migrate(db, MIGRATIONS)
    if not Customer.select().exists():
        Customer.create(
            number="A01234567", company="X", channel="direct", contractor_name="X", contractor_email="x@example.com"
        )
    return db


def closed(db: SiteDatabase) -> None:
    """Close every connection."""
    db.close()
    if hasattr(db, "close_all"):
        db.close_all()


def links(
    db: SiteDatabase, numbers: range, workflow: str = "account_creation", due: timedelta = timedelta(hours=-6)
) -> None:
    """Mailed links, one an instance, that end `due` from now."""
    customer = Customer.get().id
    engine = Engine(db, [ACCOUNT_CREATION], secret=SECRET.encode())
    now = datetime.now(UTC)
    begun, ends = to_db(now - timedelta(hours=30)), to_db(now + due)
    for first in range(numbers.start, numbers.stop, _AT_ONCE):
        some = range(first, min(first + _AT_ONCE, numbers.stop))
        sealed = [_sealed(engine, number, workflow, customer, begun) for number in some]
        load(db, "instance", INSTANCE, (instance for instance, _ in sealed))
        load(db, "history", HISTORY, (entry for _, entries in sealed for entry in entries))
        load(db, "timer", TIMER, ((number, "expire", ends, ends, 0, "") for number in some))
        load(db, "application", APPLICATION, _applications(some, customer))
    if not isinstance(db, pw.SqliteDatabase):
        db.execute_sql("SELECT setval('instance_id_seq', max(id)) FROM instance")


def _sealed(engine: Engine, number: int, workflow: str, customer: int, at: str) -> tuple[tuple[Any, ...], list[Any]]:
    found = Instance(number, workflow, 1, f"customer:{customer}", "emailed", 2, 0, b"")
    entries, before = [], b""
    for seq, event, source, target, actor in (
        (1, "start", "", "requested", "visitor:0123456789abcdef"),
        (2, "sent", "requested", "emailed", "system"),
    ):
        mac = history.seal(engine.history_keys[0], found, seq, event, source, target, actor, at, None, "{}", before)
        entries.append((number, seq, event, source, target, actor, at, None, "{}", mac))
        before = mac
    return (number, workflow, 1, found.about, "emailed", 2, 0, before), entries


def _applications(numbers: range, customer: int) -> Iterator[tuple[Any, ...]]:
    for number in numbers:
        yield number, customer, f"u{number}@example.com", "山田 太郎", "h" * 97, "ja", ""
