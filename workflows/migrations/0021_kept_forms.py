"""Forms that wait for a yes, or for a log-in, with what was typed into them."""

import peewee as pw

TABLES = """
CREATE TABLE kept_form (
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    owner VARCHAR(64) NOT NULL,
    sealed TEXT NOT NULL,
    expires_at {time} NOT NULL
);
CREATE INDEX kept_form_owner ON kept_form (owner);
CREATE INDEX kept_form_expires_at ON kept_form (expires_at)
"""

SQLITE = {"time": "DATETIME"}
POSTGRESQL = {"time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
