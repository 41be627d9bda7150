"""The terms of a contract before each booking: what is billed for a day before it needs them."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE ledger_booking ADD COLUMN before TEXT")
