"""Due times under the seal of their entry; checkpoints, which hold where histories stood."""

import peewee as pw

TABLES = """
ALTER TABLE history ADD COLUMN timers TEXT;
CREATE TABLE checkpoint (
    number INTEGER NOT NULL PRIMARY KEY,
    kind VARCHAR(16) NOT NULL,
    at {time} NOT NULL,
    said TEXT NOT NULL,
    digest {blob} NOT NULL,
    mac {blob} NOT NULL
);
CREATE TABLE checkpoint_item (
    number INTEGER NOT NULL,
    instance_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    digest {blob} NOT NULL,
    PRIMARY KEY (number, instance_id)
){rowless};
CREATE INDEX checkpoint_item_instance ON checkpoint_item (instance_id, seq)
"""

SQLITE = {"blob": "BLOB", "time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"blob": "BYTEA", "time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
