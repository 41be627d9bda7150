"""What each released version makes of the other timers of a state where a transition leads back into it.

1: they run on. 0, for what was released before or is by a process of the version before: all of them begin anew.
"""


def up(migrator, db):
    db.execute_sql("ALTER TABLE definition ADD COLUMN timer_rules INTEGER NOT NULL DEFAULT 0")
