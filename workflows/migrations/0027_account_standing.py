"""Whether accounts may log in: open as those of before, unconfirmed, or stopped; and the browser of each session."""

STATEMENTS = (
    "ALTER TABLE account ADD COLUMN standing VARCHAR(16) NOT NULL DEFAULT 'open'",
    "CREATE INDEX account_standing ON account (standing) WHERE standing <> 'open'",
    "ALTER TABLE session ADD COLUMN browser VARCHAR(60) NOT NULL DEFAULT ''",
)


def up(migrator, db):
    for statement in STATEMENTS:
        db.execute_sql(statement)
