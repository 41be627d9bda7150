"""Checks that each declared conflict has its unique index in the database: without the index nothing holds the rule."""

from __future__ import annotations

from collections.abc import Iterable, Set

from engine.definition import Conflict, Location, Workflow
from engine.runtime.soundness.graph import asked
from engine.runtime.soundness.problems import Problem, position
from engine.store.base import SiteDatabase

_OF_POSTGRESQL = (
    "SELECT t.relname, c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "JOIN pg_class t ON t.oid = i.indrelid LEFT JOIN pg_attribute a ON a.attrelid = c.oid "
    "WHERE t.relname IN ({}) AND i.indisunique AND i.indisvalid AND pg_table_is_visible(t.oid) "
    "ORDER BY t.relname, c.relname, a.attnum"
)
_OF_SQLITE = (
    "SELECT t.name, i.name, c.name FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_info(i.name) c "
    "WHERE t.type = 'table' AND t.name IN ({}) AND i.\"unique\" ORDER BY t.name, i.name, c.seqno"
)
_KEYS_OF_SQLITE = (
    "SELECT t.name, '', c.name FROM sqlite_master t, pragma_table_info(t.name) c "
    "WHERE t.type = 'table' AND t.name IN ({}) AND c.pk > 0 ORDER BY t.name, c.pk"
)


def missing_indexes(db: SiteDatabase, workflows: Iterable[Workflow]) -> list[Problem]:
    """The declared conflicts without a unique index in this database, each once, in order of file and line.

    The database must be open and migrated. It is only read.
    """
    declared: dict[str, tuple[Conflict, Workflow, Location]] = {}
    for workflow in workflows:
        for way in asked(workflow):
            for conflict in way.conflicts:
                declared.setdefault(conflict.index, (conflict, workflow, way.where))
    there = _unique(db, {conflict.table for conflict, _, _ in declared.values()})
    problems = []
    for conflict, workflow, where in declared.values():
        if not _decides(db, there, conflict):
            message = (
                f'the database has no unique index "{conflict.index}" on "{conflict.table}" '
                f'({", ".join(conflict.columns)}), which a conflict of workflow "{workflow.name}" declares; '
                "expected a migration that makes it"
            )
            problems.append(Problem(where, "MISSING_INDEX", message))
    return sorted(problems, key=position)


def _unique(db: SiteDatabase, tables: Set[str]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The columns of each unique index of these tables, by (table, index name)."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    marks, names = ", ".join([db.param] * len(tables)), sorted(tables)
    for statement in ((_OF_POSTGRESQL,) if db.is_shared else (_OF_SQLITE, _KEYS_OF_SQLITE)) if tables else ():
        for table, name, column in db.execute_sql(statement.format(marks), names).fetchall():
            found[table, name] = (*found.get((table, name), ()), column)
    return found


def _decides(db: SiteDatabase, there: dict[tuple[str, str], tuple[str, ...]], conflict: Conflict) -> bool:
    """Whether the violation of an existing unique index would be taken for this conflict: PostgreSQL reports the
    index's name, SQLite its columns (see `Violation.of`)."""
    if (conflict.table, conflict.index) in there:
        return True
    return not db.is_shared and any(
        table == conflict.table and columns == conflict.columns for (table, _), columns in there.items()
    )
