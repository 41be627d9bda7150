"""How long an effect is tried, in microseconds from its first try on; 0 where nobody wrote it down."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE outbox ADD COLUMN patience BIGINT NOT NULL DEFAULT 0")
