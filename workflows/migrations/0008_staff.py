"""Staff: their sessions, the one-time addresses of their set-up, and the last TOTP step that each has used."""

import peewee as pw

TABLES = """
ALTER TABLE staff_member ADD COLUMN totp_step BIGINT NOT NULL DEFAULT 0;
CREATE TABLE staff_session (
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    member_id BIGINT NOT NULL REFERENCES staff_member (id) ON DELETE CASCADE,
    created_at {time} NOT NULL,
    seen_at {time} NOT NULL
){rowless};
CREATE INDEX staff_session_member_id ON staff_session (member_id);
CREATE INDEX staff_session_seen_at ON staff_session (seen_at);
CREATE TABLE staff_set_up (
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    member_id BIGINT NOT NULL REFERENCES staff_member (id) ON DELETE CASCADE,
    totp_secret VARCHAR(255) NOT NULL,
    expires_at {time} NOT NULL
){rowless};
CREATE UNIQUE INDEX staff_set_up_member_id ON staff_set_up (member_id);
CREATE INDEX staff_set_up_expires_at ON staff_set_up (expires_at)
"""

SQLITE = {"time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
