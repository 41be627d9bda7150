"""Who of the staff looks after a procedure, and what they note about it; notices in the order of their changes."""

import peewee as pw

TABLES = """
CREATE TABLE assignment (
    instance BIGINT NOT NULL PRIMARY KEY,
    member_id BIGINT NOT NULL REFERENCES staff_member (id) ON DELETE CASCADE,
    assigned_by BIGINT NOT NULL,
    assigned_at {time} NOT NULL
){rowless};
CREATE INDEX assignment_member_id ON assignment (member_id);
CREATE TABLE internal_note (
    id {id},
    instance BIGINT NOT NULL,
    customer_id BIGINT REFERENCES customer (id) ON DELETE CASCADE,
    member_id BIGINT NOT NULL REFERENCES staff_member (id) ON DELETE CASCADE,
    key VARCHAR(32) NOT NULL,
    noted_at {time} NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX internal_note_instance ON internal_note (instance);
CREATE INDEX internal_note_customer_id ON internal_note (customer_id);
CREATE INDEX internal_note_member_id ON internal_note (member_id);
CREATE UNIQUE INDEX internal_note_key ON internal_note (key);
CREATE INDEX notice_updated_at ON notice (updated_at)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
