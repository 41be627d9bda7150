"""Customers who were merged into others: their numbers, whom to tell, and the triggers by which the search knows."""

import peewee as pw

TABLES = """
CREATE TABLE customer_alias (
    number VARCHAR(32) NOT NULL PRIMARY KEY,
    former BIGINT NOT NULL,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    instance BIGINT NOT NULL,
    merged_at {time} NOT NULL
);
CREATE UNIQUE INDEX customer_alias_former ON customer_alias (former);
CREATE INDEX customer_alias_customer_id ON customer_alias (customer_id);
CREATE TABLE customer_merge (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    former BIGINT NOT NULL,
    number VARCHAR(32) NOT NULL,
    company VARCHAR(200) NOT NULL,
    contractor_name VARCHAR(200) NOT NULL,
    contractor_email VARCHAR(254) NOT NULL,
    contractor_language VARCHAR(8) NOT NULL
);
CREATE INDEX customer_merge_customer_id ON customer_merge (customer_id);
CREATE TABLE moved_account (
    id {id},
    merge BIGINT NOT NULL,
    instance BIGINT,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    account BIGINT NOT NULL,
    number VARCHAR(32) NOT NULL,
    removed INTEGER NOT NULL,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    language VARCHAR(8) NOT NULL
);
CREATE INDEX moved_account_merge ON moved_account (merge);
CREATE UNIQUE INDEX moved_account_instance ON moved_account (instance);
CREATE INDEX moved_account_customer_id ON moved_account (customer_id)
"""

SQLITE = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "time": "DATETIME"}
POSTGRESQL = {"id": "BIGSERIAL PRIMARY KEY", "time": "TIMESTAMP"}

TOLD = "INSERT INTO search_stale (customer_id) VALUES ({row}.customer_id);"
FORGOTTEN = "DELETE FROM search_text WHERE customer_id = OLD.customer_id;"

ON_SQLITE = """
CREATE TRIGGER search_customer_alias_{name} AFTER {event} ON customer_alias BEGIN {told} END
"""
ON_POSTGRESQL = """
CREATE FUNCTION search_customer_alias_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {told} RETURN NULL; END $$
CREATE TRIGGER search_customer_alias_{name} AFTER {event} ON customer_alias
    FOR EACH ROW EXECUTE FUNCTION search_customer_alias_{name}()
"""


def up(migrator, db):
    on_sqlite = isinstance(db, pw.SqliteDatabase)
    for statement in TABLES.format(**(SQLITE if on_sqlite else POSTGRESQL)).split(";"):
        db.execute_sql(statement)
    for name, event, told in (
        ("new", "INSERT", TOLD.format(row="NEW")),
        ("changed", "UPDATE", TOLD.format(row="OLD") + TOLD.format(row="NEW") + FORGOTTEN),
        ("gone", "DELETE", TOLD.format(row="OLD") + FORGOTTEN),
    ):
        text = (ON_SQLITE if on_sqlite else ON_POSTGRESQL).format(name=name, event=event, told=told)
        for statement in text.split("\nCREATE "):
            if statement.strip():
                db.execute_sql(f"CREATE {statement}")
