"""Links that may set a password anew, and mail addresses that wait for their confirmation."""

import peewee as pw

TABLES = """
CREATE TABLE password_reset (
    account_id BIGINT NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    instance BIGINT NOT NULL
){rowless};
CREATE TABLE address_change (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    account_id BIGINT NOT NULL,
    account_name VARCHAR(100) NOT NULL,
    old VARCHAR(254) NOT NULL,
    new VARCHAR(254) NOT NULL,
    language VARCHAR(8) NOT NULL,
    slot VARCHAR(100),
    asked_at {time} NOT NULL
){rowless};
CREATE INDEX address_change_customer_id ON address_change (customer_id);
CREATE UNIQUE INDEX address_change_slot ON address_change (slot)
"""

SQLITE = {"time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
