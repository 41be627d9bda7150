"""The triggers that tell the search of the addresses to which invitations to open an account go."""

import peewee as pw

# A place that is taken up has the contractor's own address, which the search knows: only what becomes of it is told.
NEW = "NEW.email IS NOT NULL"
CHANGED = "OLD.email IS NOT NULL AND (OLD.email {differs} NEW.email OR OLD.user_name {differs} NEW.user_name)"
TOLD = "INSERT INTO search_stale (customer_id) VALUES ({row}.customer_id);"
FORGOTTEN = "DELETE FROM search_text WHERE customer_id = OLD.customer_id;"

ON_SQLITE = """
CREATE TRIGGER search_opening_{name} AFTER {event} ON opening WHEN {condition} BEGIN {told} END
"""
ON_POSTGRESQL = """
CREATE FUNCTION search_opening_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {told} RETURN NULL; END $$
CREATE TRIGGER search_opening_{name} AFTER {event} ON opening
    FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION search_opening_{name}()
"""


def up(migrator, db):
    on_sqlite = isinstance(db, pw.SqliteDatabase)
    changed = CHANGED.format(differs="IS NOT" if on_sqlite else "IS DISTINCT FROM")
    for name, event, condition, told in (
        ("new", "INSERT", NEW, TOLD.format(row="NEW")),
        ("changed", "UPDATE OF email, user_name", changed, TOLD.format(row="NEW") + FORGOTTEN),
        ("gone", "DELETE", "OLD.email IS NOT NULL", TOLD.format(row="OLD") + FORGOTTEN),
    ):
        text = (ON_SQLITE if on_sqlite else ON_POSTGRESQL).format(
            name=name, event=event, condition=condition, told=told
        )
        for statement in text.split("\nCREATE "):
            if statement.strip():
                db.execute_sql(f"CREATE {statement}")
    db.execute_sql("INSERT INTO search_stale (customer_id) SELECT customer_id FROM opening WHERE email IS NOT NULL")
