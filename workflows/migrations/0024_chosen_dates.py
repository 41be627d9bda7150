"""The effective date that staff chose for a change, where there were two to choose from."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE contract_change ADD COLUMN chosen_on DATE")
