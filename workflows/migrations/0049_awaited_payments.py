"""Numbers with which customers pay later: until when each is due, what pages and mails say of it, and its picture."""

import peewee as pw

TABLE = """
CREATE TABLE awaited_payment (
    instance BIGINT NOT NULL PRIMARY KEY,
    mandate_id BIGINT NOT NULL REFERENCES mandate (id) ON DELETE CASCADE,
    number VARCHAR(64) NOT NULL,
    due_at {time} NOT NULL,
    remind_at {time} NOT NULL,
    lapse_at {time} NOT NULL,
    texts TEXT NOT NULL,
    picture TEXT NOT NULL,
    extended INTEGER NOT NULL,
    extensions INTEGER NOT NULL
){rowless};
CREATE UNIQUE INDEX awaited_payment_mandate_id ON awaited_payment (mandate_id)
"""

SQLITE = {"time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLE.format(**dialect).split(";"):
        db.execute_sql(statement)
