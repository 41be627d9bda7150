"""What somebody with the database in his hands can do, on each kind of database."""

from __future__ import annotations

from typing import Any

from engine.store.base import SiteDatabase


def sql(db: SiteDatabase, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    """Run a statement, in which `?` marks a value; its rows, where it has any."""
    if db.param != "?":
        statement = statement.replace("%", "%%").replace("?", db.param)
    cursor = db.execute_sql(statement, params)
    return list(cursor.fetchall()) if cursor.description else []
