"""Addresses from which mails came back, and who took such a mark away."""

import peewee as pw

TABLES = """
CREATE TABLE address_mark (
    id {id},
    email VARCHAR(254) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    first_at {time} NOT NULL,
    last_at {time} NOT NULL,
    kept_until {time} NOT NULL,
    times INTEGER NOT NULL,
    status VARCHAR(16) NOT NULL,
    words VARCHAR(300) NOT NULL,
    mail VARCHAR(100) NOT NULL,
    source VARCHAR(128) NOT NULL,
    cleared_at {time}
);
CREATE UNIQUE INDEX address_mark_email ON address_mark (email);
CREATE INDEX address_mark_last_at ON address_mark (last_at);
CREATE INDEX address_mark_kept_until ON address_mark (kept_until);
CREATE TABLE address_mark_act (
    id {id},
    mark_id BIGINT NOT NULL REFERENCES address_mark (id) ON DELETE CASCADE,
    kind VARCHAR(16) NOT NULL,
    actor VARCHAR(128) NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    at {time} NOT NULL
);
CREATE INDEX address_mark_act_mark_id ON address_mark_act (mark_id)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
