"""The schedules of plugins: when each is due, and how its last run went."""

import peewee as pw

TABLES = """
CREATE TABLE schedule (
    instance BIGINT NOT NULL PRIMARY KEY,
    name VARCHAR(48) NOT NULL,
    plugin VARCHAR(64) NOT NULL,
    recurrence VARCHAR(255) NOT NULL,
    missed VARCHAR(8) NOT NULL,
    last_at {time},
    tried_at {time},
    outcome VARCHAR(16) NOT NULL DEFAULT '',
    reason VARCHAR(255) NOT NULL DEFAULT '',
    failing_since {time},
    done_at {time}
);
CREATE UNIQUE INDEX schedule_name ON schedule (name)
"""


def up(migrator, db):
    time = "DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"
    for statement in TABLES.format(time=time).split(";"):
        db.execute_sql(statement)
