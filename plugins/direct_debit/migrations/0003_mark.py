"""The mark of a run, which stands in 顧客番号 of its debits in the place of its id."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE direct_debit_run ADD COLUMN mark BIGINT")
    db.execute_sql("CREATE UNIQUE INDEX direct_debit_run_mark ON direct_debit_run (mark)")
