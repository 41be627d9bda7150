"""Customers, contracts, accounts, applications, sessions and throttles."""

import peewee as pw

TABLES = """
CREATE TABLE customer (
    id {id},
    number VARCHAR(32) NOT NULL,
    company VARCHAR(200) NOT NULL,
    channel VARCHAR(16) NOT NULL,
    contractor_name VARCHAR(200) NOT NULL,
    contractor_email VARCHAR(254) NOT NULL,
    contractor_person VARCHAR(200) NOT NULL,
    contractor_phone VARCHAR(32) NOT NULL,
    contractor_postcode VARCHAR(16) NOT NULL,
    contractor_address VARCHAR(400) NOT NULL,
    billing_name VARCHAR(200) NOT NULL,
    billing_postcode VARCHAR(16) NOT NULL,
    billing_address VARCHAR(400) NOT NULL,
    billing_mode VARCHAR(16) NOT NULL,
    imported TEXT NOT NULL
);
CREATE UNIQUE INDEX customer_number ON customer (number);
CREATE TABLE contract (
    id {id},
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    product VARCHAR(32) NOT NULL,
    subdomain VARCHAR(63) NOT NULL,
    term VARCHAR(16) NOT NULL,
    payment_method VARCHAR(32) NOT NULL,
    users INTEGER NOT NULL,
    started_on DATE NOT NULL,
    ended_on DATE,
    options TEXT NOT NULL,
    imported TEXT NOT NULL
);
CREATE INDEX contract_customer_id ON contract (customer_id);
CREATE UNIQUE INDEX contract_product_subdomain ON contract (product, subdomain);
CREATE TABLE account (
    id {id},
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    role VARCHAR(16) NOT NULL,
    language VARCHAR(8) NOT NULL,
    created_at {time} NOT NULL
);
CREATE UNIQUE INDEX account_customer_id_email ON account (customer_id, email);
CREATE TABLE application (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    language VARCHAR(8) NOT NULL
){rowless};
CREATE TABLE pending_application (
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    expires_at {time} NOT NULL
);
CREATE INDEX pending_application_customer_id ON pending_application (customer_id);
CREATE INDEX pending_application_expires_at ON pending_application (expires_at);
CREATE TABLE session (
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at {time} NOT NULL,
    seen_at {time} NOT NULL
);
CREATE INDEX session_account_id ON session (account_id);
CREATE INDEX session_seen_at ON session (seen_at);
CREATE TABLE throttle (
    bucket VARCHAR(64) NOT NULL PRIMARY KEY,
    full_at {time} NOT NULL
);
CREATE INDEX throttle_full_at ON throttle (full_at)
"""

# An id of an erased row must not come back: history names accounts by it.
SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
