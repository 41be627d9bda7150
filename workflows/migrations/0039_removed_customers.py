"""Customers who were removed: since when, until when the rest of them is kept, and whom the mails about it go to."""

import peewee as pw

TABLES = """
ALTER TABLE customer ADD COLUMN removed_on DATE;
CREATE INDEX customer_removed ON customer (id) WHERE removed_on IS NOT NULL;
CREATE TABLE removed_customer (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254) NOT NULL,
    language VARCHAR(8) NOT NULL,
    kept_until DATE
);
CREATE UNIQUE INDEX removed_customer_customer_id ON removed_customer (customer_id);
CREATE TABLE removed_owner (
    id {id},
    removal BIGINT NOT NULL,
    instance BIGINT,
    about VARCHAR(32) NOT NULL,
    company VARCHAR(200) NOT NULL,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    language VARCHAR(8) NOT NULL,
    removed_at {time} NOT NULL
);
CREATE INDEX removed_owner_removal ON removed_owner (removal);
CREATE UNIQUE INDEX removed_owner_instance ON removed_owner (instance)
"""
SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}

# Whoever has no account yet is forgotten with the customer. Their tables are those of other procedures than the one
# that removes, which find nothing to make an account of any more. A place in a wave that is over stays.
FORGOTTEN = (
    "DELETE FROM application WHERE customer_id = NEW.id;"
    " DELETE FROM invitation WHERE customer_id = NEW.id;"
    " DELETE FROM opening WHERE customer_id = NEW.id AND (slot IS NOT NULL OR instance IS NULL);"
)
WHEN = "WHEN (OLD.removed_on IS NULL AND NEW.removed_on IS NOT NULL)"
ON_SQLITE = (f"CREATE TRIGGER customer_is_removed AFTER UPDATE OF removed_on ON customer {WHEN} BEGIN {FORGOTTEN} END",)
ON_POSTGRESQL = (
    "CREATE FUNCTION customer_is_removed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"{FORGOTTEN} RETURN NULL; END $$",
    f"CREATE TRIGGER customer_is_removed AFTER UPDATE OF removed_on ON customer FOR EACH ROW {WHEN} "
    "EXECUTE FUNCTION customer_is_removed()",
)


def up(migrator, db):
    on_sqlite = isinstance(db, pw.SqliteDatabase)
    for statement in TABLES.format(**(SQLITE if on_sqlite else POSTGRESQL)).split(";"):
        db.execute_sql(statement)
    for statement in ON_SQLITE if on_sqlite else ON_POSTGRESQL:
        db.execute_sql(statement)
