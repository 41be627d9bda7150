"""Payments: the money of bills that are collected, and how often each was asked for."""

import peewee as pw

TABLES = """
CREATE TABLE payment (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    contract_id BIGINT NOT NULL REFERENCES contract (id) ON DELETE CASCADE,
    bill VARCHAR(64) NOT NULL,
    amount BIGINT NOT NULL,
    paid BIGINT NOT NULL,
    due_on DATE NOT NULL,
    ask_on DATE NOT NULL,
    tries INTEGER NOT NULL,
    mandate BIGINT NOT NULL,
    method VARCHAR(32) NOT NULL,
    under_way INTEGER NOT NULL,
    retry_on DATE,
    reminders INTEGER NOT NULL,
    settled_at {time},
    reason VARCHAR(1000) NOT NULL,
    begun_at {time} NOT NULL
);
CREATE UNIQUE INDEX payment_bill ON payment (bill);
CREATE INDEX payment_customer_id ON payment (customer_id);
CREATE INDEX payment_contract_id ON payment (contract_id);
CREATE INDEX payment_settled_at ON payment (settled_at);
CREATE TABLE payment_try (
    id {id},
    payment_id BIGINT NOT NULL REFERENCES payment (instance) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    mandate BIGINT NOT NULL,
    method VARCHAR(32) NOT NULL,
    amount BIGINT NOT NULL,
    key VARCHAR(200) NOT NULL,
    reference VARCHAR(255) NOT NULL,
    began_at {time} NOT NULL,
    asked_at {time},
    status VARCHAR(16) NOT NULL,
    failure VARCHAR(32) NOT NULL,
    detail VARCHAR(200) NOT NULL,
    paid BIGINT NOT NULL,
    refunded BIGINT NOT NULL,
    answered_at {time}
);
CREATE UNIQUE INDEX payment_try_payment_id_number ON payment_try (payment_id, number);
ALTER TABLE payment_report ADD COLUMN failure VARCHAR(32) NOT NULL DEFAULT ''
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
