"""Change requests, staff, and which terms of use an account accepted."""

import peewee as pw

TABLES = """
ALTER TABLE account ADD COLUMN terms_version VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE application ADD COLUMN terms_version VARCHAR(64) NOT NULL DEFAULT '';
CREATE TABLE staff_member (
    id {id},
    email VARCHAR(254) NOT NULL,
    name VARCHAR(100) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    totp_secret VARCHAR(255) NOT NULL,
    active INTEGER NOT NULL,
    created_at {time} NOT NULL
);
CREATE UNIQUE INDEX staff_member_email ON staff_member (email);
CREATE TABLE change_request (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    contract_id BIGINT REFERENCES contract (id) ON DELETE CASCADE,
    kind VARCHAR(32) NOT NULL,
    slot VARCHAR(100),
    asked_by BIGINT NOT NULL,
    asked_by_name VARCHAR(100) NOT NULL,
    asked_at {time} NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    quote TEXT NOT NULL,
    effective_on DATE NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    reference VARCHAR(200) NOT NULL
){rowless};
CREATE INDEX change_request_customer_id ON change_request (customer_id);
CREATE INDEX change_request_contract_id ON change_request (contract_id);
CREATE UNIQUE INDEX change_request_slot ON change_request (slot)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
