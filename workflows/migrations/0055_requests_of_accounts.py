"""What an account has asked for is found by an index."""


def up(migrator, db):
    db.execute_sql("CREATE INDEX change_request_asked_by ON change_request (asked_by)")
