"""Instances by where they stand: what stands in a state is found, and counted up to a limit, without reading all."""


def up(migrator, db):
    db.execute_sql("CREATE INDEX instance_place ON instance (workflow, version, state, id)")
