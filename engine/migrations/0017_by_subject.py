"""The instances that are about somebody in the order of their numbers, by an index alone.

On SQLite an index has the number of its row anyway.
"""

import peewee as pw

BY_SUBJECT = """
CREATE INDEX instance_about ON instance (subject, id);
DROP INDEX instance_subject
"""


def up(migrator, db):
    if not isinstance(db, pw.SqliteDatabase):
        for statement in BY_SUBJECT.split(";"):
            db.execute_sql(statement)
