"""What is in a database, all of it: for tests that say that nothing was written, or that no secret was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peewee as pw


def dump(db: pw.Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in a fixed order."""
    tables = sorted(db.get_tables())
    assert tables
    return {
        table: sorted(map(_plain, db.execute_sql(f'SELECT * FROM "{table}"').fetchall()), key=repr) for table in tables
    }


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)


def dump_bytes(db: pw.Database) -> bytes:
    """Everything that somebody who stole the database could read: rows, and on SQLite the files with their remains."""
    parts = [b"".join(_bytes(value) + b"\n" for row in rows for value in row) for rows in dump(db).values()]
    if isinstance(db, pw.SqliteDatabase):
        parts += [path.read_bytes() for path in Path(db.database).parent.glob(Path(db.database).name + "*")]
    return b"\n".join(parts)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
