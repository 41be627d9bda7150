"""The last figure of each environment."""

import peewee as pw

TABLE = """
CREATE TABLE http_usage (
    product VARCHAR(32) NOT NULL,
    subdomain VARCHAR(63) NOT NULL,
    used BIGINT NOT NULL,
    most BIGINT,
    measured_at {time} NOT NULL,
    asked_at {time} NOT NULL,
    PRIMARY KEY (product, subdomain)
)
"""


def up(migrator, db):
    db.execute_sql(TABLE.format(time="DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"))
