"""The categories of the FAQ in English."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE faq_entry ADD COLUMN category_en VARCHAR(50) NOT NULL DEFAULT ''")
