"""What the other side answered last about an effect, word for word, and when.

An effect has a further row for its copy (Cc) where a try gave the two recipients different answers: at the position
`-1 - position` of the effect.
"""

import peewee as pw


def up(migrator, db):
    moment = "DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"
    db.execute_sql("ALTER TABLE outbox ADD COLUMN answer TEXT NOT NULL DEFAULT ''")
    db.execute_sql(f"ALTER TABLE outbox ADD COLUMN answered_at {moment}")
