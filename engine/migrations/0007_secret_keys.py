"""Which secret keys the seals of this database are of, by fingerprint."""

import peewee as pw


def up(migrator, db):
    rowless = " WITHOUT ROWID" if isinstance(db, pw.SqliteDatabase) else ""
    moment = "DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"
    db.execute_sql(
        "CREATE TABLE secret_key (fingerprint VARCHAR(32) NOT NULL PRIMARY KEY, number INTEGER NOT NULL UNIQUE, "
        f"state VARCHAR(16) NOT NULL, since {moment} NOT NULL, ended_at {moment}, reason TEXT NOT NULL, "
        f"done BIGINT NOT NULL, finished_at {moment}, histories BIGINT NOT NULL, sealing_at {moment}){rowless}"
    )
