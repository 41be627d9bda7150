"""What mailed links, Message-IDs and idempotency keys rest on, drawn at random. Rows of before keep an empty value."""

import peewee as pw


def up(migrator, db):
    blob = "BLOB NOT NULL DEFAULT x''" if isinstance(db, pw.SqliteDatabase) else "BYTEA NOT NULL DEFAULT ''"
    db.execute_sql(f"ALTER TABLE instance ADD COLUMN nonce {blob}")
    db.execute_sql(f"ALTER TABLE outbox ADD COLUMN nonce {blob}")
