"""Conflicts whose unique index is not in the database: their rule is held by nothing."""

from __future__ import annotations

from collections.abc import Iterable

from engine.check.graph import asked
from engine.check.problems import Problem, position
from engine.definition import Conflict, Workflow
from engine.store import SiteDatabase

_OF_POSTGRESQL = (
    "SELECT t.relname, c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "JOIN pg_class t ON t.oid = i.indrelid LEFT JOIN pg_attribute a ON a.attrelid = c.oid "
    "WHERE i.indisunique AND i.indisvalid AND pg_table_is_visible(t.oid) ORDER BY t.relname, c.relname, a.attnum"
)
_OF_SQLITE = (
    "SELECT t.name, i.name, c.name FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_info(i.name) c "
    "WHERE t.type = 'table' AND i.\"unique\" ORDER BY t.name, i.name, c.seqno"
)
_KEYS_OF_SQLITE = (
    "SELECT t.name, '', c.name FROM sqlite_master t, pragma_table_info(t.name) c "
    "WHERE t.type = 'table' AND c.pk > 0 ORDER BY t.name, c.pk"
)


def missing_indexes(db: SiteDatabase, workflows: Iterable[Workflow]) -> list[Problem]:
    """The declared conflicts that no unique index of this database decides, each once, in order of file and line.

    The database must be open and migrated. It is only read.
    """
    there = _unique(db)
    problems: dict[str, Problem] = {}
    for workflow in workflows:
        for way in asked(workflow):
            for conflict in way.conflicts:
                if conflict.index not in problems and not _decides(db, there, conflict):
                    columns = ", ".join(conflict.columns)
                    message = (
                        f'the database has no unique index "{conflict.index}" on "{conflict.table}" ({columns}), which '
                        f'a conflict of workflow "{workflow.name}" declares; expected a migration that makes it'
                    )
                    problems[conflict.index] = Problem(way.where, "MISSING_INDEX", message)
    return sorted(problems.values(), key=position)


def _unique(db: SiteDatabase) -> dict[tuple[str, str], tuple[str, ...]]:
    """The columns of each unique index, by table and name."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for statement in (_OF_POSTGRESQL,) if db.is_shared else (_OF_SQLITE, _KEYS_OF_SQLITE):
        for table, name, column in db.execute_sql(statement).fetchall():
            found[table, name] = (*found.get((table, name), ()), column)
    return found


def _decides(db: SiteDatabase, there: dict[tuple[str, str], tuple[str, ...]], conflict: Conflict) -> bool:
    """Whether a violation of a unique index would be taken for this conflict: PostgreSQL tells its name, SQLite its
    columns (see `Violation.of`)."""
    if (conflict.table, conflict.index) in there:
        return True
    return not db.is_shared and any(
        table == conflict.table and columns == conflict.columns for (table, _), columns in there.items()
    )
