"""The contractor's language, and in which language each was warned before it was changed."""

import peewee as pw

STATEMENTS = """
ALTER TABLE customer ADD COLUMN contractor_language VARCHAR(8) NOT NULL DEFAULT 'ja';
ALTER TABLE customer ADD COLUMN contractor_language_before VARCHAR(8) NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN contractor_language_since {time};
ALTER TABLE account ADD COLUMN language_before VARCHAR(8) NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN language_since {time};
ALTER TABLE address_change ADD COLUMN language_old VARCHAR(8) NOT NULL DEFAULT 'ja';
UPDATE address_change SET language_old = language WHERE substr(slot, 1, 8) = 'account:'
"""

SQLITE = {"time": "DATETIME"}
POSTGRESQL = {"time": "TIMESTAMP"}


def up(migrator, db):
    dialect = SQLITE if isinstance(db, pw.SqliteDatabase) else POSTGRESQL
    for statement in STATEMENTS.format(**dialect).split(";"):
        db.execute_sql(statement)
