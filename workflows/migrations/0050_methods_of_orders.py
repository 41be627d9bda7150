"""A mandate may be an order's, whose contract begins later; and since when nothing is missing of it any more."""

import peewee as pw

COLUMNS = (
    "id, instance, customer_id, contract_id, method, way, label, sealed, reference, due_at, active_from, ended_on, "
    "in_use, booking, booking_key"
)
# SQLite cannot let go of NOT NULL in place. Nothing refers to the table.
ON_SQLITE = f"""
CREATE TABLE mandate_anew (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    instance BIGINT NOT NULL,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    contract_id BIGINT REFERENCES contract (id) ON DELETE CASCADE,
    method VARCHAR(32) NOT NULL,
    way VARCHAR(8) NOT NULL,
    label VARCHAR(200) NOT NULL,
    sealed TEXT NOT NULL,
    reference VARCHAR(255) NOT NULL,
    due_at DATETIME,
    active_from DATE,
    ended_on DATE,
    in_use BIGINT,
    booking VARCHAR(16) NOT NULL,
    booking_key VARCHAR(200) NOT NULL DEFAULT '',
    registered_at DATETIME
);
INSERT INTO mandate_anew ({COLUMNS}) SELECT {COLUMNS} FROM mandate;
DROP TABLE mandate;
ALTER TABLE mandate_anew RENAME TO mandate;
CREATE UNIQUE INDEX mandate_instance ON mandate (instance);
CREATE UNIQUE INDEX mandate_in_use ON mandate (in_use);
CREATE INDEX mandate_customer_id ON mandate (customer_id);
CREATE INDEX mandate_contract_id ON mandate (contract_id)
"""
ON_POSTGRESQL = """
ALTER TABLE mandate ALTER COLUMN contract_id DROP NOT NULL;
ALTER TABLE mandate ADD COLUMN registered_at TIMESTAMP
"""


def up(migrator, db):
    for statement in (ON_SQLITE if isinstance(db, pw.SqliteDatabase) else ON_POSTGRESQL).split(";"):
        db.execute_sql(statement)
