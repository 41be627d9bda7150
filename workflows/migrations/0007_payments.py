"""Mandates, and the events of payment providers."""

import peewee as pw

TABLES = """
CREATE TABLE mandate (
    id {id},
    instance BIGINT NOT NULL,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    contract_id BIGINT NOT NULL REFERENCES contract (id) ON DELETE CASCADE,
    method VARCHAR(32) NOT NULL,
    way VARCHAR(8) NOT NULL,
    label VARCHAR(200) NOT NULL,
    sealed TEXT NOT NULL,
    reference VARCHAR(255) NOT NULL,
    due_at {time},
    active_from DATE,
    ended_on DATE,
    in_use BIGINT,
    booking VARCHAR(16) NOT NULL
);
CREATE UNIQUE INDEX mandate_instance ON mandate (instance);
CREATE UNIQUE INDEX mandate_in_use ON mandate (in_use);
CREATE INDEX mandate_customer_id ON mandate (customer_id);
CREATE INDEX mandate_contract_id ON mandate (contract_id);
CREATE TABLE payment_event (
    id {id},
    provider VARCHAR(32) NOT NULL,
    event VARCHAR(255) NOT NULL,
    instance BIGINT NOT NULL,
    received_at {time} NOT NULL
);
CREATE UNIQUE INDEX payment_event_provider_event ON payment_event (provider, event)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
