"""What the search of customers is done in, and the triggers that tell it what was written."""

import peewee as pw

TABLES = """
CREATE TABLE search_stale (
    id {id},
    customer_id BIGINT NOT NULL
);
CREATE TABLE search_text (
    customer_id BIGINT NOT NULL PRIMARY KEY REFERENCES customer (id) ON DELETE CASCADE,
    posted INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX search_text_unposted ON search_text (customer_id) WHERE posted = 0;
CREATE TABLE search_posting (
    gram VARCHAR(16){bytewise} NOT NULL,
    segment BIGINT NOT NULL,
    members {bytes} NOT NULL,
    PRIMARY KEY (gram, segment)
){rowless};
CREATE TABLE search_segment (
    segment BIGINT NOT NULL PRIMARY KEY,
    turn BIGINT NOT NULL,
    fold VARCHAR(100) NOT NULL,
    posted_at {time} NOT NULL
);
CREATE TABLE search_seen (
    source VARCHAR(32) NOT NULL PRIMARY KEY,
    upto BIGINT NOT NULL
);
INSERT INTO search_seen (source, upto) SELECT 'account', COALESCE(MAX(id), 0) FROM account;
INSERT INTO search_seen (source, upto) SELECT 'application', COALESCE(MAX(instance), 0) FROM application;
INSERT INTO search_seen (source, upto) SELECT 'invitation', COALESCE(MAX(instance), 0) FROM invitation;
INSERT INTO search_stale (customer_id) SELECT id FROM customer
"""

SQLITE = {
    "id": "INTEGER NOT NULL PRIMARY KEY",
    "time": "DATETIME",
    "bytes": "BLOB",
    "bytewise": "",
    "rowless": " WITHOUT ROWID",
}
POSTGRESQL = {
    "id": "BIGSERIAL PRIMARY KEY",
    "time": "TIMESTAMP",
    "bytes": "BYTEA",
    "bytewise": ' COLLATE "C"',
    "rowless": "",
}

# By table: the column that names the customer, and those whose change is one to the search.
WATCHED = {
    "customer": (
        "id",
        (
            "number", "company", "contractor_name", "contractor_email", "contractor_person", "contractor_phone",
            "contractor_postcode", "contractor_address", "billing_name", "billing_postcode", "billing_address",
        ),
    ),
    "contract": ("customer_id", ("customer_id", "subdomain")),
    "account": ("customer_id", ("customer_id", "email", "user_name")),
    "application": ("customer_id", ("customer_id", "email", "user_name")),
    "pending_application": ("customer_id", ("customer_id", "email", "user_name")),
    "invitation": ("customer_id", ("customer_id", "email", "user_name")),
    "address_change": ("customer_id", ("customer_id", "new", "slot")),
}  # fmt: skip

TOLD = "INSERT INTO search_stale (customer_id) VALUES ({row}.{key});"
FORGOTTEN = "DELETE FROM search_text WHERE customer_id = OLD.{key};"

ON_SQLITE = """
CREATE TRIGGER search_{table}_new AFTER INSERT ON {table} BEGIN {told_new} END
CREATE TRIGGER search_{table}_changed AFTER UPDATE OF {columns} ON {table} WHEN {differ}
    BEGIN {told_old} {told_new} {forgotten} END
CREATE TRIGGER search_{table}_gone AFTER DELETE ON {table} BEGIN {told_old} {forgotten} END
"""

# New rows of these are known by their numbers, which only grow where writers take turns: a transition that writes one
# pays nothing. On PostgreSQL a lower number may be committed later, so there they are told like all others.
NUMBERED = ("account", "application", "invitation")

# One statement for all rows that an INSERT or a COPY brings.
ON_POSTGRESQL = """
CREATE FUNCTION search_{table}_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO search_stale (customer_id) SELECT DISTINCT {key} FROM written; RETURN NULL; END $$
CREATE FUNCTION search_{table}_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    {told_old} {told_new} {forgotten} RETURN NULL; END $$
CREATE FUNCTION search_{table}_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    {told_old} {forgotten} RETURN NULL; END $$
CREATE TRIGGER search_{table}_new AFTER INSERT ON {table} REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION search_{table}_new()
CREATE TRIGGER search_{table}_changed AFTER UPDATE OF {columns} ON {table}
    FOR EACH ROW WHEN ({differ}) EXECUTE FUNCTION search_{table}_changed()
CREATE TRIGGER search_{table}_gone AFTER DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION search_{table}_gone()
"""


def up(migrator, db):
    on_sqlite = isinstance(db, pw.SqliteDatabase)
    for statement in TABLES.format(**(SQLITE if on_sqlite else POSTGRESQL)).split(";"):
        db.execute_sql(statement)
    differs = "OLD.{0} IS NOT NEW.{0}" if on_sqlite else "OLD.{0} IS DISTINCT FROM NEW.{0}"
    for table, (key, columns) in WATCHED.items():
        triggers = (ON_SQLITE if on_sqlite else ON_POSTGRESQL).format(
            table=table,
            key=key,
            columns=", ".join(columns),
            differ=" OR ".join(map(differs.format, columns)),
            told_new=TOLD.format(row="NEW", key=key),
            told_old=TOLD.format(row="OLD", key=key),
            forgotten=FORGOTTEN.format(key=key),
        )
        for statement in triggers.split("\nCREATE "):
            if statement.strip() and not (on_sqlite and table in NUMBERED and "AFTER INSERT" in statement):
                db.execute_sql(f"CREATE {statement}")
