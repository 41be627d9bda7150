"""Notices with their revisions and deliveries, and the FAQ."""

import peewee as pw

TABLES = """
CREATE TABLE notice (
    id VARCHAR(16) NOT NULL PRIMARY KEY,
    instance BIGINT NOT NULL,
    kind VARCHAR(16) NOT NULL,
    products TEXT NOT NULL,
    status VARCHAR(16) NOT NULL,
    window_start {time},
    window_end {time},
    publish_at {time},
    closes_at {time},
    revision INTEGER NOT NULL,
    announced INTEGER NOT NULL,
    updated_at {time} NOT NULL
);
CREATE UNIQUE INDEX notice_instance ON notice (instance);
CREATE INDEX notice_kind_closes_at ON notice (kind, closes_at);
CREATE TABLE notice_revision (
    id {id},
    notice_id VARCHAR(16) NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at {time},
    status VARCHAR(16) NOT NULL,
    window_start {time},
    window_end {time},
    title_ja VARCHAR(200) NOT NULL,
    body_ja TEXT NOT NULL,
    title_en VARCHAR(200) NOT NULL,
    body_en TEXT NOT NULL,
    notify INTEGER NOT NULL,
    written_by BIGINT NOT NULL
);
CREATE UNIQUE INDEX notice_revision_notice_id_number ON notice_revision (notice_id, number);
CREATE TABLE notice_delivery (
    id {id},
    notice_id VARCHAR(16) NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    revision INTEGER NOT NULL,
    channel VARCHAR(64) NOT NULL,
    recipient VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL,
    attempts INTEGER NOT NULL,
    due_at {time} NOT NULL,
    give_up_at {time} NOT NULL,
    error VARCHAR(500) NOT NULL
);
CREATE UNIQUE INDEX notice_delivery_notice_id_revision_channel_recipient
    ON notice_delivery (notice_id, revision, channel, recipient);
CREATE INDEX notice_delivery_notice_id_state_due_at ON notice_delivery (notice_id, state, due_at);
CREATE TABLE faq_entry (
    id VARCHAR(16) NOT NULL PRIMARY KEY,
    instance BIGINT NOT NULL,
    category VARCHAR(50) NOT NULL,
    product VARCHAR(32) NOT NULL,
    position INTEGER NOT NULL,
    question_ja VARCHAR(200) NOT NULL,
    answer_ja TEXT NOT NULL,
    question_en VARCHAR(200) NOT NULL,
    answer_en TEXT NOT NULL,
    shown INTEGER NOT NULL,
    updated_at {time} NOT NULL
);
CREATE UNIQUE INDEX faq_entry_instance ON faq_entry (instance)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
