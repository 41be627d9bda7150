"""The time that extensions of plugins took under the lock, in microseconds, by the version of their package."""

import peewee as pw

TABLE = """
CREATE TABLE extension_time (
    name VARCHAR(64) NOT NULL,
    version VARCHAR(64) NOT NULL,
    steps BIGINT NOT NULL,
    micros BIGINT NOT NULL,
    slowest BIGINT NOT NULL,
    since {time} NOT NULL,
    PRIMARY KEY (name, version)
)
"""


def up(migrator, db):
    time = "DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"
    db.execute_sql(TABLE.format(time=time))
