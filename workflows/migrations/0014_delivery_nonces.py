"""What the key of a notice's mail rests on, drawn at random. Rows of before keep an empty value."""

import peewee as pw


def up(migrator, db):
    blob = "BLOB NOT NULL DEFAULT x''" if isinstance(db, pw.SqliteDatabase) else "BYTEA NOT NULL DEFAULT ''"
    db.execute_sql(f"ALTER TABLE notice_delivery ADD COLUMN nonce {blob}")
