"""Reports of payment providers, stored before the provider is answered, and what staff did about them."""

import peewee as pw

TABLES = """
CREATE TABLE payment_report (
    id {id},
    provider VARCHAR(32) NOT NULL,
    event VARCHAR(255) NOT NULL,
    kind VARCHAR(64) NOT NULL,
    received_at {time} NOT NULL,
    times INTEGER NOT NULL,
    last_at {time} NOT NULL,
    sealed TEXT NOT NULL,
    state VARCHAR(16) NOT NULL,
    reason VARCHAR(32) NOT NULL,
    attempts INTEGER NOT NULL,
    due_at {time},
    decided_at {time},
    said VARCHAR(16) NOT NULL,
    status VARCHAR(16) NOT NULL,
    request BIGINT NOT NULL,
    reference VARCHAR(255) NOT NULL,
    label VARCHAR(200) NOT NULL,
    detail VARCHAR(200) NOT NULL,
    amount BIGINT NOT NULL,
    occurred_at {time}
);
CREATE UNIQUE INDEX payment_report_provider_event ON payment_report (provider, event);
CREATE INDEX payment_report_state_id ON payment_report (state, id);
CREATE INDEX payment_report_provider_state ON payment_report (provider, state);
CREATE INDEX payment_report_due_at ON payment_report (due_at);
CREATE INDEX payment_report_decided_at ON payment_report (decided_at);
CREATE INDEX payment_report_request ON payment_report (request);
CREATE TABLE payment_report_act (
    id {id},
    report_id BIGINT NOT NULL REFERENCES payment_report (id) ON DELETE CASCADE,
    act VARCHAR(16) NOT NULL,
    actor VARCHAR(128) NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    at {time} NOT NULL,
    outcome VARCHAR(16) NOT NULL
);
CREATE INDEX payment_report_act_report_id ON payment_report_act (report_id)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
