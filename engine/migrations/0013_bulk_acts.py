"""Why and for which mail host an effect was given up, incidents in the order of time, and acts on many incidents."""

import peewee as pw

TABLES = """
CREATE TABLE bulk_act (
    number {id},
    act VARCHAR(16) NOT NULL,
    criteria TEXT NOT NULL,
    new_host VARCHAR(255) NOT NULL,
    actor VARCHAR(128) NOT NULL,
    reason TEXT NOT NULL,
    begun_at {time} NOT NULL,
    total INTEGER NOT NULL,
    done INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    state VARCHAR(16) NOT NULL,
    changed_at {time} NOT NULL,
    changed_by VARCHAR(128) NOT NULL,
    changed_reason TEXT NOT NULL,
    leased_by VARCHAR(64) NOT NULL,
    leased_until {time} NOT NULL
);
CREATE INDEX bulk_act_running ON bulk_act (number) WHERE state = 'running';
CREATE TABLE bulk_act_item (
    act_number BIGINT NOT NULL,
    place INTEGER NOT NULL,
    instance_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    event VARCHAR(64) NOT NULL,
    since {time} NOT NULL,
    outcome VARCHAR(16) NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (act_number, place)
){rowless};
CREATE INDEX bulk_act_item_outcome ON bulk_act_item (act_number, outcome, place);
ALTER TABLE outbox ADD COLUMN reason VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN host VARCHAR(255) NOT NULL DEFAULT '';
DROP INDEX outbox_incident;
CREATE INDEX outbox_incident ON outbox
    (due_at, instance_id, seq, position, kind, recipient, reason, host, delivered, state) WHERE state = 'incident';
CREATE INDEX outbox_incident_kind ON outbox (kind, recipient, reason, host, due_at, state) WHERE state = 'incident';
DROP INDEX timer_failed;
CREATE INDEX timer_failed ON timer (due_at, instance_id) WHERE failures > 0
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME", "rowless": " WITHOUT ROWID"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP", "rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
    # As `engine.store.outbox_rows.reason_of` has it. The hosts of incidents of before are not known here.
    mark = "?" if isinstance(db, pw.SqliteDatabase) else "%s"
    for (error,) in db.execute_sql("SELECT DISTINCT error FROM outbox WHERE state = 'incident'").fetchall():
        reason, _, rest = error.partition(":")
        if not rest:
            continue
        db.execute_sql(
            f"UPDATE outbox SET reason = {mark} WHERE state = 'incident' AND error = {mark}",
            ("event_refused" if reason.startswith("delivered, ") else reason[:64], error),
        )
