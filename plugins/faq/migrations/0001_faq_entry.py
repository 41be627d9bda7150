"""The questions. A site that had them before they were a plugin's has the table, which is taken over as it is."""

import peewee as pw

TABLES = """
CREATE TABLE IF NOT EXISTS faq_entry (
    id VARCHAR(16) NOT NULL PRIMARY KEY,
    instance BIGINT NOT NULL,
    category VARCHAR(50) NOT NULL,
    product VARCHAR(32) NOT NULL,
    position INTEGER NOT NULL,
    question_ja VARCHAR(200) NOT NULL,
    answer_ja TEXT NOT NULL,
    question_en VARCHAR(200) NOT NULL,
    answer_en TEXT NOT NULL,
    shown INTEGER NOT NULL,
    updated_at {time} NOT NULL,
    category_en VARCHAR(50) NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS faq_entry_instance ON faq_entry (instance);
CREATE INDEX IF NOT EXISTS faq_entry_category_position_id_shown ON faq_entry (category, position, id, shown)
"""


def up(migrator, db):
    time = "DATETIME" if isinstance(db, pw.SqliteDatabase) else "TIMESTAMP"
    for statement in TABLES.format(time=time).split(";"):
        db.execute_sql(statement)
