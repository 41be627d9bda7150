"""What staff did to accounts, contracts and customers: by procedure, with the reason that those concerned were told."""

import peewee as pw

TABLES = """
CREATE TABLE staff_act (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer BIGINT NOT NULL,
    about VARCHAR(32) NOT NULL,
    kind VARCHAR(64) NOT NULL,
    member BIGINT NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    at {time} NOT NULL,
    last_day DATE
);
CREATE INDEX staff_act_customer ON staff_act (customer)
"""


def up(migrator, db):
    time = "DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"
    for statement in TABLES.format(time=time).split(";"):
        db.execute_sql(statement)
