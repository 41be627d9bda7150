"""Where the file of a run was about to get its name: a run is given up only by who has looked there."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE direct_debit_run ADD COLUMN named_in TEXT NOT NULL DEFAULT ''")
