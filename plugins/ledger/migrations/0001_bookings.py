"""The books: one row for each change that was applied."""

import peewee as pw

TABLES = """
CREATE TABLE ledger_booking (
    id {id},
    key VARCHAR(200) NOT NULL,
    customer_number VARCHAR(32) NOT NULL,
    contract BIGINT,
    kind VARCHAR(32) NOT NULL,
    effective_on DATE NOT NULL,
    terms TEXT NOT NULL,
    recurring_total BIGINT,
    due_total BIGINT,
    digest VARCHAR(64) NOT NULL
);
CREATE UNIQUE INDEX ledger_booking_key ON ledger_booking (key);
CREATE INDEX ledger_booking_contract ON ledger_booking (contract)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
