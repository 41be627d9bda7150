"""The runs: one row for each file of requests, and one for each debit in it."""

import peewee as pw

TABLES = """
CREATE TABLE direct_debit_run (
    id {id},
    number BIGINT,
    slot VARCHAR(8),
    claim VARCHAR(32) NOT NULL,
    debit_on DATE NOT NULL,
    header VARCHAR(120) NOT NULL,
    newline VARCHAR(4) NOT NULL,
    count BIGINT NOT NULL,
    total BIGINT NOT NULL,
    digest VARCHAR(64) NOT NULL,
    written_at {time},
    handed_out_at {time}
);
CREATE UNIQUE INDEX direct_debit_run_number ON direct_debit_run (number);
CREATE UNIQUE INDEX direct_debit_run_slot ON direct_debit_run (slot);
CREATE TABLE direct_debit_payment (
    id {id},
    run_id BIGINT NOT NULL REFERENCES direct_debit_run (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    bill VARCHAR(64) NOT NULL,
    taken VARCHAR(64),
    contract BIGINT NOT NULL,
    customer_number VARCHAR(32) NOT NULL,
    mandate BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    is_first BOOLEAN NOT NULL,
    state VARCHAR(16) NOT NULL,
    code VARCHAR(1) NOT NULL,
    ends_mandate BOOLEAN NOT NULL,
    told_at {time}
);
CREATE UNIQUE INDEX direct_debit_payment_run_id_position ON direct_debit_payment (run_id, position);
CREATE UNIQUE INDEX direct_debit_payment_taken ON direct_debit_payment (taken);
CREATE INDEX direct_debit_payment_mandate ON direct_debit_payment (mandate);
CREATE INDEX direct_debit_payment_state ON direct_debit_payment (state, id)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
