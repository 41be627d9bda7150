"""Which process has stopped asking which plugin, and why: for `doctor` and the staff, who ask another process."""

import peewee as pw

TABLE = """
CREATE TABLE plugin_trouble (
    worker VARCHAR(64) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    name VARCHAR(64) NOT NULL,
    reason VARCHAR(255) NOT NULL,
    since {time} NOT NULL,
    told_at {time} NOT NULL,
    PRIMARY KEY (worker, kind, name)
)
"""


def up(migrator, db):
    db.execute_sql(TABLE.format(time="DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"))
