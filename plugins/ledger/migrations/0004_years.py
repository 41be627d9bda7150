"""Which bills are of a year: it is billed once, also where the first day of its contract is corrected."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE ledger_bill ADD COLUMN is_of_year BOOLEAN")
