"""Events that the webhooks of plugins took, stored before their senders are answered, and what operators did about
them."""

import peewee as pw

TABLES = """
CREATE TABLE webhook_event (
    id {id},
    plugin VARCHAR(64) NOT NULL,
    webhook VARCHAR(32) NOT NULL,
    event VARCHAR(255) NOT NULL,
    kind VARCHAR(64) NOT NULL,
    received_at {time} NOT NULL,
    times INTEGER NOT NULL,
    last_at {time} NOT NULL,
    sealed TEXT NOT NULL,
    state VARCHAR(16) NOT NULL,
    reason VARCHAR(200) NOT NULL,
    attempts INTEGER NOT NULL,
    due_at {time},
    decided_at {time}
);
CREATE UNIQUE INDEX webhook_event_plugin_webhook_event ON webhook_event (plugin, webhook, event);
CREATE INDEX webhook_event_state_id ON webhook_event (state, id);
CREATE INDEX webhook_event_due_at ON webhook_event (due_at);
CREATE INDEX webhook_event_decided_at ON webhook_event (decided_at);
CREATE TABLE webhook_event_act (
    id {id},
    event_id BIGINT NOT NULL REFERENCES webhook_event (id) ON DELETE CASCADE,
    act VARCHAR(16) NOT NULL,
    actor VARCHAR(128) NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    at {time} NOT NULL,
    outcome VARCHAR(16) NOT NULL
);
CREATE INDEX webhook_event_act_event_id ON webhook_event_act (event_id)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
