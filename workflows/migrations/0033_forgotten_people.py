"""An application goes with the account that it became. Who was removed before is forgotten here."""

import peewee as pw

# An application that became an account has no password any more. One whose account is gone, or had another address
# since before its number was kept, belongs to nobody: nothing but the mail about its account was written from it.
STATEMENTS = (
    "CREATE INDEX application_account ON application (account) WHERE account IS NOT NULL",
    "UPDATE application SET account = (SELECT account.id FROM account "
    "WHERE account.customer_id = application.customer_id AND account.email = application.email) "
    "WHERE password_hash = '' AND application.account IS NULL",
    "DELETE FROM application WHERE password_hash = '' "
    "AND (application.account IS NULL OR application.account NOT IN (SELECT id FROM account))",
    "UPDATE change_request SET asked_by_name = '' "
    "WHERE asked_by_name <> '' AND asked_by NOT IN (SELECT id FROM account)",
)
# No foreign key: SQLite adds none to a column that there is.
ON_SQLITE = (
    "CREATE TRIGGER application_goes_with_account AFTER DELETE ON account "
    "BEGIN DELETE FROM application WHERE account = OLD.id; END",
)
ON_POSTGRESQL = (
    "CREATE FUNCTION application_goes_with_account() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "DELETE FROM application WHERE account = OLD.id; RETURN NULL; END $$",
    "CREATE TRIGGER application_goes_with_account AFTER DELETE ON account "
    "FOR EACH ROW EXECUTE FUNCTION application_goes_with_account()",
)


def up(migrator, db):
    for statement in STATEMENTS + (ON_SQLITE if isinstance(db, pw.SqliteDatabase) else ON_POSTGRESQL):
        db.execute_sql(statement)
