"""Invitations of accounts, and where to write to somebody whose account was deleted a moment ago."""

import peewee as pw

TABLES = """
CREATE TABLE invitation (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254),
    user_name VARCHAR(100) NOT NULL,
    role VARCHAR(16) NOT NULL,
    language VARCHAR(8) NOT NULL,
    invited_by BIGINT NOT NULL,
    created_at {time} NOT NULL,
    account_id BIGINT REFERENCES account (id) ON DELETE CASCADE
){rowless};
CREATE UNIQUE INDEX invitation_customer_id_email ON invitation (customer_id, email);
CREATE INDEX invitation_account_id ON invitation (account_id);
CREATE TABLE removed_account (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    language VARCHAR(8) NOT NULL
){rowless};
CREATE INDEX removed_account_customer_id ON removed_account (customer_id)
"""

SQLITE = {"time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
