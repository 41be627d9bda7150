"""The turns of notices, and the channels that announce each revision. Revisions of before went to all of them."""

STATEMENTS = (
    "ALTER TABLE notice ADD COLUMN turn VARCHAR(16) NOT NULL DEFAULT ''",
    "ALTER TABLE notice_revision ADD COLUMN turn VARCHAR(16) NOT NULL DEFAULT ''",
    "ALTER TABLE notice_revision ADD COLUMN channels TEXT",
)


def up(migrator, db):
    for statement in STATEMENTS:
        db.execute_sql(statement)
