"""Customers who were taken over and hear of nothing yet, and the waves in which they are invited."""

import peewee as pw

TABLES = """
CREATE TABLE quiet_customer (
    customer_id BIGINT NOT NULL PRIMARY KEY REFERENCES customer (id) ON DELETE CASCADE
);
CREATE TABLE wave (
    id {id},
    name VARCHAR(64) NOT NULL,
    choice VARCHAR(100) NOT NULL,
    per_hour INTEGER NOT NULL,
    decided_at {time} NOT NULL,
    begins_at {time} NOT NULL,
    undone_at {time}
);
CREATE UNIQUE INDEX wave_name ON wave (name);
CREATE TABLE opening (
    id {id},
    wave_id BIGINT NOT NULL REFERENCES wave (id) ON DELETE CASCADE,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    instance BIGINT,
    slot BIGINT,
    email VARCHAR(254),
    user_name VARCHAR(100) NOT NULL
);
CREATE UNIQUE INDEX opening_instance ON opening (instance);
CREATE UNIQUE INDEX opening_slot ON opening (slot);
CREATE UNIQUE INDEX opening_wave_id_customer_id ON opening (wave_id, customer_id);
CREATE INDEX opening_customer_id ON opening (customer_id)
"""

SQLITE = {"id": "INTEGER NOT NULL PRIMARY KEY", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
