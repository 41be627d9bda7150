"""In which trace an effect was put into the outbox; and broken timers found without reading all of them."""

import peewee as pw


def up(migrator, db):
    rowless = " WITHOUT ROWID" if isinstance(db, pw.SqliteDatabase) else ""
    db.execute_sql(
        "CREATE TABLE trace (instance_id BIGINT NOT NULL, seq INTEGER NOT NULL, traceparent VARCHAR(55) NOT NULL, "
        f"PRIMARY KEY (instance_id, seq)){rowless}"
    )
    db.execute_sql("CREATE INDEX timer_failed ON timer (instance_id) WHERE failures > 0")
