"""The bills: one row for each that was ever asked for."""

import peewee as pw

TABLES = """
CREATE TABLE ledger_bill (
    id {id},
    number VARCHAR(64) NOT NULL,
    contract BIGINT NOT NULL,
    due_on DATE NOT NULL,
    total BIGINT NOT NULL
);
CREATE UNIQUE INDEX ledger_bill_number ON ledger_bill (number);
CREATE INDEX ledger_bill_contract ON ledger_bill (contract)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
