"""Instances, their history, timers and outbox, request keys, and the definitions that were released."""

import peewee as pw

TABLES = """
CREATE TABLE instance (
    id {id},
    workflow VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    subject VARCHAR(128) NOT NULL,
    state VARCHAR(64) NOT NULL,
    seq INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    head {blob} NOT NULL
);
CREATE INDEX instance_subject ON instance (subject);
CREATE TABLE history (
    instance_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    event VARCHAR(64) NOT NULL,
    source VARCHAR(64) NOT NULL,
    target VARCHAR(64) NOT NULL,
    actor VARCHAR(128) NOT NULL,
    at {time} NOT NULL,
    due_at {time},
    data TEXT NOT NULL,
    mac {blob} NOT NULL,
    PRIMARY KEY (instance_id, seq)
){rowless};
CREATE TABLE timer (
    instance_id BIGINT NOT NULL,
    event VARCHAR(64) NOT NULL,
    due_at {time} NOT NULL,
    wake_at {time} NOT NULL,
    failures INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (instance_id, event)
){rowless};
CREATE INDEX timer_wake_at ON timer (wake_at);
CREATE TABLE outbox (
    instance_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    name VARCHAR(64) NOT NULL,
    recipient VARCHAR(64) NOT NULL,
    language VARCHAR(8) NOT NULL,
    figures TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state VARCHAR(16) NOT NULL,
    attempts INTEGER NOT NULL,
    claims INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    due_at {time} NOT NULL,
    deadline_at {time} NOT NULL,
    leased_by VARCHAR(64) NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (instance_id, seq, position)
){rowless};
CREATE INDEX outbox_due_at ON outbox (due_at) WHERE state IN ('waiting', 'leased');
CREATE INDEX outbox_incident ON outbox (instance_id) WHERE state = 'incident';
CREATE TABLE request (
    actor VARCHAR(128) NOT NULL,
    key VARCHAR(128) NOT NULL,
    instance_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    digest {blob} NOT NULL,
    PRIMARY KEY (actor, key)
){rowless};
CREATE TABLE definition (
    name VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    digest VARCHAR(64) NOT NULL,
    PRIMARY KEY (name, version)
){rowless}
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "blob": "BLOB", "time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "blob": "BYTEA", "time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
