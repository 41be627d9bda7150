"""The key with which a mandate's change was last booked: one that was rejected has had its answer."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE mandate ADD COLUMN booking_key VARCHAR(200) NOT NULL DEFAULT ''")
