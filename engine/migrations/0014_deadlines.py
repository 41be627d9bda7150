"""The deadline of an instance beside its state, so that lists are read in the order of an index.

`deadline_at` holds as of the entry `deadline_seq` of its history; it is not known where that is less than `seq`: of
what was written before, and of what a process of the version before writes meanwhile
(`engine.operations.deadline_rows`).
A definition may call other timers deadlines than before: `deadlines` says by which those that are held were found.
"""

import peewee as pw

STEPS = """
ALTER TABLE instance ADD COLUMN deadline_at {time};
ALTER TABLE instance ADD COLUMN deadline_seq INTEGER NOT NULL DEFAULT 0;
CREATE INDEX instance_deadline ON instance (workflow, version, state, deadline_at, id)
    WHERE deadline_at IS NOT NULL AND deadline_seq >= seq;
CREATE INDEX instance_deadline_unknown ON instance (workflow, version, state, id) WHERE deadline_seq < seq;
ALTER TABLE definition ADD COLUMN deadlines TEXT NOT NULL DEFAULT ''
"""


def up(migrator, db):
    time = "DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"
    for statement in STEPS.format(time=time).split(";"):
        db.execute_sql(statement)
