"""Which open requests a change of a contract was quoted on top of."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE contract_change ADD COLUMN ahead VARCHAR(80) NOT NULL DEFAULT ''")
