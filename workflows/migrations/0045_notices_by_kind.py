"""Notices of one kind in the order in which they are listed: they are counted, and read, in an index of their own."""


def up(migrator, db):
    db.execute_sql("CREATE INDEX notice_kind_updated_at_id_instance ON notice (kind, updated_at, id, instance)")
