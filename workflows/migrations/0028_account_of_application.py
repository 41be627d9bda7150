"""Which account an application became, for the link in the mail to the contractor."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE application ADD COLUMN account BIGINT")
