"""An account knows the application that it was made from, and no longer the application the account: one write less."""

import peewee as pw

# Of several applications for an account the last one made it. The others are of an account that had its address before.
STATEMENTS = (
    "ALTER TABLE account ADD COLUMN opened_by BIGINT",
    "UPDATE account SET opened_by = (SELECT MAX(instance) FROM application WHERE application.account = account.id)",
    "DELETE FROM application WHERE account IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM account WHERE account.id = application.account AND opened_by = instance)",
    "DROP INDEX application_account",
    "ALTER TABLE application DROP COLUMN account",
)
ON_SQLITE = (
    "DROP TRIGGER application_goes_with_account",
    *STATEMENTS,
    "CREATE TRIGGER application_goes_with_account AFTER DELETE ON account WHEN OLD.opened_by IS NOT NULL "
    "BEGIN DELETE FROM application WHERE instance = OLD.opened_by; END",
)
ON_POSTGRESQL = (
    *STATEMENTS,
    "CREATE OR REPLACE FUNCTION application_goes_with_account() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "DELETE FROM application WHERE instance = OLD.opened_by; RETURN NULL; END $$",
)


def up(migrator, db):
    for statement in ON_SQLITE if isinstance(db, pw.SqliteDatabase) else ON_POSTGRESQL:
        db.execute_sql(statement)
