"""How many effects of an instance are incidents, beside its state, so that lists find by an index what they stopped.

The database counts by itself, so that what a process of the version before writes meanwhile is counted too. Such a
process may wait crosswise with a step of the same instance: it writes down an incident before it locks the instance.
It may also put the copy of a mail as an incident at once, which is counted on PostgreSQL alone: on SQLite no process of
another version runs beside this one, and a trigger would make every new effect dearer.
"""

import peewee as pw

COLUMN = """
ALTER TABLE instance ADD COLUMN incidents INTEGER NOT NULL DEFAULT 0;
CREATE INDEX instance_stopped ON instance (workflow, version, state, id) WHERE incidents > 0
"""
FILLED = """
UPDATE instance SET incidents =
    (SELECT COUNT(*) FROM outbox o WHERE o.instance_id = instance.id AND o.state = 'incident')
    WHERE id IN (SELECT o.instance_id FROM outbox o WHERE o.state = 'incident')
"""

WAS, IS = "OLD.state = 'incident'", "NEW.state = 'incident'"
TRIGGERS = (  # name, event, condition, change, row
    ("changed", "UPDATE OF state", f"({WAS}) <> ({IS})", f"+ CASE WHEN {IS} THEN 1 ELSE -1 END", "NEW"),
    ("gone", "DELETE", WAS, "- 1", "OLD"),
)
BESIDE_THE_VERSION_BEFORE = (("new", "INSERT", IS, "+ 1", "NEW"),)
COUNTED = "UPDATE instance SET incidents = incidents {change} WHERE id = {row}.instance_id"

ON_SQLITE = [f"CREATE TRIGGER outbox_incident_{{name}} AFTER {{event}} ON outbox WHEN {{when}} BEGIN {COUNTED}; END"]
ON_POSTGRESQL = [
    "CREATE FUNCTION outbox_incident_{name}() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN {COUNTED}; RETURN NULL; END $$",
    "CREATE TRIGGER outbox_incident_{name} AFTER {event} ON outbox "
    "FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION outbox_incident_{name}()",
]


def up(migrator, db):
    for statement in COLUMN.split(";"):
        db.execute_sql(statement)
    is_sqlite = isinstance(db, pw.SqliteDatabase)
    for name, event, when, change, row in TRIGGERS if is_sqlite else TRIGGERS + BESIDE_THE_VERSION_BEFORE:
        for template in ON_SQLITE if is_sqlite else ON_POSTGRESQL:
            db.execute_sql(template.format(name=name, event=event, when=when, change=change, row=row))
    db.execute_sql(FILLED)  # last: since the triggers are there nobody writes an incident until this is committed
