"""Notices and questions in the orders in which they are listed: what comes before a page is skipped in the index. A
question that was removed says so itself."""

STATEMENTS = (
    "UPDATE faq_entry SET shown = -1 WHERE instance IN (SELECT id FROM instance WHERE state = 'removed')",
    "CREATE INDEX faq_entry_category_position_id_shown ON faq_entry (category, position, id, shown)",
    "CREATE INDEX notice_updated_at_id_kind_instance ON notice (updated_at, id, kind, instance)",
    "DROP INDEX notice_updated_at",
)


def up(migrator, db):
    for statement in STATEMENTS:
        db.execute_sql(statement)
