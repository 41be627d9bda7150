"""What is paused, and what was: an instance, a version of a workflow, or a channel."""

import peewee as pw

TABLES = """
CREATE TABLE pause (
    number {id},
    scope VARCHAR(16) NOT NULL,
    target VARCHAR(128) NOT NULL,
    instance_id BIGINT NOT NULL,
    workflow VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    recipient VARCHAR(64) NOT NULL,
    since {time} NOT NULL,
    actor VARCHAR(128) NOT NULL,
    reason TEXT NOT NULL,
    ended_at {time},
    ended_by VARCHAR(128) NOT NULL,
    ended_reason TEXT NOT NULL
);
CREATE UNIQUE INDEX pause_open ON pause (target) WHERE ended_at IS NULL;
CREATE INDEX pause_open_scope ON pause (scope) WHERE ended_at IS NULL;
CREATE INDEX pause_target ON pause (target, since);
CREATE INDEX pause_instance ON pause (instance_id) WHERE instance_id > 0
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
