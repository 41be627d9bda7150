"""Runs that were given up, because their files can never be written."""

import peewee as pw

COLUMNS = (
    "given_up_at {time}",
    "given_up_by VARCHAR(128) NOT NULL DEFAULT ''",
    "given_up_why VARCHAR(1000) NOT NULL DEFAULT ''",
)


def up(migrator, db):
    time = "DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"
    for column in COLUMNS:
        db.execute_sql(f"ALTER TABLE direct_debit_run ADD COLUMN {column.format(time=time)}")
