"""What a change of a contract knows beside its request: the wished subdomain, and how far its booking is."""

import peewee as pw

TABLES = """
CREATE TABLE contract_change (
    instance BIGINT NOT NULL PRIMARY KEY REFERENCES change_request (instance) ON DELETE CASCADE,
    wish VARCHAR(120),
    withdrawn_by BIGINT NOT NULL,
    booking VARCHAR(16) NOT NULL,
    booking_key VARCHAR(200) NOT NULL
){rowless};
CREATE UNIQUE INDEX contract_change_wish ON contract_change (wish)
"""

SQLITE = {"rowless": " WITHOUT ROWID"}
POSTGRESQL = {"rowless": ""}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in TABLES.format(**dialect).split(";"):
        db.execute_sql(statement)
