"""The definitions that plugins brought: what their instances are can be told while a plugin is away."""

TABLE = """
CREATE TABLE plugin_definition (
    name VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    plugin VARCHAR(64) NOT NULL,
    last_states TEXT NOT NULL,
    keeps_people INTEGER NOT NULL,
    PRIMARY KEY (name, version)
)
"""


def up(migrator, db):
    db.execute_sql(TABLE)
